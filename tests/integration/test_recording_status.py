"""What sinks hear of a recording, and that what goes wrong in it ends what it should."""

import asyncio
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from configs.record import part
from configs.schema import RunConfig
from encoders.noop import NoopEncoder
from sinks.mcap.file import McapFile
from sinks.mqtt.sink import MqttSink
from sinks.mqtt.subscribe import Heard, Subscriber
from sinks.wire.reports import RecordingReport
from sinks.wire.topics import Topics
from sources.recording.about import About
from sources.recording.format import SESSION
from sources.recording.parts import NEVER, Rotation
from sources.recording.recorder import Recorder
from streamer.cli import session
from streamer.cli.recorder import recording
from streamer.clock import SystemClock
from streamer.events import Arrived, Passed
from streamer.logfile import LogFile
from streamer.plan import Plan
from streamer.types import MODALITIES, NS_PER_S, Message, RecordingStatus, Sample, StreamInfo
from tests.disks import BrokenFile, FullFile, chunks_of, metadata
from tests.doubles import Collector
from tests.messages import recording_status
from tests.mosquitto import mosquitto

CLOCK = SystemClock()


def recorder(open_file: Callable[[], LogFile], rotation: Rotation = NEVER) -> Recorder:
    plan = Plan(
        hop_ns=NS_PER_S,
        lengths_ns=dict.fromkeys(MODALITIES, NS_PER_S),
        lateness_ns=0,
        idle_ns=NS_PER_S,
        min_coverage=0.5,
    )
    about = About(live=True, streams=(StreamInfo("cam", "vision"),), plan=plan, started_ns=0)
    return Recorder(about, open_file, rotation=rotation)


async def pass_time(keep: Recorder, until: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        for second in count(1):
            keep.heard(Passed(second * NS_PER_S), ())
            await asyncio.sleep(0.01)
            if until():
                return


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def states(sink: Collector) -> list[RecordingStatus]:
    return [message for message in sink.messages if isinstance(message, RecordingStatus)]


async def test_sinks_hear_of_every_file_and_of_the_end(tmp_path: Path) -> None:
    path, numbers, sink = tmp_path / "run.mcap", count(), Collector()
    keep = recorder(lambda: McapFile(part(path, next(numbers))), Rotation(ns=20 * NS_PER_S))
    async with recording(keep, [sink], CLOCK, lambda: None):
        await pass_time(keep, lambda: len(states(sink)) >= 3)
    told = states(sink)
    assert [each.state for each in told] == ["recording"] * (len(told) - 1) + ["closed"]
    paths = [each.path for each in told]
    assert paths[0] == str(path)
    assert sorted(set(paths), key=paths.index) == [
        str(part(path, n)) for n in range(len(paths) - 1)
    ]
    assert len({each.since_ns for each in told[:-1]}) == 1, "it has recorded since then"
    assert told[-1].since_ns > told[0].since_ns
    assert told[-1].bytes == size(tmp_path)


async def test_sinks_hear_that_the_disk_is_full_and_what_was_dropped_since(tmp_path: Path) -> None:
    sink, failed = Collector(), asyncio.Event()
    keep = recorder(lambda: FullFile(tmp_path / "run.mcap", 1))
    async with recording(keep, [sink], CLOCK, failed.set):
        await pass_time(keep, failed.is_set)
        keep.heard(Passed(10_000 * NS_PER_S), ())
    told = states(sink)
    assert [each.state for each in told] == ["recording", "failed", "failed"]
    assert {each.why for each in told[1:]} == {"No space left on device"}
    assert told[2].dropped["failed"] > told[1].dropped["failed"] > 0
    assert told[2].since_ns == told[1].since_ns


async def test_a_bug_in_the_recorder_ends_the_run_at_once(tmp_path: Path) -> None:
    config = RunConfig.model_validate(
        {
            "sources": [{"kind": "synthetic", "stream": "cam", "modality": "vision", "rate_hz": 20,
                         "height": 8, "width": 8}],
            "encoder": {"kind": "noop"},
            "labels": False,
        }
    )  # fmt: skip
    keep = recorder(lambda: BrokenFile(tmp_path / "run.mcap"))

    async def run() -> None:
        async with recording(keep, [], CLOCK, lambda: None):
            with NoopEncoder(dim=2).open(config.modalities, text=False) as encoder:
                await session.run(config, encoder, taps=[keep])

    with pytest.raises(ZeroDivisionError, match="a bug at /cam"):
        async with asyncio.timeout(30):
            await run()


async def test_a_bug_while_the_sinks_are_told_ends_the_run_too(tmp_path: Path) -> None:
    keep = recorder(lambda: BrokenFile(tmp_path / "run.mcap"))

    class Slow(Collector):
        async def publish(self, message: Message) -> None:
            keep.heard(Arrived(0, Sample("cam", "vision", 0, 1, np.zeros((2, 2, 3), "u1"))), ())
            while keep.state == "recording":
                await keep.news()
            await super().publish(message)

    with pytest.raises(ZeroDivisionError, match="a bug at /cam"):
        async with asyncio.timeout(30), recording(keep, [Slow()], CLOCK, lambda: None):
            await asyncio.Event().wait()


async def test_a_run_tells_its_sinks_and_every_part_knows_the_model(tmp_path: Path) -> None:
    sink = Collector()
    config = RunConfig.model_validate(
        {
            "sources": [{"kind": "synthetic", "stream": "cam", "modality": "vision", "rate_hz": 20,
                         "height": 8, "width": 8}],
            "encoder": {"kind": "noop"},
            "labels": False,
            "record": {"path": str(tmp_path / "run.mcap"), "rotate_s": 1},
        }
    )  # fmt: skip
    with NoopEncoder(dim=2).open(config.modalities, text=False) as encoder:
        report = await session.run(config, encoder, seconds=2.5, beside=[sink])
    assert [each.state for each in states(sink)][-1] == "closed"
    assert report["record"]["state"] == "closed"
    paths = [Path(file["path"]) for file in report["record"]["files"]]
    assert len(paths) >= 2
    for number, path in enumerate(paths):
        assert metadata(path, SESSION)["part"] == str(number)
        topics = {m.channel.topic for chunk in chunks_of(path) for m in chunk.messages}
        assert {"/streamer/meta", "/streamer/source/cam/status"} <= topics


async def test_a_subscriber_that_comes_later_hears_the_state(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker:
        settings = MqttSink(port=broker.port)
        async with settings.open(SystemClock()) as sink:
            await sink.publish(recording_status())
            await sink.publish(recording_status("failed", "No space left on device"))
            while sink.report()["pending"]:  # noqa: ASYNC110 - the sink has no event for it
                await asyncio.sleep(0.01)
        subscriber = Subscriber(await settings.endpoint(), Topics("streamer", "+"))
        heard = await asyncio.wait_for(first_recording(subscriber), 10)
    assert heard.retained
    assert isinstance(heard.content, RecordingReport)
    assert (heard.content.state, heard.content.why) == ("failed", "No space left on device")
    assert subscriber.malformed == 0


async def first_recording(subscriber: Subscriber) -> Heard:
    async for heard in subscriber.messages():
        if isinstance(heard.content, RecordingReport):
            return heard
    raise AssertionError("it ended")
