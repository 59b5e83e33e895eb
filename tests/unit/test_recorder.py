"""The recorder: parts and seams, disks that are slow, full or broken, and accounts that add up."""

import asyncio
import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.record import part
from sinks.mcap.file import McapFile
from sources.encodings import Colour
from sources.pictures import EncodedPicture
from sources.recording.about import About
from sources.recording.digest import RunningDigest, digest
from sources.recording.format import DIGEST, SESSION
from sources.recording.note import Note
from sources.recording.parts import CHUNK_BYTES, Parts, Rotation
from sources.recording.recorder import RUN, Recorder
from streamer.events import Arrived, Ended, Event, Passed
from streamer.logfile import ChannelSpec, LogFile
from streamer.plan import Plan
from streamer.ticks import make_join
from streamer.types import MODALITIES, Sample, StreamInfo
from tests.disks import (
    BrokenFile,
    FullFile,
    SlowFile,
    check_chunks,
    chunks_of,
    events_of,
    lost_by_journal,
    metadata,
    told,
)

MS = 1_000_000
T0 = 1_700_000_000_000 * MS
STREAMS = (StreamInfo("left", "vision"), StreamInfo("right", "vision"))
STATE = ChannelSpec("/streamer/meta", "json")
PASSING = ChannelSpec("/streamer/label/vision/left", "json")
LARGE = 256 * 1024


def about(*, live: bool = True) -> About:
    plan = Plan(
        hop_ns=500 * MS,
        lengths_ns=dict.fromkeys(MODALITIES, 1000 * MS),
        lateness_ns=100 * MS,
        idle_ns=500 * MS,
        min_coverage=0.5,
    )
    return About(live=live, streams=STREAMS, plan=plan, started_ns=T0)


def arrived(at_ms: int, stream: str = "left", size: int = 12, *, live: bool = True) -> Arrived:
    """A grey picture of `size` bytes, taken over the 100 ms before `at_ms`."""
    grey = np.full((1, size), at_ms % 251, np.uint8)
    sample = Sample(stream, "thermal", T0 + (at_ms - 100) * MS, 100 * MS, grey)
    return Arrived(T0 + at_ms * MS, sample, live)


def run_of(ms: int, *, live: bool = True) -> list[Event]:
    """Pictures of both streams every 100 ms, silence between them, an end of each stream."""
    events: list[Event] = []
    for at in range(100, ms + 100, 100):
        events.append(arrived(at, "left", live=live))
        events.append(arrived(at + 7, "right", live=live))
        if live:
            events.append(Passed(T0 + (at + 50) * MS))
    last = T0 + (ms + 200) * MS
    return [*events, Ended(last, ("left",)), Ended(last + 1, ("right",))]


def files(path: Path, number: int) -> list[Path]:
    return [part(path, n) for n in range(number)]


class Opener:
    """Opens run.mcap, run.1.mcap and so on."""

    def __init__(self, path: Path) -> None:
        self._path, self._numbers = path, count()

    def __call__(self) -> LogFile:
        return McapFile(part(self._path, next(self._numbers)))


def recorded_in_parts(path: Path, rotation: Rotation, events: Sequence[Event]) -> Parts:
    parts = Parts(Opener(path), about(), lambda: None, rotation=rotation)
    parts.note(Note(STATE, T0, b'{"old":1}', state=True))
    parts.note(Note(STATE, T0, b'{"new":1}', state=True))
    parts.note(Note(PASSING, T0, b"{}"))
    for event in events:
        parts.take(event)
        parts.pace()
    parts.finish()
    return parts


#   run.mcap       run.1.mcap     run.2.mcap   run.3.mcap
#   |0.1 ... 1.0|  |1.1 ... 2.0|  |2.1 ...     the windows of each are cut from its own events


def test_a_recording_is_rotated_by_time_and_every_part_stands_for_itself(tmp_path: Path) -> None:
    path, events = tmp_path / "run.mcap", run_of(3000)
    parts = recorded_in_parts(path, Rotation(ns=1000 * MS), events)
    paths = files(path, 4)
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert [report.path for report in parts.reports] == [str(each) for each in paths]
    assert [told(e) for each in paths for e in events_of(each)] == [told(e) for e in events]

    sessions = [metadata(each, SESSION) for each in paths]
    assert [session["part"] for session in sessions] == ["0", "1", "2", "3"]
    assert len({session["recording"] for session in sessions}) == 1
    for each, session, report in zip(paths, sessions, parts.reports, strict=True):
        mine = events_of(each)
        assert mine[-1].now_ns - mine[0].now_ns < 1000 * MS
        assert int(session["started_ns"]) in (T0, mine[0].now_ns)
        assert each.stat().st_size == report.bytes
        said = metadata(each, DIGEST)
        assert said["windows"] == report.windows == windows(mine)
        assert int(said["ticks"]) == report.ticks > 0 or each == paths[-1]


