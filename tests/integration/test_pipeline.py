"""The engine with scripted sources: file runs lose nothing, live runs drop whole ticks."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.clock import SystemClock
from streamer.errors import EncoderFailed, SourceLost
from streamer.pipeline import Pipeline
from streamer.plan import Plan
from streamer.protocols import Clock, OpenEncoder, Source
from streamer.types import NS_PER_S, Health, Message, Sample, Truth, Window
from tests.doubles import MS, Collector, GatedEncoder, ScriptedSource, frame

PLAN = Plan(
    hop_ns=100 * MS,
    lengths_ns={"vision": 400 * MS},
    lateness_ns=20 * MS,
    idle_ns=100 * MS,
    min_coverage=0.25,
)


def pipeline(sources: list[Source], encoder: OpenEncoder, sink: Collector) -> Pipeline:
    return Pipeline(PLAN, sources, encoder, [sink])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the engine has no event for a test to wait on
            await asyncio.sleep(0.01)


def file(stream: str, start_ms: int, stop_ms: int) -> ScriptedSource:
    samples = [frame(stream, t * MS, 20 * MS) for t in range(start_ms, stop_ms, 20)]
    return ScriptedSource(stream, [samples])


async def test_a_file_run_loses_nothing_and_drains_its_end() -> None:
    # a  0 ......................... 1000
    # b        200 ........ 600
    sink, encoder = Collector(), GatedEncoder()
    run = pipeline([file("a", 0, 1000), file("b", 200, 600)], encoder, sink)
    await run.run(asyncio.Event())
    assert sink.ends("a") == [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]
    assert sink.ends("b") == [300, 400, 500, 600]
    assert sink.ends("fused") == sink.ends("a")
    assert encoder.batches[2] == [("a", 300), ("b", 300)], "all windows of one end, one batch"
    report = run.report()
    assert report["ticks"] == {"produced": 10, "delivered": 10, "dropped": {}, "pending": 0}
    assert report["streams"]["b"]["samples"]["delivered"] == 20
    assert [s for s in sink.states if s[0] == "b"] == [
        ("b", "online", ""),
        ("b", "offline", "ended"),
    ]


async def test_order_of_publishing_is_that_of_the_ends() -> None:
    sink = Collector()
    await pipeline([file("a", 0, 600), file("b", 0, 600)], GatedEncoder(), sink).run(
        asyncio.Event()
    )
    ends = [e.span.end_ns for e in sink.embeddings]
    assert ends == sorted(ends)


async def test_the_ledger_tells_the_stages_in_order() -> None:
    sink = Collector()
    await pipeline([file("a", 0, 300)], GatedEncoder(), sink).run(asyncio.Event())
    for embedding in sink.embeddings:
        ledger = embedding.ledger
        stages = [
            ledger.closed_ns,
            ledger.encode_started_ns,
            ledger.encoded_ns,
            ledger.published_ns,
        ]
        assert all(stages)
        assert stages == sorted(stages)
        assert ledger.capture_ns <= embedding.span.end_ns


async def test_a_fused_embedding_names_who_is_missing_and_why() -> None:
    sink = Collector()
    await pipeline([file("a", 0, 1000), file("b", 0, 100)], GatedEncoder(), sink).run(
        asyncio.Event()
    )
    last = [e for e in sink.embeddings if e.stream == "fused"][-1]
    assert last.quality.contributors == ("a",)
    assert last.quality.absent == {"b": "ended"}


async def test_a_file_that_starts_much_later_holds_nobody_up() -> None:
    """The early stream's windows are published while it still runs, not at its end."""
    late = file("late", 3_600_000, 3_601_000)
    sink = Collector()
    published: list[int] = []

    class Early(ScriptedSource):
        async def _play(self, clock: Clock, life: int) -> AsyncGenerator[Sample | Truth, None]:
            async for sample in super()._play(clock, life):
                published.append(len(sink.ends("early")))
                yield sample

    early = Early("early", file("early", 0, 30_000).lives)
    await pipeline([early, late], GatedEncoder(), sink).run(asyncio.Event())
    assert published[-1] >= 190, "at 30 s, all but the last 10 s are out"
    assert len(sink.ends("early")) == 300
    assert len(sink.ends("late")) == 10
    seen = [e.stream for e in sink.embeddings if e.stream != "fused"]
    assert seen == ["early"] * 300 + ["late"] * 10


