"""The simulated robot as a live source: on any clock, with faults, and through the engine."""

import asyncio
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError

from benchmarks.world import Hurried
from configs.schema import RunConfig
from encoders.noop import NoopEncoder
from sources.world.faults import Faults, Outage
from sources.world.source import World
from streamer.clock import SystemClock, VirtualClock
from streamer.pipeline import Pipeline
from streamer.protocols import Clock
from streamer.types import NS_PER_S, AudioBlock, ImuBlock, Sample, Truth, pixels
from tests.doubles import Collector

RATES = {"camera": 30, "microphone": 20, "depth": 30, "thermal": 9, "imu": 20}
MS = 1_000_000


async def play(world: World, clock: Clock) -> tuple[list[Sample | Truth], dict[str, object]]:
    """All that comes, and the accounts at the end."""
    async with world.open(clock) as running:
        items = [item async for item in running]
        return items, {name: a.report() for name, a in running.accounts.items()}


def samples(items: list[Sample | Truth]) -> list[Sample]:
    return [item for item in items if isinstance(item, Sample)]


def truths(items: list[Sample | Truth]) -> list[Truth]:
    return [item for item in items if isinstance(item, Truth)]


def content(sample: Sample) -> bytes:
    data = sample.data
    if isinstance(data, AudioBlock):
        return data.samples.tobytes()
    return data.values.tobytes() if isinstance(data, ImuBlock) else pixels(sample).tobytes()


async def test_every_sensor_gives_what_it_promises_at_its_rate() -> None:
    items, accounts = await play(World(seconds=1, imu_hz=400), Hurried())
    got = samples(items)

    assert Counter(s.stream for s in got) == RATES
    for name, rate in RATES.items():
        stamps = [s.t_ns for s in got if s.stream == name]
        assert stamps == [NS_PER_S + n * NS_PER_S // rate for n in range(rate)]
        assert accounts[name] == {"produced": rate, "delivered": rate, "dropped": {}, "pending": 0}
    first = {s.stream: s for s in got[::-1]}
    for name, shape, dtype in (
        ("camera", (480, 640, 3), np.uint8),
        ("depth", (192, 256), np.float32),
        ("thermal", (120, 160), np.float32),
    ):
        assert (pixels(first[name]).shape, pixels(first[name]).dtype) == (shape, dtype)
    sound, motion = first["microphone"].data, first["imu"].data
    assert isinstance(sound, AudioBlock)
    assert isinstance(motion, ImuBlock)
    assert (sound.samples.shape, sound.rate_hz) == ((800,), 16_000)
    assert motion.values.shape == (20, 6)
    assert int(motion.t_ns[0]) == first["imu"].t_ns


async def test_truths_join_and_tell_of_every_sense() -> None:
    told = truths((await play(World(seconds=0.75, camera=None, depth=None), Hurried()))[0])

    assert [t.stream for t in told] == ["truth"] * 8
    assert (told[0].span.start_ns, told[-1].span.end_ns) == (NS_PER_S, NS_PER_S + 750 * MS)
    assert all(a.span.end_ns == b.span.start_ns for a, b in pairwise(told))
    assert all(set(t.present) == {"audio", "thermal", "imu"} for t in told)


async def test_a_seed_and_a_time_give_the_same_bytes_at_any_pace() -> None:
    """Once hurried, once in real time, where a busy machine may have to skip some."""
    world = World(seed=7, seconds=0.4)
    hurried = samples((await play(world, Hurried()))[0])
    again = samples((await play(world, Hurried()))[0])
    async with world.open(SystemClock()) as running:
        start_ns = running.start_ns
        real = [item async for item in running if isinstance(item, Sample)]
        skipped = sum(sum(a.dropped.values()) for a in running.accounts.values())

    assert [content(s) for s in again] == [content(s) for s in hurried]
    expected = {(s.stream, s.t_ns - NS_PER_S): content(s) for s in hurried}
    assert len(expected) == len(hurried) == len(real) + skipped
    assert start_ns % NS_PER_S == 0
    assert real
    for sample in real:
        assert content(sample) == expected[sample.stream, sample.t_ns - start_ns]


async def test_other_seeds_give_other_bytes() -> None:
    first = [
        content(samples((await play(World(seed=seed, seconds=0.1), Hurried()))[0])[0])
        for seed in range(3)
    ]
    assert len(set(first)) == 3


async def test_nothing_comes_before_its_time() -> None:
    clock = VirtualClock(10 * NS_PER_S)
    async with World(camera=None, depth=None, thermal=None, truth=None).open(clock) as running:
        assert running.start_ns == 11 * NS_PER_S
        waiting = asyncio.ensure_future(anext(running))
        clock.advance_to(running.start_ns + 49 * MS)
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        assert not done
        clock.advance_to(running.start_ns + 50 * MS)
        first = await waiting
        assert isinstance(first, Sample)
        assert first.end_ns == clock.now_ns()


async def test_a_cancelled_wait_loses_nothing() -> None:
    clock = VirtualClock()
    async with World(seconds=0.2, camera=None, depth=None).open(clock) as running:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(running), 0.01)
        clock.advance_to(running.start_ns + NS_PER_S // 5)
        got = Counter([item.stream async for item in running])

    assert got == {"microphone": 4, "thermal": 1, "imu": 4, "truth": 2}


async def test_faults_take_away_and_delay_but_never_change() -> None:
    faults = Faults(
        jitter_ms=40,
        drop=0.3,
        skew_ppm=200,
        outages=(Outage(stream="imu", at_s=0.2, for_s=0.3),),
    )
    plain = World(seed=3, seconds=1, camera=None, depth=None)
    whole = samples((await play(plain, Hurried()))[0])
    items, accounts = await play(plain.model_copy(update={"faults": faults}), Hurried())
    got = samples(items)

    expected = {(s.stream, s.t_ns): content(s) for s in whole}
    assert all(content(s) == expected[s.stream, s.t_ns] for s in got)
    assert 0.4 * len(whole) < len(got) < 0.9 * len(whole)
    for name, rate in (("microphone", 20), ("thermal", 9), ("imu", 20)):
        came = [s.t_ns for s in got if s.stream == name]
        assert came == sorted(came)
        account = accounts[name]
        assert isinstance(account, dict)
        assert account["produced"] == rate
        assert account["delivered"] == len(came)
        assert account["pending"] == 0
        assert account["dropped"].get("outage", 0) == (6 if name == "imu" else 0)
    in_outage = [s for s in got if s.stream == "imu" and 1200 * MS <= s.t_ns < 1500 * MS]
    assert not in_outage
    assert len(truths(items)) == 10


async def test_a_world_that_loses_everything_ends_or_can_be_left() -> None:
    faults = Faults(drop=1)
    items, accounts = await play(World(seconds=1, truth=None, faults=faults), Hurried())
    assert not items
    assert accounts["camera"] == {
        "produced": 30, "delivered": 0, "dropped": {"lost": 30}, "pending": 0,
    }  # fmt: skip

    async with World(truth=None, faults=faults).open(SystemClock()) as running:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(running), 0.05)


