"""A flight recorder: what its files hold, when they end, and what stays when the disk does not."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.mcap.file import McapFile
from sources.recording.digest import RunningDigest, digest
from sources.recording.encode import Pictures
from sources.recording.excerpt import Fresh, Mark
from sources.recording.flight import Bounds, Flight
from sources.recording.format import DIGEST, SESSION, TRIGGER
from sources.recording.note import Note
from sources.replay.container import Chunk, McapLog, Metadata
from sources.replay.own import OwnLog
from streamer.events import Arrived, Event
from streamer.logfile import ChannelSpec
from streamer.ticks import make_join
from streamer.types import NS_PER_S, Truth, pixels
from tests.happenings import ABOUT, at, happenings

CHUNK_S = 0.5


def bounds(
    before_s: float = 3, after_s: float = 1, longest_s: float = 60, ring_mb: float = 64
) -> Bounds:
    return Bounds(
        round(before_s * NS_PER_S),
        round(after_s * NS_PER_S),
        round(longest_s * NS_PER_S),
        round(ring_mb * (1 << 20)),
    )


class Rig:
    """A flight recorder on a folder, fed as the recorder's thread feeds it."""

    def __init__(
        self, folder: Path, limits: Bounds, room: int = 1 << 40, pictures: Pictures = "jpeg"
    ) -> None:
        self.folder, self.room, self.spare = folder, room, True
        self.settled = 0
        self.flight = Flight(ABOUT, self._fresh, limits, self._settled, pictures)

    def _fresh(self, at_ns: int) -> Fresh:
        path = self.folder / f"{(at_ns - ABOUT.started_ns) / NS_PER_S:g}.mcap"
        return Fresh(McapFile(path), self.room, lambda: self.spare)

    def _settled(self) -> None:
        self.settled += 1

    def feed(self, events: Iterable[Event]) -> None:
        for event in events:
            self.flight.take(event)
            self.flight.pace()

    def trigger(self, at_s: float, cause: str = "a test") -> None:
        self.flight.trigger(Mark(cause, at(at_s)))

    @property
    def files(self) -> list[Path]:
        return [Path(report.path) for report in self.flight.reports]


def replayed(path: Path) -> tuple[list[Event], str]:
    """The events of a file, and the digest of the windows that a replay cuts from them."""
    log = OwnLog(path)
    events = [item for item in log.events() if not isinstance(item, Truth)]
    assert log.whole, log.problems
    log.close()
    join, running = make_join(log.streams, log.about.plan), RunningDigest()
    ticks = [tick for event in events for tick in join.take(event)]
    ticks += join.finish([info.name for info in log.streams], events[-1].now_ns)
    for tick in ticks:
        running.add(digest(tick))
    assert running.ticks, "no windows"
    return events, running.hexdigest()


def metadata(path: Path, name: str) -> list[dict[str, str]]:
    log = McapLog(path)
    found = [part.data for part in log.parts() if isinstance(part, Metadata) and part.name == name]
    log.close()
    return found


def span(events: Sequence[Event]) -> tuple[float, float]:
    """Seconds since the beginning of the run."""
    return tuple((e.now_ns - ABOUT.started_ns) / NS_PER_S for e in (events[0], events[-1]))  # type: ignore[return-value]


def key(event: Event) -> object:
    if isinstance(event, Arrived):
        sample = event.sample
        return event.now_ns, sample.stream, sample.t_ns, sample.duration_ns, sample.clock
    return event


def assert_nothing_is_missing(events: Sequence[Event], to_s: float) -> None:
    """What happened between the first of them and the last, in its order, once."""
    ours, theirs = [key(e) for e in happenings(0, to_s)], [key(e) for e in events]
    first = ours.index(theirs[0])
    assert theirs == ours[first : first + len(theirs)]