async def test_one_wrong_year_in_one_file_costs_one_sample() -> None:
    wrong = [*file("a", 0, 1000).lives[0], *file("a", 1000, 2000).lives[0]]
    wrong.insert(50, frame("a", 76 * 365 * 24 * 3600 * NS_PER_S, 20 * MS))
    sources: list[Source] = [ScriptedSource("a", [wrong]), file("b", 0, 20_000)]
    sink = Collector()
    run = pipeline(sources, GatedEncoder(), sink)
    await run.run(asyncio.Event())
    assert sink.ends("a") == list(range(100, 2100, 100))
    assert run.report()["streams"]["a"]["samples"]["dropped"] == {"future": 1}
    assert run.report()["streams"]["b"]["samples"]["dropped"] == {}


def live_source(stream: str, clock: SystemClock, seconds: float) -> ScriptedSource:
    start = clock.now_ns()
    samples = [frame(stream, start + n * 20 * MS, 20 * MS) for n in range(round(seconds * 50))]
    return ScriptedSource(stream, [samples], live=True)


async def test_under_overload_whole_ticks_are_dropped_and_no_stream_starves() -> None:
    # The encoder is held while 1 s of ticks arrives, then let go.
    clock = SystemClock()
    gate = threading.Event()
    encoder, sink = GatedEncoder(lambda: gate.wait(20)), Collector()
    sources: list[Source] = [live_source(name, clock, 1.5) for name in "ab"]
    run = Pipeline(PLAN, sources, encoder, [sink], clock=clock)
    running = asyncio.create_task(run.run(asyncio.Event()))
    await until(lambda: run.ticks.produced >= 8)
    assert run.ticks.dropped["overload"] >= 6
    assert run.ticks.pending == 1, "one tick waits, however long the encoder is busy"
    gate.set()
    await running
    report = run.report()["ticks"]
    assert report["pending"] == 0
    assert report["produced"] == report["delivered"] + report["dropped"]["overload"]
    assert sink.ends("a")[1:-1] == sink.ends("b")[1:-1], "whole ticks: nobody starves"
    of_a = [e for e in sink.embeddings if e.stream == "a"]
    told = sum(e.quality.dropped.get("window_overload", 0) for e in of_a)
    assert told == report["dropped"]["overload"], "every loss is told on a later card"


async def test_killing_one_source_leaves_the_others_within_lateness_and_a_hop() -> None:
    clock = SystemClock()
    sink = Collector()
    dying = live_source("b", clock, 0.5)
    dying.hold = True
    run = Pipeline(PLAN, [live_source("a", clock, 2.0), dying], GatedEncoder(), [sink], clock=clock)
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(2.2, stop.set)
    await run.run(stop)
    ends = sink.ends("a")
    assert ends == list(range(ends[0], ends[-1] + 100, 100)), "not one end is missing"
    assert len(ends) >= 19
    bound = PLAN.lateness_ns + PLAN.idle_ns + 100 * MS  # and this machine's own delays
    late = [e.ledger.published_ns - e.span.end_ns for e in sink.embeddings if e.stream == "a"]
    assert max(late) < bound


async def test_stop_drains_what_is_under_way() -> None:
    clock = SystemClock()
    sink = Collector()
    source = live_source("a", clock, 60)
    stop = asyncio.Event()
    run = Pipeline(PLAN, [source], GatedEncoder(), [sink], clock=clock)
    running = asyncio.create_task(run.run(stop))
    await until(lambda: len(sink.ends("a")) >= 3)
    stop.set()
    await running
    assert run.ticks.pending == 0
    assert isinstance(sink.messages[-1], Health)


class Slow(GatedEncoder):
    """Takes its time, so that ticks pile up behind it."""

    def encode(self, windows: Sequence[Window]) -> NDArray[np.float32]:
        threading.Event().wait(0.03)
        return super().encode(windows)


async def test_a_file_run_that_is_stopped_publishes_every_window_that_had_closed() -> None:
    sink, stop = Collector(), asyncio.Event()
    run = pipeline([file("a", 0, 600_000)], Slow(), sink)
    running = asyncio.create_task(run.run(stop))
    await until(lambda: len(sink.ends("a")) >= 8)
    stop.set()
    await running
    ends = sink.ends("a")
    assert ends == list(range(100, ends[-1] + 100, 100)), "none is missing in between"
    report = run.report()
    assert report["ticks"]["pending"] == report["embeddings"]["pending"] == 0
    assert report["embeddings"]["delivered"] == 2 * len(ends)
    assert ("a", "offline", "stopped") in sink.states


class Stuck(Collector):
    """A sink that takes a few messages and then blocks for ever."""

    async def publish(self, message: Message) -> None:
        if len(self.messages) >= 5:
            await asyncio.Event().wait()
        await super().publish(message)