async def test_a_machine_that_was_held_up_skips_and_goes_on_with_the_newest() -> None:
    clock = VirtualClock()
    async with World(microphone=None, imu=None, truth=None).open(clock) as running:
        clock.advance_to(running.start_ns)
        await anext(running)
        #  start        held up for ten minutes              now
        #    |...|- - - - - - - - - - - - - - - - - - - - - -|...
        now_ns = running.start_ns + 600 * NS_PER_S
        clock.advance_to(now_ns)
        old = 0
        async for sample in running:
            assert isinstance(sample, Sample)
            if sample.t_ns >= now_ns - 50 * MS:
                assert sample.t_ns <= now_ns
                break
            old += 1
        accounts = running.accounts.values()

        assert old <= 2 * 8  # what had been rendered before
        assert sum(a.produced for a in accounts) >= 599 * 69
        assert all(set(a.dropped) == {"overload"} for a in accounts)
        assert sum(a.delivered for a in accounts) == old + 2
        assert sum(a.pending for a in accounts) == 0


async def test_through_the_engine_windows_and_truths_come_out() -> None:
    config = RunConfig.model_validate(
        {
            "sources": [{"kind": "world", "seconds": 2, "camera": None, "depth": None}],
            "encoder": {"kind": "noop"},
            "labels": False,
            "windows": {
                "length_s": {"audio": 0.5, "thermal": 0.5, "imu": 0.5},
                "min_coverage": 0.1,
            },
        }
    )
    sink = Collector()
    with NoopEncoder().open(config.modalities, text=False) as encoder:
        await Pipeline(config.plan(), config.sources, encoder, [sink]).run(asyncio.Event())

    assert {e.stream for e in sink.embeddings} >= {"microphone", "thermal", "imu"}
    assert len(sink.truths) == 20
    start_ns = sink.truths[0].span.start_ns
    whole = [e for e in sink.embeddings if e.stream == "microphone" and e.quality.coverage == 1]
    # The world begins on a whole second, so windows on the grid are cut at the same places always.
    assert all((e.span.start_ns - start_ns) % (NS_PER_S // 2) == 0 for e in whole)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict.fromkeys(RATES), "expected at least one of camera"),
        ({"faults": {"outages": [{"stream": "nose", "at_s": 1, "for_s": 1}]}}, "got 'nose'"),
        ({"imu": None, "faults": {"outages": [{"stream": "imu", "at_s": 1, "for_s": 1}]}}, "'imu'"),
        ({"imu_hz": 300}, "200 or 400"),
        ({"fps": 30}, "Extra inputs"),
        ({"seconds": 0}, "greater than 0"),
    ],
)
def test_what_cannot_be_is_refused_by_name(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        World.model_validate(wrong)


def test_the_truth_takes_a_name_of_its_own() -> None:
    with pytest.raises(ValidationError, match="must be unique, got camera"):
        RunConfig.model_validate(
            {"sources": [{"kind": "world", "truth": "camera"}], "encoder": {"kind": "noop"}}
        )
