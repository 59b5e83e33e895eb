"""Merges sources in order of time, for files and replay: lossless and the same at any speed."""

import heapq
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from streamer.types import Sample


async def merge(
    sources: Sequence[AsyncIterator[Sample]],
) -> AsyncGenerator[tuple[int, Sample | None], None]:
    """Yield (index of the source, sample), the earliest `t_ns` first; ties by index.

    The order depends on the samples alone, never on which source was quicker. At the end of a
    source comes (index, None) once. Only one sample of each source is held.
    """
    heads: list[tuple[int, int, Sample]] = []

    async def fetch(index: int) -> bool:
        async for sample in sources[index]:
            heapq.heappush(heads, (sample.t_ns, index, sample))
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