@pytest.mark.parametrize("pictures", ["jpeg", "png", "h264"])
def test_a_file_looks_back_goes_on_and_replays_to_the_digest_in_it(
    tmp_path: Path, pictures: Pictures
) -> None:
    rig = Rig(tmp_path, bounds(before_s=3, after_s=1), pictures=pictures)
    rig.feed(happenings(0, 10))
    assert (rig.flight.state, rig.files) == ("armed", [])
    rig.trigger(9.95)
    assert rig.flight.state == "recording"
    rig.feed(happenings(10, 15))
    assert rig.flight.state == "armed"

    (path,) = rig.files
    events, windows = replayed(path)
    (told,) = metadata(path, DIGEST)
    assert told["windows"] == windows == rig.flight.reports[0].windows
    first_s, last_s = span(events)
    assert 6.95 - CHUNK_S - 0.05 <= first_s <= 6.95
    assert 10.95 <= last_s <= 10.95 + CHUNK_S + 0.05
    assert_nothing_is_missing(events, 15)
    # The first picture of the file is one, though the film of the run began long before.
    first = next(e.sample for e in events if isinstance(e, Arrived) and e.sample.stream == "cam")
    assert pixels(first).shape == (24, 32, 3)
    (cause,) = metadata(path, TRIGGER)
    assert cause["cause"] == "a test"
    assert int(cause["at_ns"]) == at(9.95)
    assert float(cause["look_back_s"]) == pytest.approx(9.95 - first_s, abs=0.001)
    (session,) = metadata(path, SESSION)
    assert int(session["started_ns"]) == events[0].now_ns


def test_further_triggers_put_the_end_off_and_are_named(tmp_path: Path) -> None:
    rig = Rig(tmp_path, bounds(before_s=1, after_s=2))
    rig.feed(happenings(0, 5))
    rig.trigger(5, "first")
    rig.feed(happenings(5, 6.5))
    rig.trigger(6.5, "second")
    rig.feed(happenings(6.5, 12))
    (path,) = rig.files
    events, windows = replayed(path)
    assert 8.5 <= span(events)[1] <= 9.1
    assert metadata(path, DIGEST)[0]["windows"] == windows
    assert [told["cause"] for told in metadata(path, TRIGGER)] == ["first", "second"]
    assert rig.flight.triggers == 2


def test_no_file_lasts_longer_than_the_longest_and_the_next_one_overlaps(tmp_path: Path) -> None:
    rig = Rig(tmp_path, bounds(before_s=2, after_s=2, longest_s=3))
    for second in range(20):
        rig.feed(happenings(second, second + 1))
        if second >= 4:
            rig.trigger(second + 0.95)
    rig.flight.finish()
    files = [replayed(path) for path in rig.files]
    assert len(files) >= 4
    for (events, windows), path in zip(files, rig.files, strict=True):
        first_s, last_s = span(events)
        assert last_s - first_s <= 2 + 3 + 2 * CHUNK_S + 0.2
        assert metadata(path, DIGEST)[0]["windows"] == windows
    spans = [span(events) for events, _ in files]
    for (_, last_s), (first_s, _) in pairwise(spans):
        assert first_s <= last_s  # the look-back is whole though the file before has it too


def test_what_does_not_fit_into_the_ring_is_told(tmp_path: Path) -> None:
    rig = Rig(tmp_path, bounds(before_s=30, ring_mb=0.25))
    rig.feed(happenings(0, 20))
    assert 0 < rig.flight.ring_bytes <= 1 << 18
    rig.trigger(20)
    rig.feed(happenings(20, 22))
    (path,) = rig.files
    events, windows = replayed(path)
    assert metadata(path, DIGEST)[0]["windows"] == windows
    (told,) = metadata(path, TRIGGER)
    assert float(told["look_back_s"]) < 15
    of_cam = [e for e in events if isinstance(e, Arrived) and e.sample.stream == "cam"]
    before = [e for e in of_cam if e.now_ns < at(20)]
    assert int(told["missing.cam"]) + len(before) == 200
    # It is a shorter look-back, and no hole: what the file begins with, it has whole.
    assert not [name for name in metadata(path, DIGEST)[0] if name.startswith("lost.")]


def test_what_the_queue_lost_is_in_the_file(tmp_path: Path) -> None:
    rig = Rig(tmp_path, bounds())
    rig.feed(happenings(0, 2))
    rig.flight.lose("cam", "queue", 7)
    rig.feed(happenings(2, 4))
    rig.trigger(4)
    rig.feed(happenings(4, 6))
    assert metadata(rig.files[0], DIGEST)[0]["lost.cam.queue"] == "7"


