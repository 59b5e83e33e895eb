"""`streamer log` as a user meets it: new logs, an exit status, one-line errors, nothing half."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from typer.testing import CliRunner

from sinks.mcap.file import McapFile
from sources.recording.about import About
from sources.recording.excerpt import Fresh, Mark
from sources.recording.flight import Bounds, Flight
from sources.recording.format import DIGEST
from sources.recording.recording import Recording
from sources.recording.video import VideoFrame
from sources.replay.container import MAGIC, Chunk, McapLog
from sources.replay.log import open_log
from sources.replay.own import OwnLog
from streamer.cli.log.newfile import new_file
from streamer.cli.log.span import span
from streamer.cli.main import app
from streamer.errors import ConfigError
from streamer.events import Arrived, Event
from streamer.types import NS_PER_S, Truth
from tests import replay_logs
from tests.e2e.command import Result, started
from tests.foreignlogs import T0_NS, ForeignWriter, foreign
from tests.happenings import ABOUT, at, ended, happenings
from tests.needs import shared

MS = 1_000_000
RATES_HZ = {"camera": 10, "depth": 5, "imu": 200, "microphone": 8000}
GAP, LOSS = (200, 20, 20), (214, 120, 0)
LONG = 80_000_000
NOOP = ("--set", "encoder={kind: noop}")


def command(*arguments: str | Path) -> Result:
    """In this process: the command, its exit status and what it wrote."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Result(done.exit_code, done.stdout, done.stderr)


def made(*arguments: str | Path) -> dict[str, Any]:
    done = command("log", *arguments, "--json")
    assert done.code == 0, done.err
    assert done.report["ok"]
    return done.report


def verified(path: Path) -> str:
    """The line of a replay that passes."""
    done = command("replay", path, "--speed", "max", "--verify")
    assert done.code == 0, done.out + done.err
    return done.out


def digest(path: Path) -> str:
    log = McapLog(path)
    told = log.metadata(DIGEST)
    log.close()
    assert told is not None
    return told["windows"]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five seconds of four sensors."""
    path = tmp_path_factory.mktemp("logs") / "log.mcap"
    replay_logs.write(path)
    return path


@pytest.fixture(scope="module")
def short(log: Path) -> Path:
    """The same, cut off in its last chunk."""
    path = log.with_name("short.mcap")
    path.write_bytes(log.read_bytes())
    replay_logs.cut_off(path)
    return path


@pytest.fixture(scope="module")
def holed(log: Path) -> Path:
    """The camera is silent for a second, and the recorder has left out seven of its pictures."""
    path = log.with_name("holed.mcap")
    began_ns = replay_logs.START_NS
    about = About(True, replay_logs.STREAMS, replay_logs.PLAN, began_ns, config=replay_logs.CONFIG)
    recording = Recording(McapFile(path), about)
    for number, event in enumerate(replay_logs.happened()):
        if isinstance(event, Truth) or _silent(event, began_ns + 2 * NS_PER_S):
            continue
        recording.take(event)
        if number == 120:
            recording.lose("camera", "queue", 7)
        if number % 40 == 39:
            recording.close_chunk()
    recording.finish()
    return path


def _silent(event: Event, from_ns: int) -> bool:
    return (
        isinstance(event, Arrived)
        and event.sample.stream == "camera"
        and from_ns <= event.sample.t_ns < from_ns + NS_PER_S
    )


# -- info --------------------------------------------------------------------------------------


def test_info_tells_of_a_whole_log(log: Path) -> None:
    told = made("info", log)
    assert (told["container"], told["whole"], told["indexed"]) == ("MCAP", True, True)
    assert told["bytes"] == told["read_to"] == log.stat().st_size
    assert told["digest"] == digest(log)
    assert (told["problems"], told["lost"], told["recovered"]) == ([], {}, None)
    assert told["recorded"]["live"]
    assert told["recorded"]["configuration"]
    assert {name: each["rate_hz"] for name, each in told["streams"].items()} == RATES_HZ
    assert told["streams"]["camera"]["forms"] == {"jpeg 16x12": 50}
    assert all(not each["gaps"] for each in told["streams"].values())
    assert "whole, indexed" in command("log", "info", log).err


def test_info_tells_of_what_is_cut_off_and_ends_well(short: Path) -> None:
    done = command("log", "info", short, "--json")
    assert done.code == 0, done.err
    told = done.report
    assert (told["whole"], told["indexed"], told["digest"]) == (False, False, None)
    assert 0 < told["read_to"] < told["bytes"]
    assert any("cut off" in problem for problem in told["problems"])
    assert f"cut off at byte {told['read_to']}" in done.err
    assert "no final digest" in done.err
    # What is before the end is as it was.
    assert told["streams"]["imu"]["rate_hz"] == RATES_HZ["imu"]


def test_info_tells_what_the_recorder_left_out_and_where_a_stream_was_silent(holed: Path) -> None:
    done = command("log", "info", holed, "--json")
    told = done.report
    assert told["lost"] == {"camera": {"queue": 7}}
    (gap,) = told["streams"]["camera"]["gaps"]
    assert gap == {"start_ns": replay_logs.START_NS + 2 * NS_PER_S, "seconds": 1.0}
    assert not told["streams"]["depth"]["gaps"]
    assert "left out by the recorder: camera: 7 queue" in done.err


def rows_with(picture: NDArray[np.uint8], colour: tuple[int, int, int]) -> set[int]:
    """Which of the streams' rows, below the head with its legend, have pixels of that colour."""
    body = picture[69:-50]
    rows = np.array_split(body, len(RATES_HZ))
    return {n for n, row in enumerate(rows) if (row == np.array(colour)).all(axis=2).sum() > 9}


