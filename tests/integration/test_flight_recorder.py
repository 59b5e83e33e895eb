"""A flight recorder in a live run: by label, by message and by signal, and on a full disk."""

import asyncio
import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
import yaml

from configs.load import parse_run
from encoders.noop import NoopEncoder
from sinks.memory import OpenMemory
from sources.recording.digest import RunningDigest, digest
from sources.recording.format import DIGEST, TRIGGER
from sources.replay.container import Chunk, McapLog, Metadata
from sources.replay.own import OwnLog
from streamer.cli import session
from streamer.errors import ConfigError
from streamer.events import Event
from streamer.ticks import make_join
from streamer.types import NS_PER_S, RecordingStatus, Truth
from tests.collector import Collector, collecting, eventually
from tests.e2e.command import started
from tests.mosquitto import mosquitto
from tests.needs import program

SLACK_S = 1.0
"""A chunk of half a second, and half a second more."""


def config(folder: Path, triggers: list[dict[str, Any]], **flight: float) -> dict[str, Any]:
    """Two small sensors."""
    return {
        "sources": [
            {"kind": "synthetic", "stream": "front", "modality": "vision", "rate_hz": 10}
            | {"width": 32, "height": 24},
            {"kind": "synthetic", "stream": "mic", "modality": "audio", "rate_hz": 16000}
            | {"block": 800},
        ],
        "encoder": {"kind": "noop", "dim": 16},
        "labels": False,
        "record": {
            "path": str(folder / "flight-%H%M%S.mcap"),
            "flight": {"free_mb": 0, "triggers": triggers, **flight},
        },
    }


def events_of(path: Path) -> list[Event]:
    """Of a file whose digest is that of the windows that a replay cuts."""
    log = OwnLog(path)
    events = [item for item in log.events() if not isinstance(item, Truth)]
    assert log.whole, log.problems
    log.close()
    join, running = make_join(log.streams, log.about.plan), RunningDigest()
    ticks = [tick for event in events for tick in join.take(event)]
    ticks += join.finish([info.name for info in log.streams], events[-1].now_ns)
    for tick in ticks:
        running.add(digest(tick))
    (told,) = metadata(path, DIGEST)
    assert told["windows"] == running.hexdigest()
    assert running.ticks
    return events


def metadata(path: Path, name: str) -> list[dict[str, str]]:
    log = McapLog(path)
    found = [part.data for part in log.parts() if isinstance(part, Metadata) and part.name == name]
    log.close()
    return found


def files(folder: Path) -> list[Path]:
    """In the order of their making."""
    return sorted(folder.glob("flight-*.mcap"), key=lambda path: path.stat().st_mtime_ns)


def assert_looks_back(path: Path, before_s: float, after_s: float) -> None:
    events = events_of(path)
    triggers = [int(told["at_ns"]) for told in metadata(path, TRIGGER)]
    first_s = (events[0].now_ns - triggers[0]) / NS_PER_S
    last_s = (events[-1].now_ns - triggers[-1]) / NS_PER_S
    assert -before_s - SLACK_S <= first_s <= -before_s + SLACK_S
    assert last_s >= after_s


class Child:
    """`streamer run`, with what it says line by line."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.said: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line)

    def until(self, words: str, within_s: float = 60) -> str:
        """The next line that has them."""
        while True:
            line = self._lines.get(timeout=within_s)
            self.said.append(line)
            if words in line:
                return line

    def end(self) -> tuple[int, dict[str, Any]]:
        """SIGINT; the status and the report."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.stdout is not None
        out = self.process.stdout.read()
        code = self.process.wait(60)
        self._reader.join(10)
        return code, json.loads(out.splitlines()[-1])


@contextmanager
def running(settings: dict[str, Any], folder: Path) -> Generator[Child, None, None]:
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(settings))
    with started("run", str(path), "--json") as process:
        try:
            yield Child(process)
        finally:
            process.kill()