def test_states_are_there_however_old_and_the_rest_as_far_back_as_the_sensors(
    tmp_path: Path,
) -> None:
    meta, label = ChannelSpec("/streamer/meta", "json"), ChannelSpec("/streamer/label", "json")
    rig = Rig(tmp_path, bounds(before_s=2))
    rig.flight.note(Note(meta, at(0), b"old", state=True))
    rig.feed(happenings(0, 3))
    rig.flight.note(Note(meta, at(3), b"new", state=True))
    rig.flight.note(Note(label, at(3), b"early"))
    rig.feed(happenings(3, 10))
    rig.flight.note(Note(label, at(10), b"late"))
    rig.feed(happenings(10, 10.5))
    rig.trigger(10.5)
    rig.feed(happenings(10.5, 12))
    log = McapLog(rig.files[0])
    notes = [
        (message.channel.topic, message.payload)
        for part in log.parts()
        if isinstance(part, Chunk)
        for message in part.messages
        if message.channel.topic in (meta.topic, label.topic)
    ]
    log.close()
    assert notes == [(meta.topic, b"new"), (label.topic, b"late")]


def test_a_long_look_back_is_written_in_pieces_and_misses_nothing(tmp_path: Path) -> None:
    # The ring is full in bytes: each new chunk pushes the oldest out while the file is written.
    rig = Rig(tmp_path, bounds(before_s=60, after_s=8, ring_mb=0.5))
    rig.feed(happenings(0, 20))
    rig.trigger(20)
    before = rig.flight.reports[-1].chunks
    rig.feed(happenings(20, 21))
    after = rig.flight.reports[-1].chunks
    assert 0 < before < after
    rig.feed(happenings(21, 30))
    events, windows = replayed(rig.files[0])
    assert metadata(rig.files[0], DIGEST)[0]["windows"] == windows
    assert_nothing_is_missing(events, 30)


def test_the_end_of_the_run_ends_the_file(tmp_path: Path) -> None:
    rig = Rig(tmp_path, bounds(after_s=60))
    rig.feed(happenings(0, 4))
    rig.trigger(4)
    rig.feed(happenings(4, 5))
    rig.flight.finish()
    events, windows = replayed(rig.files[0])
    assert span(events)[1] == 4.95
    assert metadata(rig.files[0], DIGEST)[0]["windows"] == windows


class Filling:
    """The file of a disk that has room for so many messages."""

    def __init__(self, path: Path, messages: int) -> None:
        self._file, self._left = McapFile(path), messages

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def message(self, channel: ChannelSpec, log_ns: int, sensor_ns: int, payload: bytes) -> None:
        self._left -= 1
        if self._left < 0:
            raise OSError(28, "No space left on device")
        self._file.message(channel, log_ns, sensor_ns, payload)


def test_a_full_disk_leaves_the_ring_armed_and_the_next_file_is_whole(tmp_path: Path) -> None:
    room = [1000]

    def fresh(at_ns: int) -> Fresh:
        path = tmp_path / f"{at_ns}.mcap"
        if not room:
            return Fresh(McapFile(path), 1 << 40)
        return Fresh(Filling(path, room.pop()), 1 << 40)  # type: ignore[arg-type]

    flight = Flight(ABOUT, fresh, bounds(), lambda: None)
    rig = Rig(tmp_path, bounds())
    rig.flight = flight
    rig.feed(happenings(0, 5))
    rig.trigger(5)
    rig.feed(happenings(5, 7))
    assert flight.state == "armed"
    assert "cut short: No space left" in flight.why
    assert rig.files == []
    (short,) = tmp_path.iterdir()
    log = OwnLog(short)
    assert [item for item in log.events() if not isinstance(item, Truth)]
    log.close()
    rig.trigger(7)
    rig.feed(happenings(7, 9))
    assert flight.why == ""
    _, windows = replayed(rig.files[0])
    assert metadata(rig.files[0], DIGEST)[0]["windows"] == windows


def test_where_no_file_can_be_made_it_stays_armed_and_says_why(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "absent", bounds())
    rig.feed(happenings(0, 2))
    rig.trigger(2)
    assert rig.flight.state == "armed"
    assert "no file was begun: No such file" in rig.flight.why
    (tmp_path / "absent").mkdir()
    rig.feed(happenings(2, 3))
    rig.trigger(3)
    assert rig.flight.state == "recording"
    rig.flight.finish()
    assert len(rig.files) == 1


