"""A log over and over: each pass later than the one before by one and the same time. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from streamer.events import Arrived, Ended, Event
from streamer.types import NS_PER_S, ImuBlock, Sample, Span, Truth

FURTHEST_NS = 10 * NS_PER_S
"""How long before its arrival the first sample may have been taken; more is a wrong stamp."""


def again(passes: Callable[[], Iterator[Event | Truth]], hop_ns: int) -> Iterator[Event | Truth]:
    """Passes of a log for ever; ends only where there is nothing in it.

    They lie a whole number of hops apart, so that windows of each pass cut the same moments, and
    far enough that no stamp comes twice. No stream ends: it comes again.
    """
    shift_ns = period_ns = 0
    while True:
        first_ns: int | None = None
        last_ns = 0
        for item in passes():
            if isinstance(item, Ended):
                continue
            if not isinstance(item, Truth):
                begin_ns = end_ns = item.now_ns
                if isinstance(item, Arrived):
                    begin_ns = max(begin_ns - FURTHEST_NS, min(begin_ns, item.sample.t_ns))
                    if not item.live:  # it came when it began
                        end_ns = min(end_ns + FURTHEST_NS, max(end_ns, item.sample.end_ns))
                first_ns = begin_ns if first_ns is None else min(first_ns, begin_ns)
                last_ns = max(last_ns, end_ns)
            yield shifted(item, shift_ns)
        if first_ns is None:
            return
        # Known after the first pass, and the same for all: the log does not change.
        period_ns = period_ns or -(-(last_ns - first_ns + 1) // hop_ns) * hop_ns
        shift_ns += period_ns


def shifted(item: Event | Truth, by_ns: int) -> Event | Truth:
    """The same, so much later."""
    if isinstance(item, Truth):
        span = item.span
        return replace(item, span=Span(span.start_ns + by_ns, span.end_ns + by_ns))
    if isinstance(item, Arrived):
        return replace(item, now_ns=item.now_ns + by_ns, sample=_sample(item.sample, by_ns))
    return replace(item, now_ns=item.now_ns + by_ns)


def _sample(sample: Sample, by_ns: int) -> Sample:
    data = sample.data
    if isinstance(data, ImuBlock):
        data = ImuBlock(data.t_ns + by_ns, data.values)
    return replace(sample, t_ns=sample.t_ns + by_ns, data=data)