@pytest.mark.slow
def test_a_signal_writes_what_was_before_it(tmp_path: Path) -> None:
    triggers = [{"kind": "signal"}, {"kind": "signal", "signal": "SIGUSR2"}]
    settings = config(tmp_path, triggers, before_s=2, after_s=3)
    out = tmp_path / "out.jsonl"
    settings["sinks"] = [{"kind": "jsonl", "path": str(out), "vectors": False}]
    with running(settings, tmp_path) as child:
        child.until("flight recorder: armed")
        # Seven ticks of half a second: the ring holds more than is looked back.
        wait_for(lambda: out.exists() and out.read_text().count('"embedding/') >= 14, child)
        os.kill(child.process.pid, signal.SIGUSR1)
        child.until("flight recording")
        os.kill(child.process.pid, signal.SIGUSR2)  # while it writes: the same file goes on
        child.until("flight recorded")
        code, report = child.end()
    assert code == 0, child.said
    (path,) = files(tmp_path)
    told = metadata(path, TRIGGER)
    assert [each["cause"] for each in told] == ["signal SIGUSR1", "signal SIGUSR2"]
    assert_looks_back(path, before_s=2, after_s=3)
    assert report["record"]["flight"]["triggers"] == 2
    assert [file["path"] for file in report["record"]["files"]] == [str(path)]


def wait_for(done: Any, child: Child, within_s: float = 60) -> None:
    """For a condition that nobody announces."""
    for _ in range(round(within_s / 0.05)):
        if done():
            return
        with pytest.raises(subprocess.TimeoutExpired):
            child.process.wait(0.05)
    raise AssertionError(f"nothing within {within_s} s: {child.said}")


@pytest.mark.slow
def test_a_full_disk_leaves_the_ring_armed_and_the_run_going(tmp_path: Path) -> None:
    # The system refuses any file beyond 64 kB to this process, as a disk that is full would.
    program("prlimit")
    settings = config(tmp_path, [{"kind": "signal"}], before_s=1, after_s=60)
    with running(settings, tmp_path) as child:
        child.until("flight recorder: armed")
        subprocess.run(
            ["prlimit", f"--pid={child.process.pid}", "--fsize=65536:"], check=True, timeout=10
        )
        os.kill(child.process.pid, signal.SIGUSR1)
        child.until("is cut short: File too large")
        subprocess.run(
            ["prlimit", f"--pid={child.process.pid}", "--fsize=unlimited:"], check=True, timeout=10
        )
        os.kill(child.process.pid, signal.SIGUSR1)
        child.until("flight recording")
        code, report = child.end()
    # It had one thing to do, and did it once out of twice: the status says so.
    assert code == 1
    assert any("cut short" in why for why in report["lost"])
    assert report["streams"]["front"]["embeddings"] > 0
    short, whole = files(tmp_path)
    assert short.stat().st_size <= 65536
    log = OwnLog(short)
    assert [item for item in log.events() if not isinstance(item, Truth)]
    log.close()
    events_of(whole)


def parsed(settings: dict[str, Any]) -> Any:
    return parse_run(yaml.safe_dump(settings), "test")