def test_a_plot_has_a_row_a_stream_and_a_gap_in_the_row_of_its_own(
    log: Path, holed: Path, tmp_path: Path
) -> None:
    drawn: list[NDArray[np.uint8]] = []
    for path in (log, holed):
        plot = tmp_path / f"{path.stem}.png"
        made("info", path, "--plot", plot)
        picture = cv2.imread(str(plot))
        assert picture is not None
        drawn.append(np.asarray(picture[:, :, ::-1], np.uint8))
    assert rows_with(drawn[0], GAP) == rows_with(drawn[0], LOSS) == set()
    assert rows_with(drawn[1], GAP) == rows_with(drawn[1], LOSS) == {0}
    assert drawn[0].shape == drawn[1].shape
    assert names(tmp_path) == {"log.png", "holed.png"}


def test_what_is_no_log_is_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "none.mcap", Path("README.md")):
        done = command("log", "info", path, "--json")
        assert done.code == 1
        assert len(done.err.splitlines()) == 1
        assert done.report == {"command": "log info", "ok": False, "errors": done.report["errors"]}


# -- new logs ----------------------------------------------------------------------------------


def test_cuts_that_follow_each_other_merge_into_the_run_they_were(
    log: Path, tmp_path: Path
) -> None:
    first, second, both = (tmp_path / f"{name}.mcap" for name in ("first", "second", "both"))
    some = ("--streams", "camera,imu")
    told = made("cut", log, "-o", first, "--to", "2.5", *some)
    assert set(told["samples"]) == {"camera", "imu"}
    assert told["seconds"] < 2.5
    assert told["windows"] == digest(first)
    made("cut", log, "-o", second, "--from", "2.5", "--to", "0:05", *some)
    for path in (first, second):
        assert verified(path).startswith("pass: ")
    joined = made("merge", second, first, "-o", both)
    whole = made("cut", log, "-o", tmp_path / "whole.mcap", "--to", "5", *some)
    assert joined["samples"] == whole["samples"]
    assert joined["windows"] == whole["windows"] == digest(both)
    assert joined["ticks"] > 5
    verified(both)
    recorded = made("info", both)["recorded"]
    assert recorded["made"] == "merged from second.mcap, first.mcap"
    done = command("log", "merge", first, both, "-o", tmp_path / "twice.mcap")
    assert done.code == 2
    assert "both have camera, imu at the same time" in done.err


