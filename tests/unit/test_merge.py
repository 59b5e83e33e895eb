"""The merge of file sources: by time, lossless, the same whatever is quicker."""

import asyncio
import random
from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from streamer.merge import merge
from streamer.types import Sample
from tests.doubles import frame


async def played(times: list[int], pauses: random.Random | None) -> AsyncIterator[Sample]:
    for t in times:
        if pauses is not None:
            for _ in range(pauses.randrange(3)):
                await asyncio.sleep(0)
        yield frame("s", t)


@given(
    st.lists(st.lists(st.integers(0, 50)).map(sorted), max_size=4),
    st.randoms(use_true_random=False),
)
def test_order_depends_on_the_samples_alone(
    sources: list[list[int]], pauses: random.Random
) -> None:
    async def collect(chance: random.Random | None) -> list[tuple[int, int | None]]:
        merged = merge([played(times, chance) for times in sources])
        return [(index, s.t_ns if s else None) async for index, s in merged]

    quick = asyncio.run(collect(None))
    assert asyncio.run(collect(pauses)) == quick
    stamps = [t for _, t in quick if t is not None]
    assert stamps == sorted(stamps)
    assert sorted(stamps) == sorted(t for times in sources for t in times)
    assert sorted(i for i, t in quick if t is None) == list(range(len(sources)))
