"""Sliding windows of one stream, in event time. Pure: no I/O, no clock of its own.

Windows end on one grid, the multiples of the hop since the epoch, whatever their length:

    grid      |----|----|----|----|----|        ends: multiples of hop
    window              [---------)             length 2 s, closes when the watermark
                             [---------)        passes its end

The watermark is the newest event time minus the lateness: nothing older is waited for. Order of
arrival within the lateness therefore changes nothing.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from streamer.channels import Account
from streamer.quality import assess
from streamer.types import (
    NS_PER_S,
    AudioBlock,
    Counts,
    ImuBlock,
    Modality,
    Quality,
    Sample,
    Span,
    Window,
)

FUTURE_NS = NS_PER_S
"""A stamp further ahead of the clock than this is a lie and moves no watermark."""

LEAP_NS = 10 * NS_PER_S
"""In a file, where there is no clock to tell, a stamp further ahead of the one before than this is
believed only when the next one confirms it."""


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """How the samples of one stream are cut. All lengths positive."""

    stream: str
    modality: Modality
    length_ns: int
    hop_ns: int
    lateness_ns: int


def grid_after(t_ns: int, hop_ns: int) -> int:
    """The first end on the grid whose window can hold an instant: the smallest multiple > t."""
    return (t_ns // hop_ns + 1) * hop_ns


class Windower:
    """Cuts one stream into windows.

    Memory is bounded by time: it holds the samples of one window length, the lateness and what
    the stream is ahead. Every sample is accounted for: `delivered` means it was kept for windows;
    dropped causes are `late` (wholly before the watermark), `duplicate` (same stamp as a kept one)
    and `future` (beyond the clock, or a leap that the next sample of a file contradicts). A leap
    that waits for confirmation is `pending`.
    """

    def __init__(self, spec: WindowSpec) -> None:
        self.spec = spec
        self.account = Account()
        self.backward = 0
        """Samples that came out of order; within the lateness they were put right."""
        self.watermark_ns: int | None = None
        self.seen_until_ns: int | None = None
        """The newest event time: everything up to here, not included, has been captured."""
        self._samples: list[Sample] = []
        self._suspect: Sample | None = None
        self._next_end_ns: int | None = None
        self._late = 0
        self._dropped: dict[str, int] = {}

    def push(self, sample: Sample, now_ns: int | None = None) -> list[Window]:
        """Take one sample; return the windows that closed.

        `now_ns` is the run's clock in live runs, and a stamp beyond it is dropped. Files have no
        "now": pass None, and a leap ahead waits for the next sample to confirm it.
        """
        self.account.produced += 1
        if now_ns is not None:
            if sample.t_ns > now_ns + FUTURE_NS:
                return self._drop("future")
            return self._take(sample, now_ns + FUTURE_NS)
        return self._settle_suspect(sample) + self._take_or_suspect(sample)

    def _settle_suspect(self, following: Sample) -> list[Window]:
        suspect, self._suspect = self._suspect, None
        if suspect is None:
            return []
        if following.t_ns < suspect.t_ns - LEAP_NS:
            return self._drop("future")
        return self._take(suspect)

    def _take_or_suspect(self, sample: Sample) -> list[Window]:
        if self.seen_until_ns is not None and sample.t_ns > self.seen_until_ns + LEAP_NS:
            self._suspect = sample
            return []
        return self._take(sample)

    def _take(self, sample: Sample, limit_ns: int | None = None) -> list[Window]:
        if self.watermark_ns is not None and sample.t_ns < self.watermark_ns:
            self._late += 1
            if sample.end_ns <= self.watermark_ns:
                return self._drop("late")
        if not self._keep(sample):
            return self._drop("duplicate")
        self.account.delivered += 1
        until_ns = _captured_until(sample)
        if limit_ns is not None:
            until_ns = min(until_ns, limit_ns)
        if self.seen_until_ns is None or until_ns > self.seen_until_ns:
            self.seen_until_ns = until_ns
        return self.raise_watermark(self.seen_until_ns - self.spec.lateness_ns)

    def raise_watermark(self, t_ns: int) -> list[Window]:
        """Stop waiting for anything older than `t_ns`; a lower value than before does nothing."""
        if self.watermark_ns is not None and t_ns <= self.watermark_ns:
            return []
        self.watermark_ns = t_ns
        return list(self._close(t_ns))

    def flush(self) -> list[Window]:
        """The stream has ended: close every window up to the one that holds its last instant."""
        closed: list[Window] = []
        if self._suspect is not None:
            # Nothing came that would contradict it.
            suspect, self._suspect = self._suspect, None
            closed = self._take(suspect)
        if self.seen_until_ns is None:
            return closed
        closed += self.raise_watermark(grid_after(self.seen_until_ns - 1, self.spec.hop_ns))
        self._samples.clear()
        return closed

    def count(self, cause: str, number: int) -> None:
        """Note a loss further down the line, so that the next window's quality card tells it."""
        self._dropped[cause] = self._dropped.get(cause, 0) + number

    def hand_on(self, quality: Quality) -> None:
        """The next card also tells what `quality` told of a window that nobody will see."""
        self._late += quality.late
        for cause, number in quality.dropped.items():
            self.count(cause, number)

    def _drop(self, cause: str) -> list[Window]:
        self.account.drop(cause)
        self.count(cause, 1)
        return []

    def _keep(self, sample: Sample) -> bool:
        """Insert in order of time. False: a sample with this stamp is already here."""
        kept = self._samples
        if not kept or sample.t_ns > kept[-1].t_ns:
            kept.append(sample)
            return True
        at = bisect_left(kept, sample.t_ns, key=_stamp)
        if kept[at].t_ns == sample.t_ns:
            return False
        insort(kept, sample, key=_stamp)
        self.backward += 1
        return True

    def _close(self, limit_ns: int) -> Iterator[Window]:
        """Windows with an end up to `limit_ns`; no such end is ever looked at again."""
        hop, length = self.spec.hop_ns, self.spec.length_ns
        while self._samples:
            # Jump over ends that no sample can reach, so that a long gap costs nothing.
            end = grid_after(self._samples[0].t_ns, hop)
            if self._next_end_ns is not None:
                end = max(end, self._next_end_ns)
            if end > limit_ns:
                break
            window = self._cut(Span(end - length, end))
            if window is not None:
                yield window
            self._forget(end + hop)
        self._forget(grid_after(limit_ns, hop))

    def _forget(self, next_end_ns: int) -> None:
        """Windows before this end are done; drop the samples that only they needed."""
        if self._next_end_ns is not None and next_end_ns <= self._next_end_ns:
            return
        self._next_end_ns = next_end_ns
        length = self.spec.length_ns
        before_ns = next_end_ns - length
        # A picture may claim to stand for hours; more than a window it is not needed for.
        self._samples = [
            s for s in self._samples if s.t_ns + min(s.duration_ns, length) > before_ns
        ]

    def _cut(self, span: Span) -> Window | None:
        upto = bisect_left(self._samples, span.end_ns, key=_stamp)
        start_ns = span.start_ns
        overlapping = [s for s in self._samples[:upto] if s.t_ns + s.duration_ns > start_ns]
        inside = tuple([part for s in overlapping if (part := _within(s, span)) is not None])
        if not inside:
            return None
        quality = assess(span, overlapping, late=self._late, dropped=self._take_dropped())
        self._late = 0
        return Window(self.spec.stream, self.spec.modality, span, inside, quality)

    def _take_dropped(self) -> Counts:
        taken, self._dropped = self._dropped, {}
        return taken