def test_a_cut_of_video_begins_with_a_picture(tmp_path: Path) -> None:
    film, part = tmp_path / "film.mcap", tmp_path / "part.mcap"
    recording = Recording(McapFile(film), ABOUT, "h264")
    for number, event in enumerate([*happenings(0, 4), ended(4)]):
        recording.take(event)
        if number % 40 == 39:
            recording.close_chunk()
    recording.finish()
    told = made("cut", film, "-o", part, "--from", "1.7", "--to", "3.2")
    assert 14 <= told["samples"]["cam"] <= 16
    assert made("info", part)["whole"]
    opened = OwnLog(part)
    seen = [e.sample.data for e in opened.events(("cam",)) if isinstance(e, Arrived)]
    opened.close()
    for frame in seen:
        assert isinstance(frame, VideoFrame)
        assert frame.array().shape == (24, 32, 3)
    assert told["ticks"]
    done = command("replay", part, "--speed", "max", "--verify", *NOOP)
    assert done.code == 0, done.out + done.err


def test_a_truncated_log_is_recovered_and_replays_as_far_as_it_goes(
    short: Path, tmp_path: Path
) -> None:
    saved = tmp_path / "saved.mcap"
    done = command("log", "recover", short, "-o", saved, "--json")
    assert done.code == 0, done.err
    told = done.report
    assert told["bytes_lost"] == short.stat().st_size - told["bytes_read"] > 0
    assert not told["digest"]
    assert any("cut off" in cause for cause in told["problems"])
    info = made("info", saved)
    assert info["whole"]
    assert info["indexed"]
    assert info["digest"] is None
    assert info["recovered"]["bytes_lost"] == str(told["bytes_lost"])
    before = made("info", short)["streams"]
    assert {n: s["samples"] for n, s in info["streams"].items()} == {
        n: s["samples"] for n, s in before.items()
    }
    replayed = command("replay", saved, "--speed", "max", "--verify")
    assert replayed.code == 2  # nothing is wrong, and nothing is proved
    assert replayed.out.startswith("unknown: ")


def test_a_flight_recording_verifies(tmp_path: Path) -> None:
    path = tmp_path / "flight.mcap"
    bounds = Bounds(2 * NS_PER_S, NS_PER_S, 60 * NS_PER_S, 64 << 20)
    flight = Flight(ABOUT, lambda at_ns: Fresh(McapFile(path), 1 << 40), bounds, lambda: None)
    for event in happenings(0, 8):
        flight.take(event)
        flight.pace()
        if event.now_ns == at(5):
            flight.trigger(Mark("a test", at(5)))
    assert flight.state == "armed"
    done = command("replay", path, "--speed", "max", "--verify", *NOOP)
    assert done.code == 0, done.out + done.err
    assert done.out.startswith("pass: ")
    assert " 0 windows" not in done.out
    assert made("info", path)["digest"] == digest(path)


# -- logs of others ----------------------------------------------------------------------------


def _mcap(folder: Path) -> Path:
    path = folder / "plain.mcap"
    with foreign(path) as writer:
        for n in range(60):
            t_ns = T0_NS + n * 50 * MS
            writer.imu("/imu", t_ns, (0.0, 0.0, 9.8, 0.1, 0.2, n / 60))
            if n % 2 == 0:
                picture = np.full((12, 16, 3), n, np.uint8)
                writer.image("/front/image_raw", t_ns, "rgb8", picture)
    return path


class _Bag(ForeignWriter):
    """The same messages into a bag of ROS 2."""

    def __init__(self, bag: Writer) -> None:
        self._bag = bag
        self._ros2 = get_typestore(Stores.ROS2_HUMBLE)
        self._connections: dict[str, Connection] = {}

    def raw(
        self,
        topic: str,
        encoding: str,
        schema: tuple[str, str, bytes] | None,
        log_ns: int,
        payload: bytes,
    ) -> None:
        assert encoding == "cdr"
        assert schema is not None
        if topic not in self._connections:
            self._connections[topic] = self._bag.add_connection(
                topic, schema[0], typestore=self._ros2
            )
        self._bag.write(self._connections[topic], log_ns, payload)


def _db3(folder: Path) -> Path:
    with Writer(folder / "bag", version=8, storage_plugin=StoragePlugin.SQLITE3) as bag:
        writer = _Bag(bag)
        for n in range(60):
            writer.imu("/imu", T0_NS + n * 50 * MS, (0.0, 0.0, 9.8, 0.1, 0.2, n / 60))
    (path,) = (folder / "bag").glob("*.db3")
    return path


def _shared(name: str) -> Callable[[Path], Path]:
    return lambda folder: shared(f"recordings/robot_logs/{name}")


