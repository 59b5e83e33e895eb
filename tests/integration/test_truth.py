"""Ground truth: from a source to the sinks as it is, past windows and encoder, and counted."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from sinks.mqtt.sink import MqttSink
from sinks.mqtt.subscribe import Heard, Subscriber
from sinks.wire.reports import TruthReport
from sinks.wire.topics import Topics
from streamer.clock import SystemClock
from streamer.pipeline import Pipeline
from streamer.plan import Plan
from streamer.protocols import Source
from streamer.types import Health, Message, Sample, Span, Truth
from tests.doubles import MS, Collector, GatedEncoder, ScriptedSource, frame
from tests.messages import truth
from tests.mosquitto import mosquitto

PLAN = Plan(
    hop_ns=100 * MS,
    lengths_ns={"vision": 400 * MS},
    lateness_ns=20 * MS,
    idle_ns=100 * MS,
    min_coverage=0.25,
)
NOTHING_LOST = {"dropped": {}, "pending": 0}


def scene(number: int, begin_ns: int = 0, stream: str = "truth") -> Truth:
    """The `number`-th scene of 200 ms."""
    start_ns = begin_ns + number * 200 * MS
    return Truth(stream, Span(start_ns, start_ns + 200 * MS), {"vision": (f"scene {number}",)})


def filmed(stream: str, scenes: int, begin_ns: int = 0) -> list[Sample | Truth]:
    """Ten frames a scene, each scene's truth before them."""
    items: list[Sample | Truth] = []
    for number in range(scenes):
        items.append(scene(number, begin_ns, f"{stream}-truth"))
        start_ns = begin_ns + number * 200 * MS
        items += [frame(stream, start_ns + n * 20 * MS, 20 * MS) for n in range(10)]
    return items


async def run(sources: list[Source], sink: Collector) -> Pipeline:
    pipeline = Pipeline(PLAN, sources, GatedEncoder(), [sink])
    await pipeline.run(asyncio.Event())
    return pipeline


async def test_files_tell_every_truth_unchanged_and_in_order_of_time() -> None:
    sink = Collector()
    films = [filmed(name, 5) for name in "ab"]
    pipeline = await run(
        [ScriptedSource(name, [f]) for name, f in zip("ab", films, strict=True)], sink
    )
    assert [t.stream for t in sink.truths] == ["a-truth", "b-truth"] * 5
    sent = [item for film in films for item in film if isinstance(item, Truth)]
    assert all(any(told is item for item in sent) for told in sink.truths), "the very same"
    assert pipeline.report()["truths"] == {"produced": 10, "delivered": 10, **NOTHING_LOST}
    # And the rest of the run is as if nobody had told anything.
    silent = Collector()
    mute = [[item for item in film if isinstance(item, Sample)] for film in films]
    without = await run([ScriptedSource(n, [f]) for n, f in zip("ab", mute, strict=True)], silent)
    assert sink.ends("a") == silent.ends("a")
    for key in ("streams", "ticks", "embeddings"):
        assert pipeline.report()[key] == without.report()[key]
    assert without.report()["truths"] == {"produced": 0, "delivered": 0, **NOTHING_LOST}


async def test_a_live_run_tells_truths_when_they_come() -> None:
    clock, sink = SystemClock(), Collector()
    source = ScriptedSource("a", [filmed("a", 4, clock.now_ns())], live=True)
    pipeline = Pipeline(PLAN, [source], GatedEncoder(), [sink], clock=clock)
    await pipeline.run(asyncio.Event())
    assert [t.present["vision"] for t in sink.truths] == [(f"scene {n}",) for n in range(4)]
    assert pipeline.report()["truths"]["delivered"] == 4
    kinds = [type(m) for m in sink.messages]
    assert kinds.index(Truth) < len(kinds) / 3, "not held until the end"
    last = [m for m in sink.messages if isinstance(m, Health)][-1]
    assert last.report["truths"]["delivered"] == 4


class Blocked(Collector):
    """Takes two truths and then none."""

    async def publish(self, message: Message) -> None:
        if isinstance(message, Truth) and len(self.truths) == 2:
            await asyncio.Event().wait()
        await super().publish(message)


async def test_a_truth_that_a_stopped_run_did_not_deliver_is_counted() -> None:
    sink, stop = Blocked(), asyncio.Event()
    pipeline = Pipeline(
        replace(PLAN, drain_s=0.2), [ScriptedSource("a", [filmed("a", 50)])], GatedEncoder(), [sink]
    )
    running = asyncio.create_task(pipeline.run(stop))
    async with asyncio.timeout(10):
        while pipeline.truths.pending == 0:  # noqa: ASYNC110 - the engine has no event for it
            await asyncio.sleep(0.01)
        stop.set()
        await running
    dropped = {"stopped": 1}
    said = {"produced": 3, "delivered": 2, "dropped": dropped, "pending": 0}
    assert pipeline.report()["truths"] == said


async def heard(
    subscriber: Subscriber, done: Callable[[Sequence[Heard]], bool], connected: asyncio.Event
) -> list[Heard]:
    everything: list[Heard] = []
    async for message in subscriber.messages():
        everything.append(message)
        connected.set()
        if done(everything):
            break
    return everything


@pytest.mark.parametrize("lossless", [False, True])
async def test_a_subscriber_hears_truths_decoded_and_in_sequence(
    tmp_path: Path, lossless: bool
) -> None:
    async with mosquitto(tmp_path) as broker:
        settings = MqttSink(port=broker.port)
        subscriber = Subscriber(await settings.endpoint(), Topics("streamer", "+"))
        connected = asyncio.Event()
        async with settings.open(SystemClock(), lossless=lossless) as sink:

            def enough(found: Sequence[Heard]) -> bool:
                return sum(isinstance(each.content, TruthReport) for each in found) == 3

            hearing = asyncio.create_task(heard(subscriber, enough, connected))
            # The retained status of the robot is the first thing to be heard.
            await asyncio.wait_for(connected.wait(), 10)
            for number in range(3):
                await sink.publish(truth(number))
            found = await asyncio.wait_for(hearing, 10)
    told = [each.content for each in found if isinstance(each.content, TruthReport)]
    assert [each.seq for each in told] == [0, 1, 2]
    assert told[1].t0 == truth(1).span.start_ns // 1000
    assert told[0].present == {
        "vision": ["a dog barking", "a kettle boiling"],
        "audio": ["a dog barking"],
        "imu": [],
    }
    continuity = subscriber.continuity["streamer/v1/robot/truth/truth"]
    assert (continuity.received, continuity.missing, subscriber.malformed) == (3, 0, 0)
