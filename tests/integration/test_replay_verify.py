"""`streamer replay --verify`: what is as it was recorded passes, and nothing else does."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from encoders.noop import OpenNoop
from sinks.mcap.file import McapFile
from sources.recording.about import About
from sources.recording.digest import RunningDigest
from sources.recording.encode import Pictures
from sources.recording.journal import Took
from sources.recording.recording import Recording
from sources.replay.own import OwnLog
from sources.replay.stored import told
from streamer.cli.replay.compare import Stored
from streamer.cli.replay.verify import Reference, Verifier
from streamer.cli.times import date
from streamer.errors import SourceLost
from streamer.events import Arrived
from streamer.types import Embedding, Ledger, Quality, Sample, Span, Truth
from tests import replay_logs
from tests.replay_logs import MS, START_NS, Step, happened, rewrite, shuffled, verdict, write

Edit = Callable[[list[Step]], list[Step]]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logs") / "sound.mcap"
    write(path)
    return path


def ending(t_ns: int) -> str:
    """The end of the first window that holds an instant, as results say it."""
    return date((t_ns // (500 * MS) + 1) * 500 * MS)


def test_a_log_passes_as_it_was_recorded(sound: Path) -> None:
    status, line = verdict(sound)
    assert status == 0, line
    assert line.startswith("pass: 36 windows in 9 ticks agree"), line


def test_a_log_passes_when_it_is_written_again_unchanged(sound: Path, tmp_path: Path) -> None:
    rewrite(sound, tmp_path / "same.mcap", lambda found: found)
    assert verdict(tmp_path / "same.mcap")[0] == 0


def test_the_last_word_counts_too(sound: Path, tmp_path: Path) -> None:
    """Every tick agrees, and the digest of them all does not."""
    rewrite(sound, tmp_path / "other.mcap", lambda found: found, windows="00" * 32)
    status, line = verdict(tmp_path / "other.mcap")
    assert status == 1
    assert "the digest of all windows (recorded 00000000" in line


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_order_within_the_lateness_changes_no_window(
    sound: Path, tmp_path: Path, seed: int
) -> None:
    rewrite(sound, tmp_path / "mixed.mcap", shuffled(replay_logs.PLAN.lateness_ns, seed))
    status, line = verdict(tmp_path / "mixed.mcap")
    assert status == 0, line


def at(found: list[Step], stream: str, number: int) -> int:
    """Where the sample of a stream is, by its number."""
    return [n for n, step in enumerate(found) if step.sample and step.sample.stream == stream][
        number
    ]


def taken_ns(found: list[Step], place: int) -> int:
    took = found[place].sample
    assert took is not None
    return took.t_ns


def one_bit(found: list[Step]) -> list[Step]:
    place = at(found, "camera", 21)
    (message,) = found[place].messages
    payload = bytearray(message.payload)
    payload[len(payload) // 2] ^= 1
    changed = message._replace(payload=bytes(payload))
    return [*found[:place], Step(found[place].entry, (changed,)), *found[place + 1 :]]


def one_less(found: list[Step]) -> list[Step]:
    place = at(found, "microphone", 43)
    return found[:place] + found[place + 1 :]


def one_later(found: list[Step]) -> list[Step]:
    place = at(found, "depth", 11)
    entry = found[place].entry
    assert isinstance(entry, Took)
    moved = Step(replace(entry, t_ns=entry.t_ns + 1), found[place].messages)
    return [*found[:place], moved, *found[place + 1 :]]


def two_swapped(found: list[Step]) -> list[Step]:
    """Their places in the order, far enough apart for the older one to come too late."""
    first, second = at(found, "imu", 22), at(found, "imu", 32)
    a, b = found[first], found[second]
    assert isinstance(a.entry, Took)
    assert isinstance(b.entry, Took)
    edited = list(found)
    edited[first] = Step(replace(b.entry, now_ns=a.entry.now_ns), b.messages)
    edited[second] = Step(replace(a.entry, now_ns=b.entry.now_ns), a.messages)
    return edited


@pytest.mark.parametrize(
    ("edit", "stream", "t_ns"),
    [
        pytest.param(one_bit, "camera", START_NS + 2100 * MS, id="one bit of a picture"),
        pytest.param(one_less, "microphone", START_NS + 2150 * MS, id="one block of sound less"),
        pytest.param(one_later, "depth", START_NS + 2200 * MS, id="one stamp a nanosecond later"),
        # The newer one comes early, and what is between it and the older one too late.
        pytest.param(two_swapped, "imu", START_NS + 1100 * MS, id="two blocks swapped"),
    ],
)
def test_one_change_fails_and_is_named(
    sound: Path, tmp_path: Path, edit: Edit, stream: str, t_ns: int
) -> None:
    rewrite(sound, tmp_path / "changed.mcap", edit)
    assert told(tmp_path / "changed.mcap").damage == "", "its checksums are right"
    status, line = verdict(tmp_path / "changed.mcap")
    assert status == 1
    expected = f"FAIL: first difference: {stream} window ending {ending(t_ns)} (recorded "
    assert line.startswith(expected), line
    assert ", replayed " in line


def test_no_flipped_byte_anywhere_passes(sound: Path, tmp_path: Path) -> None:
    content = sound.read_bytes()
    numbers = np.random.default_rng(3)
    end = len(content)
    # Everywhere, and more of them where the end, the indexes and the beginning are.
    places = {int(n) for n in numbers.integers(0, end, 40)}
    places |= {int(n) for n in numbers.integers(end - 2000, end, 20)} | {0, 8, 9, 20, end - 1}
    path = tmp_path / "flipped.mcap"
    for place in sorted(places):
        changed = bytearray(content)
        changed[place] ^= 1 << int(numbers.integers(0, 8))
        path.write_bytes(changed)
        try:
            damage = told(path).damage
        except SourceLost as error:
            damage = str(error)
        assert damage, f"a flipped bit of byte {place} of {end} was not seen"
    status, line = verdict(path)
    assert status == 1
    assert line.startswith("FAIL: the log is damaged: "), line


@pytest.mark.parametrize("place", [-1, -9, -20, -400])
def test_a_flipped_byte_fails_as_a_whole(sound: Path, tmp_path: Path, place: int) -> None:
    changed = bytearray(sound.read_bytes())
    changed[place] ^= 255
    (tmp_path / "flipped.mcap").write_bytes(changed)
    status, line = verdict(tmp_path / "flipped.mcap")
    assert (status, line[:5]) == (1, "FAIL:"), line


def test_a_log_that_was_cut_off_proves_nothing_but_agrees_as_far_as_it_goes(
    tmp_path: Path,
) -> None:
    write(tmp_path / "killed.mcap", finish=False)
    status, line = verdict(tmp_path / "killed.mcap")
    assert status == 2
    assert line.startswith("unknown: the log has no digest at its end"), line
    assert "windows in" in line
    assert " agree" in line


def test_a_log_that_was_cut_off_fails_where_it_differs(tmp_path: Path) -> None:
    write(tmp_path / "whole.mcap")
    rewrite(tmp_path / "whole.mcap", tmp_path / "killed.mcap", one_bit)
    replay_logs.cut_off(tmp_path / "killed.mcap")
    status, line = verdict(tmp_path / "killed.mcap")
    assert status == 1
    assert "camera window" in line


def test_a_log_whose_recorder_left_something_out_proves_nothing(tmp_path: Path) -> None:
    about = About(True, replay_logs.STREAMS, replay_logs.PLAN, START_NS, config=replay_logs.CONFIG)
    recording = Recording(McapFile(tmp_path / "lossy.mcap"), about)
    for event in happened():
        if not isinstance(event, Truth):
            recording.take(event)
    recording.lose("camera", "queue", 3)
    recording.finish()
    status, line = verdict(tmp_path / "lossy.mcap")
    assert status == 2
    assert "its recorder left out 3 (queue); 36 windows in 9 ticks agree" in line


def test_parts_of_a_run_verify_on_their_own(tmp_path: Path) -> None:
    """As a rotated file has them: it begins and ends anywhere."""
    events = [event for event in happened() if not isinstance(event, Truth)]
    for number, (first, last) in enumerate([(0, 160), (160, 301), (97, 250)]):
        path = tmp_path / f"part{number}.mcap"
        write(path, events[first:last])
        status, line = verdict(path)
        assert status == 0, line


def test_a_run_from_files_verifies(tmp_path: Path) -> None:
    """Streams end early, and none has a clock."""
    events = [replace(e, live=False) for e in happened() if isinstance(e, Arrived)]
    write(tmp_path / "files.mcap", events, live=False)
    status, line = verdict(tmp_path / "files.mcap")
    assert status == 0, line


def test_samples_that_are_wrong_are_wrong_again(tmp_path: Path) -> None:
    """Too late, from the future, twice: a replay drops what the run dropped."""
    events = happened()
    camera = [
        n for n, e in enumerate(events) if isinstance(e, Arrived) and e.sample.stream == "camera"
    ]
    late, twice, future = (events[camera[n]] for n in (5, 8, 9))
    assert isinstance(late, Arrived)
    assert isinstance(twice, Arrived)
    assert isinstance(future, Arrived)

    def again(event: Arrived, by_ns: int) -> Arrived:
        sample: Sample = replace(event.sample, t_ns=event.sample.t_ns + by_ns)
        return replace(event, sample=sample)

    events.insert(camera[30], again(late, 0))
    events.insert(camera[8] + 1, again(twice, 0))
    events.insert(camera[9] + 1, again(future, 60_000 * MS))
    write(tmp_path / "wrong.mcap", events)
    status, line = verdict(tmp_path / "wrong.mcap")
    assert status == 0, line


@pytest.mark.parametrize(("pictures", "failed"), [("h264", False), ("jpeg", False), ("png", True)])
def test_streams_whose_pictures_lost_something_are_held_to_less(
    tmp_path: Path, pictures: Pictures, failed: bool
) -> None:
    write(tmp_path / "log.mcap", happened(1), pictures=pictures)
    log = OwnLog(tmp_path / "log.mcap")
    made = Embedding(
        stream="camera",
        modality="vision",
        span=Span(START_NS, START_NS + 1),
        vector=np.array([0.995, 0.0999], np.float32),
        model="noop",
        quality=Quality(1.0),
        labels=None,
        ledger=Ledger(0, 0),
    )
    stored = Stored(made.span.end_ns, made.stream, np.array([1, 0], np.float32))
    summary = {"windows": RunningDigest().hexdigest()}
    reference = Reference(iter(()), iter([stored]), summary, 1, "", "", {})
    verifier = Verifier(reference, OpenNoop(2), START_NS)
    for event in log.events():
        if not isinstance(event, Truth):
            verifier.heard(event, ())
    log.close()
    asyncio.run(verifier.publish(made))
    assert (verifier.verdict(stopped=False)[0] == 1) == failed
