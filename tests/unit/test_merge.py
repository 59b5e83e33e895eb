"""The merge of file sources: by time, lossless, the same whatever is quicker."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from streamer.events import Event
from streamer.merge import merge
from streamer.types import Sample, Span, Truth
from streamer.windows import LEAP_NS
from tests.doubles import frame


def start(item: Sample | Truth | Event) -> int:
    if isinstance(item, Truth):
        return item.span.start_ns
    return item.t_ns if isinstance(item, Sample) else item.now_ns


async def given_as(items: Sequence[Sample | Truth]) -> AsyncIterator[Sample | Truth]:
    for item in items:
        yield item


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
        return [(index, None if s is None else start(s)) async for index, s in merged]

    quick = asyncio.run(collect(None))
    assert asyncio.run(collect(pauses)) == quick
    stamps = [t for _, t in quick if t is not None]
    assert stamps == sorted(stamps)
    assert sorted(stamps) == sorted(t for times in sources for t in times)
    assert sorted(i for i, t in quick if t is None) == list(range(len(sources)))


def told(start_ns: int) -> Truth:
    return Truth("truth", Span(start_ns, start_ns + 8), {})


async def test_a_truth_comes_when_its_span_begins() -> None:
    knowing = [told(0), frame("s", 0), frame("s", 10), told(20), frame("s", 20)]
    plain = [frame("p", t) for t in (0, 5, 15, 20, 25)]
    merged = merge([given_as(plain), given_as(knowing)])
    order = [item for _, item in [each async for each in merged] if item is not None]
    assert [i for i, item in enumerate(order) if isinstance(item, Truth)] == [1, 7]
    assert [start(item) for item in order] == [0, 0, 0, 5, 10, 15, 20, 20, 20, 25]


async def test_a_truth_from_another_year_holds_nobody_and_moves_no_sample() -> None:
    far = 100 * LEAP_NS
    merged = merge(
        [given_as([frame("s", 0), told(far), frame("s", 10)]), given_as([frame("p", 5)])]
    )
    order = [start(item) for _, item in [each async for each in merged] if item is not None]
    assert order == [0, far, 5, 10]


async def test_whether_a_sample_leaps_is_judged_by_the_sample_before() -> None:
    near, on_the_way, leap = (LEAP_NS * tenths // 10 for tenths in (9, 12, 15))
    knowing = [frame("s", 0), told(near), frame("s", leap)]
    merged = merge([given_as(knowing), given_as([frame("p", on_the_way)])])
    order = [start(item) for _, item in [each async for each in merged] if item is not None]
    assert order == [0, near, leap, on_the_way]
