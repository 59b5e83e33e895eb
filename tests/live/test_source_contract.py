"""What every live source promises, held against every one there is.

It starts; stamps rise and lie in the past; what comes is what was declared, in the shape, type and
unit of `Sample`; it ends within 2 s when it is closed and leaves nothing; a process that is killed
or frozen is replaced; every sample is accounted for.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import get_args

import numpy as np
import pytest

from configs.schema import SourceConfig
from sources.isolated.process import Isolated
from streamer.clock import SystemClock
from streamer.protocols import Source
from streamer.types import (
    NS_PER_S,
    AudioBlock,
    ImuBlock,
    Sample,
    SourceStatus,
    pixels,
)
from tests.attending import Attended, attending
from tests.descriptors import descriptors
from tests.live_rigs import ISOLATED, RIGS, WITHOUT_A_KERNEL
from tests.puppet import children_of

SOON_S = 20.0
"""Long enough for a machine that is busy with other things."""

ENOUGH = 5
"""Samples of each stream, to look at."""


@pytest.fixture(scope="module", params=RIGS)
def source(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Source]:
    with RIGS[request.param](tmp_path_factory.mktemp("rig")) as source:
        yield source


of_isolated = pytest.mark.parametrize("source", ISOLATED, indirect=True)


@pytest.fixture(autouse=True)
def no_descriptor_left(source: Source) -> Iterator[None]:
    del source  # what it needs is open before
    before = descriptors()
    yield
    assert descriptors() == before


async def first_samples(source: Source) -> tuple[dict[str, list[Sample]], float, object]:
    """Some of each stream; how long the close took; and what was open."""
    clock, loop = SystemClock(), asyncio.get_running_loop()
    found: dict[str, list[Sample]] = defaultdict(list)
    taken: Counter[str] = Counter()
    wanted = {info.name for info in source.streams}
    opened_ns = clock.now_ns()
    async with source.open(clock) as samples, asyncio.timeout(SOON_S):
        async for item in samples:
            if not isinstance(item, Sample):
                continue
            taken[item.stream] += 1
            found[item.stream].append(item)
            assert item.t_ns <= clock.now_ns(), "from the future"
            assert item.t_ns > opened_ns - 5 * NS_PER_S, "from long before it was opened"
            if all(taken[name] >= ENOUGH for name in wanted):
                break
        closing_s = loop.time()
    return found, loop.time() - closing_s, samples


async def test_a_source_gives_what_it_declares(source: Source) -> None:
    assert source.live
    found, closed_s, samples = await first_samples(source)
    assert {s.stream: s.modality for some in found.values() for s in some} == {
        info.name: info.modality for info in source.streams
    }
    for some in found.values():
        stamps = [sample.t_ns for sample in some]
        assert stamps == sorted(set(stamps)), "stamps rise"
        for sample in some:
            assert 0 < sample.duration_ns < 2 * NS_PER_S
            assert sample.clock.domain
            assert 0 <= sample.clock.error_ns < NS_PER_S
            check(sample)
    assert closed_s < 2.0
    if isinstance(samples, Isolated):
        for name, account in samples.accounts.items():
            assert account.pending == 0
            assert account.delivered == len(found[name])
        assert children_of(source.streams[0].name) == []


def check(sample: Sample) -> None:
    """The data is what `Sample` says for the modality."""
    data = sample.data
    match sample.modality:
        case "audio":
            assert isinstance(data, AudioBlock)
            assert data.samples.dtype == np.float32
            assert data.samples.ndim == 1
            assert abs(len(data.samples) * NS_PER_S / data.rate_hz - sample.duration_ns) < 1e6
            assert np.abs(data.samples).max() <= 1
        case "imu":
            assert isinstance(data, ImuBlock)
            assert data.values.dtype == np.float32
            assert data.values.shape == (len(data.t_ns), 6)
            assert data.t_ns.dtype == np.int64
            assert (np.diff(data.t_ns) >= 0).all()
            assert data.t_ns[0] >= sample.t_ns
            assert data.t_ns[-1] < sample.end_ns
            # m/s^2 and rad/s: no g, no degrees, on a robot that does not crash.
            assert np.abs(data.values[:, :3]).max() < 160
            assert np.abs(data.values[:, 3:]).max() < 40
        case "vision":
            picture = pixels(sample)
            assert picture.dtype == np.uint8
            assert picture.ndim == 3
            assert picture.shape[2] == 3
        case "depth":
            picture = pixels(sample)
            assert picture.dtype == np.float32
            assert picture.ndim == 2
            assert 0 <= picture.min() <= picture.max() < 100, "metres"
        case "thermal":
            picture = pixels(sample)
            assert picture.ndim == 2
            assert picture.dtype in (np.uint8, np.float32)
            if picture.dtype == np.float32:
                assert -60 < picture.min() <= picture.max() < 1000, "degrees Celsius"


async def test_a_source_can_be_opened_again_at_once(source: Source) -> None:
    for _ in range(2):
        async with source.open(SystemClock()) as samples, asyncio.timeout(SOON_S):
            await anext(samples)


async def test_a_source_can_be_closed_before_anything_came(source: Source) -> None:
    loop = asyncio.get_running_loop()
    async with source.open(SystemClock()):
        closing_s = loop.time()
    assert loop.time() - closing_s < 2.0


@pytest.mark.slow
@of_isolated
async def test_a_process_that_is_killed_or_frozen_is_replaced(source: Source) -> None:
    name = source.streams[0].name
    async with attending(source) as seen:
        await seen.until_more(2)
        for harm, state in (("kill", "offline"), ("suspend", "stalled")):
            [child] = children_of(name)
            told = len(changes(seen, name))
            getattr(child, harm)()
            await seen.until(lambda told=told: len(changes(seen, name)) >= told + 2)
            assert [s.state for s in changes(seen, name)][told:] == [state, "online"]
            await seen.until_more(2)
            assert not child.is_running()
    totals = seen.ledgers.totals
    assert set(totals) == {info.name for info in source.streams}
    assert sum(account.delivered for account in totals.values()) == seen.count


def changes(seen: Attended, stream: str) -> list[SourceStatus]:
    """Of its state: a remark, or drops that are told with the same state again, are none."""
    found: list[SourceStatus] = []
    for _, status in seen.states:
        if status.stream == stream and (not found or status.state != found[-1].state):
            found.append(status)
    return found


@pytest.mark.slow
@of_isolated
async def test_what_nobody_reads_for_a_second_is_bounded_and_counted(source: Source) -> None:
    taken: Counter[str] = Counter()
    async with source.open(SystemClock()) as samples, asyncio.timeout(SOON_S):
        async for item in samples:
            if isinstance(item, Sample):
                taken[item.stream] += 1
                if taken.total() == 3:
                    await asyncio.sleep(1)
                if taken.total() == 20:
                    break
    assert isinstance(samples, Isolated)
    for stream, account in samples.accounts.items():
        assert account.pending == 0
        assert account.delivered == taken[stream]


def test_every_live_kind_is_held_to_the_contract() -> None:
    union, *_ = get_args(SourceConfig)
    kinds = {kind.model_fields["kind"].default for kind in get_args(union)}
    files = {"demo_clip", "media", "pictures", "imu_csv", "replay"}
    held = {name.split(" ")[0] for name in RIGS} - {"puppet"}
    assert held | files | WITHOUT_A_KERNEL == kinds