def test_a_file_that_has_used_its_room_ends_and_is_whole(tmp_path: Path) -> None:
    rig = Rig(tmp_path, bounds(after_s=60), room=200_000)
    rig.feed(happenings(0, 5))
    rig.trigger(5)
    rig.feed(happenings(5, 20))
    (path,) = rig.files
    assert rig.flight.state == "armed"
    assert "no room for more" in rig.flight.why
    assert path.stat().st_size < 600_000
    _, windows = replayed(path)
    assert metadata(path, DIGEST)[0]["windows"] == windows


def test_a_file_ends_and_is_whole_when_others_fill_the_disk(tmp_path: Path) -> None:
    rig = Rig(tmp_path, bounds(after_s=60))
    rig.feed(happenings(0, 2))
    rig.trigger(2)
    rig.feed(happenings(2, 6))
    assert rig.flight.state == "recording"
    rig.spare = False
    rig.feed(happenings(6, 9))
    assert rig.flight.state == "armed"
    assert "no room for more" in rig.flight.why
    _, windows = replayed(rig.files[0])
    assert metadata(rig.files[0], DIGEST)[0]["windows"] == windows


def test_a_trigger_before_anything_came_makes_a_file_of_what_follows(tmp_path: Path) -> None:
    rig = Rig(tmp_path, bounds(after_s=2))
    rig.trigger(0)
    rig.feed(happenings(0, 5))
    events, _ = replayed(rig.files[0])
    assert span(events)[0] == 0


def test_a_file_that_was_given_up_at_its_beginning_is_no_log(tmp_path: Path) -> None:
    flight = Flight(
        ABOUT,
        lambda at_ns: Fresh(Filling(tmp_path / "x.mcap", 0), 1 << 40),  # type: ignore[arg-type]
        bounds(),
        lambda: None,
    )
    for event in happenings(0, 1):
        flight.take(event)
        flight.pace()
    flight.trigger(Mark("a test", at(1)))
    assert flight.state == "armed"
    log = OwnLog(tmp_path / "x.mcap")
    assert [item for item in log.events() if not isinstance(item, Truth)] == []
    log.close()


@settings(max_examples=8, deadline=None)
@given(
    triggers=st.lists(st.integers(0, 199), max_size=6, unique=True).map(sorted),
    before_s=st.floats(0, 4),
    after_s=st.floats(0, 3),
    longest_s=st.floats(1, 4),
)
def test_whatever_triggers_every_trigger_is_in_a_file_that_replays(
    tmp_path_factory: pytest.TempPathFactory,
    triggers: list[int],
    before_s: float,
    after_s: float,
    longest_s: float,
) -> None:
    folder = tmp_path_factory.mktemp("flights")
    rig = Rig(folder, bounds(before_s, after_s, longest_s))
    for step in range(200):
        rig.feed(happenings(step / 20, (step + 1) / 20))
        if step in triggers:
            rig.trigger(step / 20)
    rig.flight.finish()
    spans: list[tuple[int, int]] = []
    named = 0
    for path in rig.files:
        log = OwnLog(path)
        events = [item for item in log.events() if not isinstance(item, Truth)]
        assert log.whole
        log.close()
        spans.append((events[0].now_ns, events[-1].now_ns))
        join, running = make_join(log.streams, log.about.plan), RunningDigest()
        ticks = [tick for event in events for tick in join.take(event)]
        ticks += join.finish([info.name for info in log.streams], events[-1].now_ns)
        for tick in ticks:
            running.add(digest(tick))
        assert metadata(path, DIGEST)[0]["windows"] == running.hexdigest()
        named += len(metadata(path, TRIGGER))
    assert named == len(triggers)
    for step in triggers:
        since = max(0.0, step / 20 - before_s)
        assert any(first <= at(step / 20) <= last for first, last in spans)
        # What came next after that time: something does every 50 ms.
        first_after = at(since) + 50_000_000
        assert any(first <= first_after and at(step / 20) <= last for first, last in spans)
