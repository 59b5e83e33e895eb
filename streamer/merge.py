"""Merges sources in order of time, for files and replay: lossless and the same at any speed."""

import heapq
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from streamer.events import Event
from streamer.types import Condition, Sample, Truth
from streamer.windows import LEAP_NS


async def merge(
    sources: Sequence[AsyncIterator[Sample | Truth | Condition | Event]],
) -> AsyncGenerator[tuple[int, Sample | Truth | Event | None], None]:
    """Yield (index of the source, sample), the earliest `t_ns` first; ties by index.

    The time of a truth is the start of its span, that of an event the clock of its run; one source
    alone keeps its order, whatever the stamps. Conditions have none and are left out: what a
    device says of itself is of the moment.

    The order depends on the samples alone, never on which source was quicker. A leap ahead comes
    at once, because it may be a lie, and all that is behind it would wait until the others have
    ended; the windower holds it until the next sample confirms it. At the end of a source comes
    (index, None) once. Only one sample of each source is held.
    """
    heads: list[tuple[int, int, Sample | Truth | Event]] = []
    last_ns: dict[int, int] = {}

    async def fetch(index: int) -> bool:
        async for sample in sources[index]:
            if isinstance(sample, Condition):
                continue
            t_ns = _time_ns(sample)
            last = last_ns.get(index, t_ns)
            leaps = t_ns > last + LEAP_NS
            heapq.heappush(heads, (last if leaps else t_ns, index, sample))
            if isinstance(sample, Sample):
                last_ns[index] = t_ns
            return True
        return False

    for index in range(len(sources)):
        if not await fetch(index):
            yield index, None
    while heads:
        _, index, sample = heapq.heappop(heads)
        yield index, sample
        if not await fetch(index):
            yield index, None


def _time_ns(item: Sample | Truth | Event) -> int:
    if isinstance(item, Sample):
        return item.t_ns
    return item.span.start_ns if isinstance(item, Truth) else item.now_ns