def test_a_file_of_many_chunks_is_full_without_being_asked(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    events = [arrived(at, size=CHUNK_BYTES) for at in range(100, 600, 100)]
    parts = recorded_in_parts(path, Rotation(chunks=2), events)
    assert [report.chunks for report in parts.reports] == [2, 2, 2]
    assert [told(e) for each in files(path, 3) for e in events_of(each)] == [
        told(e) for e in events
    ]


def windows(events: Sequence[Event]) -> str:
    """The digest of the windows that a replay of these events cuts."""
    join, running = make_join(STREAMS, about().plan), RunningDigest()
    end = Ended(events[-1].now_ns, ("left", "right"))
    for event in (*events, end):
        for tick in join.take(event):
            running.add(digest(tick))
    return running.hexdigest()


def test_every_part_begins_with_the_newest_states_and_nothing_else_twice(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    recorded_in_parts(path, Rotation(ns=1000 * MS), run_of(2000))
    notes = [
        [m.payload for chunk in chunks_of(each) for m in chunk.messages if m.channel.topic == topic]
        for each in files(path, 2)
        for topic in (STATE.topic, PASSING.topic)
    ]
    assert notes == [[b'{"old":1}', b'{"new":1}'], [b"{}"], [b'{"new":1}'], []]


@given(
    gaps=st.lists(st.integers(0, 400), min_size=1, max_size=30),
    most_ms=st.none() | st.integers(1, 2000),
    most_bytes=st.none() | st.integers(1, 20_000),
)
@settings(max_examples=25, deadline=None)
def test_nothing_is_lost_at_any_seam(
    gaps: list[int], most_ms: int | None, most_bytes: int | None
) -> None:
    events: list[Event] = []
    at = 100
    for number, gap in enumerate(gaps):
        at += gap
        events.append(arrived(at, "left" if number % 3 else "right", size=1000))
    rotation = Rotation(most_bytes, None if most_ms is None else most_ms * MS)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "run.mcap"
        reports = recorded_in_parts(path, rotation, events).reports
        paths = [Path(report.path) for report in reports]
        assert paths == files(path, len(paths))
        assert all(events_of(each) for each in paths), "no part without an event"
        assert [told(e) for each in paths for e in events_of(each)] == [told(e) for e in events]
        if most_ms is None and most_bytes is None:
            assert len(paths) == 1
        for each in paths:
            check_chunks(each)


def test_a_part_is_full_before_it_is_larger_than_allowed(tmp_path: Path) -> None:
    path, most = tmp_path / "run.mcap", 1 << 20
    noise = np.random.default_rng(0).integers(0, 256, (1, 100_000), np.uint8)
    events = [
        Arrived(T0 + n * MS, Sample("left", "thermal", T0 + n * MS, MS, noise)) for n in range(60)
    ]
    reports = recorded_in_parts(path, Rotation(bytes=most), events).reports
    assert len(reports) >= 6
    for report in reports:
        assert report.bytes <= most + 110_000 + 20_000  # one picture, and the index of the file


# -- the queue -----------------------------------------------------------------------------------


def add_up(recorder: Recorder) -> None:
    for account in recorder.accounts.values():
        dropped = sum(account.dropped.values())
        assert account.produced == account.delivered + dropped + account.pending
        assert account.pending >= 0


async def until(happened: threading.Event) -> None:
    assert await asyncio.to_thread(happened.wait, 30)


async def test_a_chunk_is_closed_also_when_nothing_more_comes(tmp_path: Path) -> None:
    gate = threading.Event()
    gate.set()
    file = SlowFile(tmp_path / "run.mcap", gate)
    recorder = Recorder(about(), lambda: file)
    async with recorder.open():
        recorder.heard(arrived(100), ())
        await until(file.closed)
        # It could be killed now.
        assert [told(e) for e in events_of(file.path)] == [told(arrived(100))]
    assert recorder.state == "closed"
    assert recorder.accounts["left"].delivered == 1


async def test_a_slow_disk_makes_a_live_run_lose_and_the_file_says_what(tmp_path: Path) -> None:
    gate = threading.Event()
    file = SlowFile(tmp_path / "run.mcap", gate)
    recorder = Recorder(about(), lambda: file, queue_bytes=4 * LARGE)
    async with recorder.open():
        # The disk hangs with the first chunk; what comes then waits, until there is no more room.
        for number in range(100, 4100, 100):
            recorder.heard(arrived(number, size=LARGE), ())
            recorder.heard(arrived(number + 7, "right", size=LARGE), ())
            add_up(recorder)
            if number == 100:
                await asyncio.sleep(0)
        lost = {s: sum(by.values()) for s, by in recorder.lost.items()}
        assert lost["left"] > 20
        assert lost["right"] > 20
        recorder.heard(Ended(T0 + 5000 * MS, ("left", "right")), ())
        gate.set()
    add_up(recorder)
    assert recorder.state == "closed"
    assert all(account.pending == 0 for account in recorder.accounts.values())
    events = events_of(file.path)
    assert isinstance(events[-1], Ended), "an end is never left out"
    for stream in ("left", "right"):
        account = recorder.accounts[stream]
        written = [e for e in events if isinstance(e, Arrived) and e.sample.stream == stream]
        assert account.produced == 40
        assert account.delivered == len(written)
        assert account.dropped == {"queue": 40 - len(written)}
        assert lost_by_journal(file.path)[stream, "queue"] == 40 - len(written)
        assert metadata(file.path, DIGEST)[f"lost.{stream}.queue"] == str(40 - len(written))


async def test_the_part_that_has_the_hole_says_so(tmp_path: Path) -> None:
    path, opened = tmp_path / "run.mcap", Opener(tmp_path / "run.mcap")
    started, gate = threading.Event(), threading.Event()

    def open_file() -> LogFile:
        started.set()
        gate.wait()
        return opened()

    rotation = Rotation(ns=1000 * MS)
    recorder = Recorder(about(), open_file, queue_bytes=5 * LARGE, rotation=rotation)
    async with recorder.open():
        await until(started)
        # Nothing is taken yet: four fit, of which the last two are in the second part.
        for at_ms in (100, 200, 1500, 1600, 1700, 1800):
            recorder.heard(arrived(at_ms, size=LARGE), ())
        recorder.heard(Ended(T0 + 1900 * MS, ("left", "right")), ())
        gate.set()
    add_up(recorder)
    assert recorder.accounts["left"].dropped == {"queue": 2}
    assert [dict(lost_by_journal(each)) for each in files(path, 2)] == [{}, {("left", "queue"): 2}]


@pytest.mark.parametrize("live", [False, True], ids=["files", "log of a live run"])
async def test_a_run_from_files_waits_for_a_slow_disk_and_loses_nothing(
    tmp_path: Path, live: bool
) -> None:
    gate = threading.Event()
    file = SlowFile(tmp_path / "run.mcap", gate)
    recorder = Recorder(about(live=live), lambda: file, queue_bytes=4 * LARGE, lossless=True)

    async def feed() -> None:
        for number in range(100, 4100, 100):
            await recorder.room()
            # Larger than what is left of the queue, and yet not left out.
            recorder.heard(arrived(number, size=3 * LARGE, live=live), ())
            recorder.note(PASSING, T0, b"{}")

    async with recorder.open():
        feeding = asyncio.create_task(feed())
        done, _ = await asyncio.wait([feeding], timeout=0.5)
        assert not done, "it has to wait for the disk"
        gate.set()
        async with asyncio.timeout(30):
            await feeding
    assert recorder.lost == {}
    assert [e.sample.t_ns for e in events_of(file.path) if isinstance(e, Arrived)] == [
        T0 + (number - 100) * MS for number in range(100, 4100, 100)
    ]
    assert recorder.accounts[RUN].delivered == 40


async def test_what_no_log_can_hold_is_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    recorder = Recorder(about(), lambda: McapFile(path))
    torn = EncodedPicture(tmp_path / "7.png", b"\x89PNG and no more", Colour())
    async with recorder.open():
        recorder.heard(arrived(100), ())
        recorder.heard(Arrived(T0, Sample("left", "vision", T0, MS, torn)), ())
        old = replace(arrived(200).sample, t_ns=-MS)
        recorder.heard(Arrived(T0 + 200 * MS, old), ())
        recorder.heard(arrived(300), ())
    add_up(recorder)
    assert recorder.state == "closed"
    assert (recorder.accounts["left"].delivered, recorder.lost) == (2, {"left": {"damaged": 2}})
    assert [told(e) for e in events_of(path)] == [told(arrived(100)), told(arrived(300))]
    assert lost_by_journal(path) == {("left", "damaged"): 2}


# -- the end of a disk ---------------------------------------------------------------------------


@pytest.mark.parametrize("live", [True, False], ids=["live", "files"])
async def test_a_full_disk_ends_the_recording_alone(tmp_path: Path, live: bool) -> None:
    path = tmp_path / "run.mcap"
    recorder = Recorder(
        about(live=live), lambda: FullFile(path, 2), queue_bytes=1 << 20, lossless=not live
    )
    async with recorder.open():
        at = 100
        async with asyncio.timeout(30):
            while recorder.state == "recording":
                await recorder.room()
                recorder.heard(arrived(at, live=live), ())
                at += 100
                await asyncio.sleep(0.001)
            for _ in range(100):
                await recorder.room()
                recorder.heard(arrived(at, live=live), ())
    add_up(recorder)
    account, status = recorder.accounts["left"], recorder.status()
    assert (status.state, status.why) == ("failed", "No space left on device")
    assert (status.path, status.chunks) == (str(path), 2)
    assert set(status.dropped) == {"failed"}
    assert account.pending == 0
    assert account.dropped["failed"] >= 100
    # What was delivered is what can be read.
    assert len(events_of(path)) == account.delivered > 0
    assert path.stat().st_size == status.bytes
    check_chunks(path)
    json.dumps(recorder.report(), allow_nan=False)


async def test_the_disk_may_be_full_at_a_seam(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    path.with_name("run.1.mcap").write_bytes(b"of somebody else")
    recorder = Recorder(about(), Opener(path), rotation=Rotation(ns=1000 * MS))
    events = run_of(3000)
    async with recorder.open():
        for event in events:
            recorder.heard(event, ())
    status = recorder.status()
    assert (status.state, status.why) == ("failed", "File exists")
    assert status.path == str(path.with_name("run.1.mcap"))
    assert path.with_name("run.1.mcap").read_bytes() == b"of somebody else"
    first = events_of(path)
    assert [told(e) for e in first] == [told(e) for e in events[: len(first)]]
    assert metadata(path, DIGEST)["windows"] == windows(first), "the part before is whole"
    delivered = sum(account.delivered for account in recorder.accounts.values())
    assert delivered == len(first)
    add_up(recorder)


async def test_a_file_that_cannot_be_made_is_a_state_too(tmp_path: Path) -> None:
    path = tmp_path / "none" / "run.mcap"
    recorder = Recorder(about(), lambda: McapFile(path))
    async with recorder.open():
        async with asyncio.timeout(30):
            await recorder.news()
        recorder.heard(arrived(100), ())
    status = recorder.status()
    assert (status.state, status.why) == ("failed", "No such file or directory")
    assert (status.path, status.bytes) == (str(path), 0)
    assert recorder.lost == {"left": {"failed": 1}}


async def test_a_bug_in_the_recorder_ends_the_run_with_its_own_traceback(tmp_path: Path) -> None:
    recorder = Recorder(
        about(live=False),
        lambda: BrokenFile(tmp_path / "run.mcap"),
        queue_bytes=1 << 20,
        lossless=True,
    )

    async def run() -> None:
        async with recorder.open(), asyncio.timeout(30):
            while recorder.state == "recording":
                await recorder.room()
                recorder.heard(arrived(100, live=False), ())
                await asyncio.sleep(0.001)
            await recorder.room()

    with pytest.raises(ZeroDivisionError, match="a bug at /left") as caught:
        await run()
    assert any(Path(entry.path).name == "disks.py" for entry in caught.traceback)
    add_up(recorder)


async def test_news_come_for_every_file_and_for_the_end(tmp_path: Path) -> None:
    recorder = Recorder(about(), Opener(tmp_path / "run.mcap"), rotation=Rotation(ns=1000 * MS))
    async with asyncio.timeout(30):
        async with recorder.open():
            await recorder.news()
            assert recorder.status().path.endswith("run.mcap")
            for event in run_of(1500):
                recorder.heard(event, ())
            await recorder.news()
        await recorder.news()
    assert recorder.status().state == "closed"
    assert recorder.status().path.endswith("run.1.mcap")