async def test_a_stopped_run_does_not_wait_for_a_sink_that_blocks() -> None:
    sink, stop = Stuck(), asyncio.Event()
    plan = replace(PLAN, drain_s=0.2)
    run = Pipeline(plan, [file("a", 0, 600_000)], GatedEncoder(), [sink])
    running = asyncio.create_task(run.run(stop))
    await until(lambda: len(sink.messages) >= 5)
    stop.set()
    async with asyncio.timeout(10):
        await running
    report = run.report()
    for account in (report["ticks"], report["embeddings"]):
        dropped = sum(account["dropped"].values())
        assert account["produced"] == account["delivered"] + dropped
        assert account["pending"] == 0
    assert set(report["embeddings"]["dropped"]) == {"stopped"}
    assert report["ticks"]["dropped"]["stopped"] >= 2, "in the channel, and on its way there"


async def test_an_error_is_told_while_the_encoder_is_busy() -> None:
    gate = threading.Event()
    broken = ScriptedSource("x", [[frame("x", t * 20 * MS, 20 * MS) for t in range(12)], []])
    run = pipeline([broken], GatedEncoder(lambda: gate.wait(20)), Collector())
    try:
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.timeout(5):
                await run.run(asyncio.Event())
        assert caught.group_contains(SourceLost)
    finally:
        gate.set()


async def test_weights_reach_fusion_and_tombstones_the_report() -> None:
    sink = Collector()
    plan = replace(PLAN, weights={"vision": 0.0})
    sources: list[Source] = [file("a", 0, 1000), file("b", 0, 100)]
    run = Pipeline(plan, sources, GatedEncoder(), [sink])
    await run.run(asyncio.Event())
    assert sink.ends("fused") == [], "a weight of 0 leaves the modality out"
    report = run.report()
    assert report["streams"]["b"]["absent"] == {"ended": 9}
    assert report["streams"]["a"]["absent"] == {}
    latency = report["latency"]
    assert latency["encode"]["n"] == latency["wait"]["n"] == 10, "once a tick"
    assert latency["closed_to_published"]["n"] == 11, "once an embedding"


async def test_a_live_source_that_ends_by_itself_holds_nobody() -> None:
    clock = SystemClock()
    sink = Collector()
    sources: list[Source] = [live_source("a", clock, 1.0), live_source("b", clock, 0.3)]
    await Pipeline(PLAN, sources, GatedEncoder(), [sink], clock=clock).run(asyncio.Event())
    assert sink.states.count(("b", "offline", "ended")) == 1
    assert ("b", "offline", "stopped") not in sink.states
    fused = [e.quality.absent for e in sink.embeddings if e.stream == "fused"]
    assert fused[-4] == {"b": "ended"}, "known while the other still runs, not only at the end"


async def test_a_damaged_file_ends_the_run_with_its_error() -> None:
    broken = ScriptedSource("x", [[frame("x", 0)], []])
    with pytest.raises(ExceptionGroup) as caught:
        await pipeline([broken], GatedEncoder(), Collector()).run(asyncio.Event())
    assert caught.group_contains(SourceLost, match="life 1 is over")


async def test_a_failing_encoder_ends_the_run_with_its_error() -> None:
    def fail() -> None:
        raise EncoderFailed("the device is gone")

    with pytest.raises(ExceptionGroup) as caught:
        await pipeline([file("a", 0, 5000)], GatedEncoder(fail), Collector()).run(asyncio.Event())
    assert caught.group_contains(EncoderFailed, match="the device is gone")


async def test_health_is_said_while_running_and_at_the_end() -> None:
    clock = SystemClock()
    sink = Collector()
    plan = replace(PLAN, health_ns=NS_PER_S // 5)
    await Pipeline(plan, [live_source("a", clock, 0.7)], GatedEncoder(), [sink], clock=clock).run(
        asyncio.Event()
    )
    reports = [m.report for m in sink.messages if isinstance(m, Health)]
    assert len(reports) >= 3
    assert reports[-1]["streams"]["a"]["samples"]["pending"] == 0
    assert 30 <= reports[1]["samples_hz"]["a"] <= 70, "50 frames a second"
    assert 5 <= reports[1]["embeddings_hz"]["a"] <= 15
    assert -50 <= reports[1]["ages_ms"]["a"] <= 200
    assert reports[1]["sinks"] == [sink_report(reports[1])]
    assert reports[1]["memory_mb"] > 10


def sink_report(health: Mapping[str, Any]) -> dict[str, Any]:
    """All that had been published when the report was made was delivered."""
    delivered = health["sinks"][0]["delivered"]
    return {"produced": delivered, "delivered": delivered, "dropped": {}, "pending": 0}


def test_samples_of_a_stream_nobody_declared_are_a_bug() -> None:
    async def go() -> None:
        stray: list[Sample] = [frame("other", 0)]
        source = ScriptedSource("a", [stray])
        await pipeline([source], GatedEncoder(), Collector()).run(asyncio.Event())

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(go())
    assert caught.group_contains(KeyError)
