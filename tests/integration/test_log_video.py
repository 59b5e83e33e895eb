"""A log with video replays to the windows it was recorded with, and can be entered anywhere."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.world_log import make_world_log
from sinks.mcap.file import McapFile
from sources.recording.digest import RunningDigest, digest
from sources.recording.film import KEY_NS
from sources.recording.format import DIGEST
from sources.recording.keyframes import kind
from sources.recording.recording import Recording
from sources.recording.video import VideoFrame
from sources.replay.container import McapLog
from sources.replay.own import OwnLog
from sources.world import live
from streamer.events import Arrived, Ended
from streamer.ticks import make_join
from streamer.types import NS_PER_S, Sample, Truth

SECONDS = 4.0


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "world.mcap"
    make_world_log(path, SECONDS, "h264")
    return path


def stored(path: Path) -> str:
    log = McapLog(path)
    told = log.metadata(DIGEST)
    log.close()
    assert told is not None
    return told["windows"]


def replayed(path: Path) -> str:
    """The digest of the windows that a replay cuts."""
    log, running = OwnLog(path), RunningDigest()
    join = make_join(log.streams, log.about.plan)
    now_ns = 0
    for event in log.events():
        if not isinstance(event, Truth):
            now_ns = event.now_ns
            for tick in join.take(event):
                running.add(digest(tick))
    # As a run does when its sources are over.
    for tick in join.take(Ended(now_ns, tuple(join.windowers))):
        running.add(digest(tick))
    assert not log.problems
    log.close()
    return running.hexdigest()


def camera(path: Path, from_ns: int | None = None) -> list[Sample]:
    log = OwnLog(path)
    samples = [e.sample for e in log.events(("camera",), from_ns) if isinstance(e, Arrived)]
    assert not log.problems
    log.close()
    return samples


def test_the_windows_are_those_that_were_recorded(log: Path) -> None:
    assert replayed(log) == stored(log)


def test_a_key_frame_every_second_and_first(log: Path) -> None:
    samples = camera(log)
    frames = [s.data for s in samples if isinstance(s.data, VideoFrame)]
    assert len(frames) == SECONDS * 30
    stamps = [
        s.t_ns
        for s, frame in zip(samples, frames, strict=True)
        if kind("h264", frame.payload) == "key"
    ]
    assert stamps[0] == samples[0].t_ns
    assert np.diff(stamps).tolist() == [KEY_NS] * 3


@pytest.mark.parametrize("at_s", [0.4, 1.0, 1.7, 3.2])
def test_entered_anywhere_the_first_frame_shows(log: Path, at_s: float) -> None:
    start_ns = camera(log)[0].t_ns
    entered = camera(log, start_ns + round(at_s * NS_PER_S))
    first = entered[0]
    assert abs(first.t_ns - start_ns - at_s * NS_PER_S) <= NS_PER_S // 30
    assert isinstance(first.data, VideoFrame)
    number = round((first.t_ns - start_ns) * 30 / NS_PER_S)
    capture = list(live.captures("vision", round(SECONDS * NS_PER_S)))[number]
    error = first.data.array().astype(float) - np.asarray(live.data(0, capture, 0, 200))
    assert 10 * np.log10(255**2 / np.mean(error**2)) > 30


def test_recorded_again_from_the_middle_it_stands_for_itself(log: Path, tmp_path: Path) -> None:
    """A part of a replay: the bytes of the log, but for what came before its first key frame."""
    source = OwnLog(log)
    start_ns = source.about.started_ns + 3 * NS_PER_S // 2
    path = tmp_path / "part.mcap"
    recording = Recording(McapFile(path), source.about)
    for event in source.events(None, start_ns):
        assert not isinstance(event, Truth)
        recording.take(event)
    recording.close_chunk()
    recording.finish()
    source.close()
    assert replayed(path) == stored(path)
    before = {s.t_ns: s.data for s in camera(log)}
    after = camera(path)
    assert isinstance(after[0].data, VideoFrame)
    assert after[0].data.number == 0
    same = [s.data.payload == before[s.t_ns].payload for s in after]  # type: ignore[union-attr]
    # Half a group is compressed anew, and nothing behind it.
    assert same == sorted(same)
    assert 0 < same.count(False) < 30
    for sample in after[::7]:
        one, other = sample.data, before[sample.t_ns]
        assert isinstance(one, VideoFrame)
        assert isinstance(other, VideoFrame)
        assert np.abs(one.array().astype(int) - other.array()).mean() < 4


def test_what_lacks_its_key_frame_is_counted(log: Path, tmp_path: Path) -> None:
    """A chunk in the middle is damaged: frames that need what was in it are not shown."""
    data = bytearray(log.read_bytes())
    opened = McapLog(log)
    index = opened.index()
    opened.close()
    assert index is not None
    hit = index.chunks[len(index.chunks) // 2]
    at = hit.chunk_start_offset + hit.chunk_length // 2
    data[at : at + 64] = bytes(64)
    path = tmp_path / "damaged.mcap"
    path.write_bytes(data)
    read = OwnLog(path)
    samples = [e.sample for e in read.events(("camera",)) if isinstance(e, Arrived)]
    (missing,) = (n for cause, n in read.problems.items() if "before the first key frame" in cause)
    read.close()
    assert 0 < missing < 30
    assert len(samples) + missing < SECONDS * 30
    for sample in samples:
        assert isinstance(sample.data, VideoFrame)
        sample.data.array()