def _captured_until(sample: Sample) -> int:
    """The end of what was captured, from the data and not from the duration it claims.

    A picture was taken at an instant: the next may come before this one's period is over.
    """
    if isinstance(sample.data, AudioBlock):
        return sample.end_ns
    if isinstance(sample.data, ImuBlock) and len(sample.data.t_ns):
        return int(sample.data.t_ns[-1]) + 1
    return sample.t_ns + 1


def _stamp(sample: Sample) -> int:
    return sample.t_ns


def _within(sample: Sample, span: Span) -> Sample | None:
    """The part of a sample taken inside the span; blocks are cut without copying."""
    inside = span.start_ns <= sample.t_ns
    data = sample.data
    if not isinstance(data, AudioBlock | ImuBlock):
        return sample if inside else None
    if inside and sample.t_ns + sample.duration_ns <= span.end_ns:
        return sample
    if isinstance(data, AudioBlock):
        return _cut_audio(sample, data, span)
    return _cut_imu(sample, data, span)


def _cut_audio(sample: Sample, block: AudioBlock, span: Span) -> Sample | None:
    rate, count = block.rate_hz, len(block.samples)
    # The nearest sample to each edge. Stamps are rounded to a nanosecond, so rounding up would
    # now and then lose the sample that lies exactly on the edge.
    first = max(0, ((span.start_ns - sample.t_ns) * rate * 2 + NS_PER_S) // (2 * NS_PER_S))
    last = min(count, ((span.end_ns - sample.t_ns) * rate * 2 + NS_PER_S) // (2 * NS_PER_S))
    if first >= last:
        return None
    start_ns = sample.t_ns + (first * NS_PER_S + rate // 2) // rate
    end_ns = sample.t_ns + (last * NS_PER_S + rate // 2) // rate
    data = AudioBlock(block.samples[first:last], rate)
    return replace(sample, t_ns=start_ns, duration_ns=end_ns - start_ns, data=data)


def _cut_imu(sample: Sample, block: ImuBlock, span: Span) -> Sample | None:
    first, last = np.searchsorted(block.t_ns, (span.start_ns, span.end_ns)).tolist()
    if first >= last:
        return None
    data = ImuBlock(block.t_ns[first:last], block.values[first:last])
    start_ns = max(sample.t_ns, span.start_ns)
    end_ns = min(sample.end_ns, span.end_ns)
    return replace(sample, t_ns=start_ns, duration_ns=end_ns - start_ns, data=data)
