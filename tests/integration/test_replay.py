"""A log as a source: its order and its truth again, at a pace, over and over, in parts."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from configs.schema import RunConfig
from encoders.noop import OpenNoop
from sources.replay.container import MAGIC, Attachment, Chunk, McapLog, Metadata
from sources.replay.log import open_log
from sources.replay.own import OwnLog
from sources.replay.source import Replay
from streamer.cli.replay.settings import Extent, Part, base, cut, extent
from streamer.clock import ReplayClock, monotonic_ns
from streamer.errors import ConfigError
from streamer.events import Arrived, Ended, Event, Passed
from streamer.pipeline import Pipeline
from streamer.types import NS_PER_S, Embedding, Health, ImuBlock, Message, Sample, Tick, Truth
from tests import mediafiles
from tests.doubles import Collector
from tests.replay_logs import CONFIG, MS, PLAN, START_NS, STREAMS, happened, write


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logs") / "log.mcap"
    write(path)
    return path


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logs") / "long.mcap"
    write(path, happened(20))
    return path


def kind(item: Event | Truth) -> tuple[str, int]:
    """What it is, and when it happened."""
    if isinstance(item, Arrived):
        return item.sample.stream, item.sample.t_ns
    if isinstance(item, Truth):
        return "truth", item.span.start_ns
    return type(item).__name__, item.now_ns


def test_a_log_gives_back_what_happened_in_its_order_truth_included(log: Path) -> None:
    opened = open_log(log)
    found = [kind(item) for item in opened.events()]
    opened.close()
    assert not opened.problems
    assert found == [kind(item) for item in happened()]


class Counted(McapLog):
    """Knows how many chunks were unpacked."""

    chunks = 0

    def parts(self, start: int = len(MAGIC)) -> Iterator[Chunk | Metadata | Attachment]:
        for part in super().parts(start):
            self.chunks += isinstance(part, Chunk)
            yield part


def test_to_open_a_log_without_an_index_one_chunk_is_unpacked_at_the_most(tmp_path: Path) -> None:
    path = tmp_path / "killed.mcap"
    write(path, finish=False)
    counted = Counted(path)
    opened = OwnLog(path, counted)
    assert (opened.streams, opened.about.config) == (STREAMS, CONFIG)
    assert counted.chunks == 1
    assert sum(isinstance(item, Arrived) for item in opened.events()) > 200
    assert counted.chunks > 5
    opened.close()


def test_a_log_of_files_is_paced_by_its_stamps_and_not_by_a_lie(tmp_path: Path) -> None:
    """0  100  200  300 [an hour]  400  |  30 s later  30.1  30.2   and a picture that stands."""
    ats = [0, 100, 200, 300, 3600_000, 400, 30_000, 30_100, 30_200]
    grey = np.zeros((12, 16, 3), np.uint8)
    stamps = [START_NS + at * MS for at in ats]
    samples = [Sample("camera", "vision", t, 7200_000 * MS, grey) for t in stamps]
    path = tmp_path / "files.mcap"
    write(path, [Arrived(0, sample, live=False) for sample in samples], live=False)
    opened = OwnLog(path)
    found = [item.now_ns for item in opened.events() if isinstance(item, Arrived)]
    opened.close()
    expected = [0, 100, 200, 300, 300, 400, 400, 30_100, 30_200]
    assert found == [START_NS + at * MS for at in expected]


async def run(settings: RunConfig, clock: ReplayClock) -> tuple[Pipeline, Collector]:
    sink = Collector()
    pipeline = Pipeline(PLAN, settings.sources, OpenNoop(16), [sink], clock=clock)
    await pipeline.run(asyncio.Event())
    return pipeline, sink


def settings_of(log: Path, part: Part | None = None) -> tuple[RunConfig, Extent]:
    settings = base(log, None, [])
    source = settings.sources[0]
    assert isinstance(source, Replay)
    of = extent(source)
    return cut(settings, part or Part(), of), of


async def test_truth_reaches_the_sinks_of_a_replay_and_a_judge_can_score_it(log: Path) -> None:
    settings, of = settings_of(log)
    _, sink = await run(settings, ReplayClock(None, of.start_ns))
    truths = [message for message in sink.messages if isinstance(message, Truth)]
    assert truths == [item for item in happened() if isinstance(item, Truth)]


async def test_at_max_no_time_passes_and_nothing_is_nonsense(log: Path) -> None:
    settings, of = settings_of(log)
    began_ns = monotonic_ns()
    pipeline, sink = await run(settings, ReplayClock(None, of.start_ns))
    assert monotonic_ns() - began_ns < 4 * NS_PER_S, "5 s of log"
    embeddings = [m for m in sink.messages if isinstance(m, Embedding)]
    assert len(embeddings) == 9 * 5
    for embedding in embeddings:
        ledger = embedding.ledger
        stages = (
            ledger.capture_ns,
            ledger.closed_ns,
            ledger.encode_started_ns,
            ledger.published_ns,
        )
        assert list(stages) == sorted(stages)
        assert of.start_ns < ledger.closed_ns
        assert ledger.published_ns <= START_NS + 5100 * MS
    for health in (m for m in sink.messages if isinstance(m, Health)):
        assert all(0 <= hz < 1000 for hz in health.report["samples_hz"].values())
        assert health.report["latency"]["wait"] == {"n": 0}
    assert pipeline.report()["latency"]["encode"]["n"] == 9


class Watching:
    """A tap that notes at which host time each event came, and can be slow."""

    def __init__(self, slow_until: int = 0, slow_s: float = 0.0) -> None:
        self.came: list[tuple[int, int]] = []
        self._slow_until, self._slow_s = slow_until, slow_s

    def heard(self, event: Event, ticks: Sequence[Tick]) -> None:
        del ticks
        self.came.append((event.now_ns, monotonic_ns()))

    async def room(self) -> None:
        if len(self.came) < self._slow_until:
            await asyncio.sleep(self._slow_s)


@pytest.mark.parametrize(("slow_until", "slow_s"), [(0, 0.0), (100, 0.004)], ids=["free", "slow"])
async def test_pacing_does_not_drift_and_delays_are_caught_up_with(
    long: Path, slow_until: int, slow_s: float
) -> None:
    """Ten times as fast, against an absolute start. Sleeps between events would add up what each
    is late by, over 1500 of them, and never make up for a consumer that was slow at the start."""
    settings, of = settings_of(long)
    tap = Watching(slow_until, slow_s)
    clock = ReplayClock(10, of.start_ns)
    pipeline = Pipeline(
        PLAN, settings.sources, OpenNoop(16), [Collector()], clock=clock, taps=[tap]
    )
    started_ns = monotonic_ns()
    await pipeline.run(asyncio.Event())
    late_ms = [(host - started_ns - (t - of.start_ns) / 10) / MS for t, host in tap.came]
    assert min(late_ms) > -2, "none came before its time"
    since_first_ms = [late - late_ms[0] for late in late_ms]
    if slow_until:
        assert max(since_first_ms) > 200, "it was held up"
    assert min(since_first_ms[len(late_ms) // 2 :]) < 100, "on its time again"


async def test_time_goes_on_forward_in_a_loop_on_the_same_grid(log: Path) -> None:
    settings, of = settings_of(log, Part(loop=True))
    source = settings.sources[0]
    assert isinstance(source, Replay)
    clock = ReplayClock(None, of.start_ns)
    passes = 4
    once = [item for item in happened() if not isinstance(item, Ended)]
    found: list[Event | Truth] = []
    async with source.open(clock) as items:
        async for item in items:
            found.append(item)
            if len(found) == passes * len(once):
                break
    again = [kind(item) for item in found]
    period_ns = again[len(once)][1] - again[0][1]
    assert period_ns % (500 * MS) == 0
    assert 5000 * MS < period_ns < 7000 * MS
    for number in range(passes):
        part = again[number * len(once) : (number + 1) * len(once)]
        assert part == [(name, t + number * period_ns) for name, t in map(kind, once)]
    imu = [i.sample.data for i in found if isinstance(i, Arrived) and i.sample.stream == "imu"]
    stamps = np.concatenate([block.t_ns for block in imu if isinstance(block, ImuBlock)])
    assert (np.diff(stamps) > 0).all()


async def test_a_loop_ends_when_asked_and_every_pass_has_the_same_windows(log: Path) -> None:
    settings, of = settings_of(log, Part(loop=True))
    stop = asyncio.Event()

    class Counting(Collector):
        async def publish(self, message: Message) -> None:
            await super().publish(message)
            if sum(isinstance(m, Embedding) for m in self.messages) > 150:
                stop.set()

    sink = Counting()
    clock = ReplayClock(None, of.start_ns)
    pipeline = Pipeline(PLAN, settings.sources, OpenNoop(16), [sink], clock=clock)
    await pipeline.run(stop)
    ends = [m.span.end_ns for m in sink.messages if isinstance(m, Embedding) and m.stream == "imu"]
    assert all(b - a in (500 * MS, 1000 * MS, 1500 * MS) for a, b in pairwise(ends))
    for name, stream in pipeline.report()["streams"].items():
        assert stream["samples"]["dropped"] == {}, name


async def read(source: object, clock: ReplayClock) -> list[Event | Truth]:
    assert isinstance(source, Replay)
    async with source.open(clock) as items:
        return [item async for item in items]


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("1.5", "3"),
        ("0:01.5", "0:03"),
        # 70 ms after the stamp of its first sample: when that arrived.
        ("2023-11-14T22:13:21.570Z", "2023-11-14T23:13:23.070+01:00"),
        ("2023-11-14 22:13:21.570", "3"),
    ],
)
async def test_a_part_of_a_log(log: Path, begin: str, end: str) -> None:
    settings, of = settings_of(log, Part(begin, end))
    assert of.start_ns == START_NS + 70 * MS
    found = await read(settings.sources[0], ReplayClock(None))
    first_ns, last_ns = START_NS + 1570 * MS, START_NS + 3070 * MS
    times = [item.now_ns for item in found if not isinstance(item, Truth)]
    expected = [
        item.now_ns
        for item in happened()
        if not isinstance(item, Truth) and first_ns <= item.now_ns < last_ns
    ]
    assert times == expected
    truths = [item for item in found if isinstance(item, Truth)]
    # Of what was said before, no more than is in the same half second of the file.
    assert [t.span.start_ns for t in truths[-2:]] == [START_NS + n * NS_PER_S for n in (2, 3)]


async def test_streams_of_a_log(log: Path) -> None:
    settings, _ = settings_of(log, Part(streams="imu, camera"))
    found = await read(settings.sources[0], ReplayClock(None))
    assert {i.sample.stream for i in found if isinstance(i, Arrived)} == {"imu", "camera"}
    assert [i.streams for i in found if isinstance(i, Ended)] == [("camera", "imu")]
    assert any(isinstance(item, Passed) for item in found)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        pytest.param(
            Part(streams="camera,lidar"),
            "log.mcap has no stream 'lidar': expected some of camera, depth, imu, microphone",
            id="streams",
        ),
        pytest.param(Part(begin="soon"), "--from: expected seconds into the log", id="from"),
        pytest.param(Part(begin="99"), "--from 99: the log ends before", id="beyond"),
        pytest.param(Part(begin="3", end="2"), "--to 2: expected a time behind", id="to"),
        pytest.param(Part(substitutes=["lidar=x"]), "expected one of camera, depth", id="unknown"),
        pytest.param(Part(substitutes=["camera=none.mp4"]), "none.mp4: no such file", id="missing"),
        pytest.param(
            Part(substitutes=["camera={kind: worlds}"]), "--substitute camera: ", id="kind"
        ),
        pytest.param(
            Part(
                substitutes=[
                    "camera={kind: synthetic, stream: camera, modality: vision, rate_hz: 9}"
                ]
            ),
            "got synthetic, which is live",
            id="live",
        ),
        pytest.param(
            Part(substitutes=["camera={kind: media, path: x.wav, streams: {audio: camera}}"]),
            "expected a source of the one stream camera (vision), got camera (audio)",
            id="modality",
        ),
        pytest.param(Part(substitutes=["imu=README.md"], loop=True), "--loop repeats", id="loop"),
    ],
)
def test_what_cannot_be_replayed_is_said_in_one_line(log: Path, part: Part, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        settings_of(log, part)
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("speed", [None, 20.0], ids=["max", "20x"])
@pytest.mark.parametrize("short", [True, False], ids=["path", "yaml"])
async def test_another_source_in_the_place_of_a_stream(
    log: Path, tmp_path: Path, short: bool, speed: float | None
) -> None:
    """A quiet tone for the noise that was recorded, from the start of the log on."""
    sound = tmp_path / "tone.wav"
    mediafiles.write_audio(sound, [("pcm_s16le", 8000, [(0, mediafiles.tone(40000, 8000, 440))])])
    value = (
        f"{sound}" if short else f"{{kind: media, path: {sound}, streams: {{audio: microphone}}}}"
    )
    settings, of = settings_of(log, Part(substitutes=[f"microphone={value}"]))
    heard: list[tuple[Event, int]] = []

    class Hearing(Watching):
        def heard(self, event: Event, ticks: Sequence[Tick]) -> None:
            for tick in ticks:
                heard.extend(
                    (event, len(w.samples)) for w in tick.windows if w.stream == "microphone"
                )
            super().heard(event, ticks)

    tap = Hearing()
    clock = ReplayClock(speed, of.start_ns)
    sink = Collector()
    pipeline = Pipeline(PLAN, settings.sources, OpenNoop(16), [sink], clock=clock, taps=[tap])
    await pipeline.run(asyncio.Event())
    report = pipeline.report()["streams"]
    for name in ("camera", "depth", "imu", "microphone"):
        assert report[name]["samples"]["dropped"] == {}, name
        assert report[name]["embeddings"] >= 9, name
    assert len(heard) >= 9
    times = [now_ns for now_ns, _ in tap.came]
    assert times == sorted(times), "merged by time"