@pytest.mark.parametrize(
    ("given", "container", "samples"),
    [
        pytest.param(_mcap, "MCAP", {"front": 30}, id="mcap"),
        pytest.param(_db3, "ROS 2 bag (SQLite)", {"imu": 30}, id="db3"),
        pytest.param(
            _shared("ros1bag/imut_sparkfun_razor_b.bag"),
            "ROS 1 bag",
            {"imu-data_raw": 289},
            id="ros1",
        ),
        pytest.param(
            _shared("ros1bag/lerobot_realsense_test_rs.bag"),
            "ROS 1 bag",
            {"depth": 6, "color": 5},
            id="realsense",
        ),
        pytest.param(
            _shared("vrs/gen1__aria_unit_test_timecode_sequence_calib.vrs"),
            "VRS",
            {"camera-rgb": 4, "camera-eyes": 4},
            id="vrs",
        ),
    ],
)
def test_a_log_of_others_is_told_about_and_becomes_one_of_ours(
    given: Callable[[Path], Path], container: str, samples: dict[str, int], tmp_path: Path
) -> None:
    path, ours = given(tmp_path), tmp_path / "ours.mcap"
    told = made("info", path)
    assert told["container"] == container
    assert told["recorded"] is None
    assert told["seconds"] > 0
    counts = {name: each["samples"] for name, each in told["streams"].items()}
    assert counts.items() >= samples.items()
    done = made("convert", path, "-o", ours)
    assert done["samples"] == counts
    assert done["windows"] == digest(ours)
    again = made("info", ours)
    assert again["whole"]
    assert {name: each["samples"] for name, each in again["streams"].items()} == counts
    assert again["recorded"]["made"] == f"converted from {path.name}"
    if done["ticks"]:
        verified(ours)
    else:
        short = command("replay", ours, "--speed", "max", "--verify")
        assert short.code == 2
        assert "too short for a window" in short.out


def test_a_bag_without_sensors_is_told_about_and_not_converted(tmp_path: Path) -> None:
    path = shared("recordings/robot_logs/ros2_small/talker.db3")
    told = made("info", path)
    assert told["container"] == "ROS 2 bag (SQLite)"
    assert told["streams"] == {}
    assert {c["topic"]: c["messages"] for c in told["channels"]}["/topic"] > 0
    done = command("log", "convert", path, "-o", tmp_path / "ours.mcap")
    assert done.code == 1
    assert "expected pictures, sound or motion, found none" in done.err
    assert names(tmp_path) == set()


def test_how_long_a_log_is_said_without_reading_it(log: Path, short: Path, tmp_path: Path) -> None:
    for path in (log, _mcap(tmp_path)):
        opened = open_log(path)
        times = [e.now_ns for e in opened.events() if not isinstance(e, Truth)]
        found = span(opened)
        opened.close()
        assert found is not None
        # Stamps of what was captured stand for the times at which it came.
        assert np.abs(np.subtract(found, (times[0], times[-1]))).max() <= NS_PER_S // 2
    opened = open_log(short)
    assert span(opened) is None
    opened.close()


