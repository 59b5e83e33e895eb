"""The quality card of a window: pure functions of its samples."""

from collections.abc import Sequence

from streamer.types import HOST_CLOCK, ClockCard, Counts, Quality, Sample, Span


def coverage(span: Span, samples: Sequence[Sample]) -> tuple[float, int]:
    """Share of `span` that `samples` stand for, and the number of gaps.

    `samples` are those that overlap the span, oldest first; overlapping ones count once. A hole
    is a gap when it is at least as long as the sample beside it. A shorter one is the jitter of a
    device that lost nothing, and counts as covered.
    """
    missing = gaps = 0
    cursor = span.start_ns
    period = span.length_ns
    for sample in samples:
        period = sample.duration_ns
        hole = min(sample.t_ns, span.end_ns) - cursor
        if hole >= period > 0:
            missing += hole
            gaps += 1
        cursor = max(cursor, sample.end_ns)
    hole = span.end_ns - cursor
    if hole >= period > 0:
        missing += hole
        gaps += 1
    return 1 - missing / span.length_ns, gaps


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