async def test_a_message_on_the_broker_writes_through_its_restarts(tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    folder.mkdir()
    async with mosquitto(folder) as broker:
        port = broker.port
        settings = config(tmp_path, [{"kind": "mqtt"}], before_s=1, after_s=1)
        settings["sinks"] = [{"kind": "mqtt", "port": port, "robot": "r1", "timeout_s": 5}]
        topic = "streamer/v1/r1/recording/trigger"
        # An old one, that waits for whoever comes: it is nobody's reason.
        await publish(port, topic, b"old", retain=True)
        async with collecting(port) as heard, run_of(settings) as memory:
            await heard.until(lambda: states(heard)[-1:] == ["armed"], 60)
            await heard.until(lambda: len(heard.on("/embedding/vision")) >= 4, 60)
            assert states(heard) == ["armed"]
            await publish(port, topic, b"somebody\nfell " + b"x" * 1000)
            await heard.until(lambda: states(heard)[-2:] == ["recording", "armed"], 60)
            broker.kill()
            await asyncio.to_thread(broker.start)
            await heard.ready.wait()
            # Who listens comes back in its own time; until then nobody hears.
            before = states_of(memory).count("recording")
            async with asyncio.timeout(60):
                while states_of(memory).count("recording") == before:
                    await publish(port, topic, b"")
                    await asyncio.sleep(0.05)
    first, second = files(tmp_path)
    (told,) = metadata(first, TRIGGER)
    assert told["cause"].startswith("message somebody fell xxx")
    assert len(told["cause"]) <= 210
    assert metadata(second, TRIGGER)[0]["cause"] == "message"
    assert_looks_back(first, before_s=1, after_s=1)
    events_of(second)


def states(heard: Collector) -> list[str]:
    return [json.loads(m.payload)["state"] for m in heard.on("/recording/status")]


def states_of(memory: OpenMemory) -> list[str]:
    return [m.state for m in memory.messages if isinstance(m, RecordingStatus)]


async def publish(port: int, topic: str, payload: bytes, *, retain: bool = False) -> None:
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.publish(topic, payload, qos=1, retain=retain)


@asynccontextmanager
async def run_of(
    settings: dict[str, Any], seconds: float | None = None
) -> AsyncGenerator[OpenMemory, None]:
    """A run in this process until left, or until its time is up."""
    memory = OpenMemory(100_000, lossless=False)
    checked = parsed(settings)
    session.preflight(checked)
    with NoopEncoder(dim=16).open(checked.modalities, text=True) as encoder:
        task = asyncio.create_task(
            session.run(checked, encoder, beside=[memory], seconds=seconds), name="run"
        )
        try:
            yield memory
        finally:
            # As Ctrl-C: asked to stop, it drains and closes its files.
            if seconds is None and not task.done():
                os.kill(os.getpid(), signal.SIGINT)
            await task


async def test_a_label_of_the_world_writes_its_senses_and_what_was_said(tmp_path: Path) -> None:
    settings = config(
        tmp_path,
        [{"kind": "label", "label": "a dog barking", "above": 0.001, "for_s": 1.0}],
        before_s=1.5,
        after_s=1,
    )
    settings["sources"] = [{"kind": "world", "camera": None}]
    settings["labels"] = {"set": "world"}
    async with run_of(settings) as memory:
        await eventually(lambda: states_of(memory)[-2:] == ["recording", "armed"], 100)
    path, *_ = files(tmp_path)
    events = events_of(path)
    (told, *_) = metadata(path, TRIGGER)
    assert told["cause"].startswith("label 'a dog barking' 0.")
    look_back_s = (int(told["at_ns"]) - events[0].now_ns) / NS_PER_S
    assert look_back_s == pytest.approx(float(told["look_back_s"]), abs=0.001)
    assert look_back_s <= 1.5 + SLACK_S
    log = McapLog(path)
    topics = {
        message.channel.topic
        for part in log.parts()
        if isinstance(part, Chunk)
        for message in part.messages
    }
    log.close()
    senses = {"/microphone", "/depth", "/thermal", "/imu"}
    assert senses <= topics
    # What the run is of was said once, long before; what it heard, all the time.
    assert "/streamer/meta" in topics
    assert any(topic.startswith("/streamer/label/") for topic in topics)


def test_what_can_never_trigger_is_refused(tmp_path: Path) -> None:
    mqtt = config(tmp_path, [{"kind": "mqtt"}])
    with pytest.raises(ConfigError, match="kind mqtt needs a sink of kind mqtt"):
        parsed(mqtt)
    files = config(tmp_path, [{"kind": "signal"}])
    files["sources"] = [{"kind": "demo_clip"}]
    with pytest.raises(ConfigError, match="expected live sources, got files"):
        parsed(files)
    label = {"kind": "label", "label": "a dgo"}
    silent = config(tmp_path, [label])
    with pytest.raises(ConfigError, match="a run that makes labels"):
        session.preflight(parsed(silent))
    wrong = config(tmp_path, [label]) | {"labels": {"set": "world"}}
    with pytest.raises(ConfigError, match=r"triggers.0.label: expected one of .*, got a dgo"):
        session.preflight(parsed(wrong))
    label |= {"label": "a dog barking", "stream": "rear"}
    with pytest.raises(ConfigError, match="expected one of front, mic, fused, got rear"):
        session.preflight(parsed(config(tmp_path, [label]) | {"labels": {"set": "world"}}))
    rotated = config(tmp_path, [{"kind": "signal"}])
    rotated["record"]["rotate_s"] = 10
    with pytest.raises(ConfigError, match="expected no rotate_mb or rotate_s"):
        parsed(rotated)
    with pytest.raises(ConfigError, match="no such folder"):
        session.preflight(parsed(config(tmp_path / "absent", [{"kind": "signal"}])))