# -- nothing half, and nothing over anything ---------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["cut", "LOG", "-o", "new.mcap", "--from", "3", "--to", "2"], 2, "--to: expected a time"),
        (["cut", "LOG", "-o", "new.mcap", "--from", "x"], 2, "--from"),
        (["cut", "LOG", "-o", "new.mcap", "--from", "60"], 1, "nothing happened in that time"),
        (["cut", "LOG", "-o", "new.mcap", "--streams", "lidar"], 2, "expected some of camera"),
        (["cut", "README", "-o", "new.mcap"], 1, "README.md"),
        (["merge", "LOG", "-o", "new.mcap"], 2, "expected two logs or more, got 1"),
        (["merge", "LOG", "README", "-o", "new.mcap"], 1, "README.md"),
        (["convert", "README", "-o", "new.mcap"], 1, "expected a log"),
        (["recover", "README", "-o", "new.mcap"], 1, "README.md"),
        (["recover", "BARE", "-o", "new.mcap"], 1, "nothing in it can be recovered"),
        (["convert", "LOG", "-o", "none/new.mcap"], 2, "expected a folder to write to"),
        (["info", "LOG", "--plot", "new.jpg"], 2, "expected a name that ends in .png"),
        (["info", "LOG", "--plot", "none/new.png"], 2, "expected a folder to write to"),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(
    log: Path, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    bare = tmp_path / "bare.mcap"
    bare.write_bytes(MAGIC)
    places: dict[str, Path] = {"LOG": log, "README": Path("README.md").resolve(), "BARE": bare}
    words = [
        str(places.get(word, tmp_path / word if "new" in word else word)) for word in arguments
    ]
    done = command("log", *words)
    assert done.code == code, done.err
    (line,) = done.err.splitlines()
    assert message in line
    assert names(tmp_path) == {"bare.mcap"}


@pytest.mark.parametrize("verb", ["cut", "convert", "merge", "recover", "info"])
@pytest.mark.parametrize("there", ["file", "folder", "dangling"])
def test_nothing_is_written_over(log: Path, tmp_path: Path, verb: str, there: str) -> None:
    path = tmp_path / "there.png"
    if there == "file":
        path.write_text("mine")
    elif there == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "nowhere")
    logs = [log]
    if verb == "merge":
        logs = [tmp_path / "imu.mcap", tmp_path / "camera.mcap"]
        for part in logs:
            made("cut", log, "-o", part, "--streams", part.stem)
    before = names(tmp_path)
    done = command("log", verb, *logs, "--plot" if verb == "info" else "-o", path)
    assert done.code == 2
    assert "there already; nothing is written over" in done.err
    assert names(tmp_path) == before
    assert there != "file" or path.read_text() == "mine"


def test_what_comes_while_a_file_is_written_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "new.txt"

    def write() -> None:
        with new_file(path) as part:
            part.write_text("ours")
            path.write_text("theirs")

    with pytest.raises(ConfigError, match="there already"):
        write()
    assert path.read_text() == "theirs"
    assert names(tmp_path) == {"new.txt"}


@pytest.fixture(scope="module")
def long(log: Path) -> Iterator[Path]:
    """Two chunks of the log, over and over: a second of work for `recover`."""
    path, data = log.with_name("long.mcap"), log.read_bytes()
    opened = McapLog(log)
    first, _, third = [part.offset for part in _chunks(opened)][:3]
    opened.close()
    with path.open("wb") as file:
        file.write(data[:first])
        many = data[first:third] * 20
        for _ in range(LONG // len(many)):
            file.write(many)
    yield path
    path.unlink()


def _chunks(log: McapLog) -> Iterator[Chunk]:
    return (part for part in log.parts() if isinstance(part, Chunk))


def test_signals_leave_nothing_half(long: Path, tmp_path: Path) -> None:
    numbers = signal.SIGINT, signal.SIGTERM
    with ExitStack() as stack:
        writing: dict[signal.Signals, subprocess.Popen[str]] = {}
        for number in numbers:
            output = tmp_path / f"{number.name}.mcap"
            each = writing[number] = started("log", "recover", str(long), "-o", str(output))
            stack.callback(each.communicate)
            stack.callback(each.kill)
        for number in as_they_grow(tmp_path, writing):
            writing[number].send_signal(number)
        for number, each in writing.items():
            out, err = each.communicate(timeout=100)
            assert each.returncode == 128 + number, out + err
            assert "Traceback" not in err
    assert names(tmp_path) == set()


def as_they_grow(
    folder: Path, writing: dict[signal.Signals, subprocess.Popen[str]]
) -> Iterator[signal.Signals]:
    """Each as soon as its file, under its other name, has something in it."""
    waiting = set(writing)
    deadline = perf_counter() + 100
    while waiting:
        assert perf_counter() < deadline, waiting
        for number in sorted(waiting):
            parts = folder.glob(f".{number.name}.mcap.*.part")
            if any(path.stat().st_size > 1000 for path in parts):
                waiting.remove(number)
                yield number
            else:
                with pytest.raises(subprocess.TimeoutExpired):  # it has not ended first
                    writing[number].wait(0.01)


def test_after_a_signal_its_handler_is_what_it_was(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def write() -> None:
        with new_file(tmp_path / "new") as part:
            part.write_text("half")
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as left:
        write()
    assert left.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before
    assert names(tmp_path) == set()


def test_the_report_of_an_error_is_json_too(log: Path, tmp_path: Path) -> None:
    done = command("log", "cut", log, "-o", tmp_path / "x.mcap", "--streams", "x", "--json")
    assert done.code == 2
    assert not json.loads(done.out)["ok"]
