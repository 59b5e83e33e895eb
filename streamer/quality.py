"""The quality card of a window: pure functions of its samples."""

from collections.abc import Sequence

from streamer.types import (
    HOST_CLOCK,
    AudioBlock,
    ClockCard,
    Counts,
    ImuBlock,
    Quality,
    Sample,
    Span,
)

JITTER_NS = 10_000_000
"""Blocks of sound that follow each other are stamped to within this; a longer hole is a hole."""


def coverage(span: Span, samples: Sequence[Sample]) -> tuple[float, int]:
    """Share of `span` that `samples` stand for, and the number of gaps.

    `samples` are those that overlap the span, oldest first; overlapping ones count once. A hole
    is a gap when at least one picture or reading is missing. A shorter one is the jitter of a
    device that lost nothing, and counts as covered.
    """
    missing = gaps = 0
    cursor, end_ns = span.start_ns, span.end_ns
    for sample in samples:
        t_ns = sample.t_ns
        hole = min(t_ns, end_ns) - cursor
        # Nearly always there is none, and the period need not be known.
        if hole > 0 and hole >= _period_ns(sample):
            missing += hole
            gaps += 1
        cursor = max(cursor, t_ns + sample.duration_ns)
    hole = end_ns - cursor
    if hole > 0 and hole >= (_period_ns(samples[-1]) if samples else span.length_ns):
        missing += hole
        gaps += 1
    return 1 - missing / span.length_ns, gaps


def _period_ns(sample: Sample) -> int:
    """How long a hole has to be for something to be missing beside this sample."""
    if isinstance(sample.data, AudioBlock):
        return min(sample.duration_ns, JITTER_NS)
    if isinstance(sample.data, ImuBlock):
        return sample.duration_ns // max(1, len(sample.data.t_ns))
    return sample.duration_ns


def assess(span: Span, samples: Sequence[Sample], *, late: int, dropped: Counts) -> Quality:
    """The card of one window. `samples` overlap the span, oldest first, and are not empty.

    The clock is that of the sample with the largest error: a window is as well timed as its worst.
    """
    share, gaps = coverage(span, samples)
    return Quality(
        coverage=share,
        gaps=gaps,
        oldest_age_ns=span.end_ns - max(samples[0].t_ns, span.start_ns),
        newest_age_ns=span.end_ns - min(samples[-1].end_ns, span.end_ns),
        late=late,
        dropped=dropped,
        clock=_worst(samples),
    )


def _worst(samples: Sequence[Sample]) -> ClockCard:
    worst = samples[0].clock if samples else HOST_CLOCK
    for sample in samples:
        # Samples of one session share one card, so this is nearly always an identity test.
        if sample.clock is not worst and sample.clock.error_ns > worst.error_ns:
            worst = sample.clock
    return worst
