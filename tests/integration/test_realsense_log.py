"""RealSense recordings read as logs, held against the camera's own library playing them."""

import struct
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sources.replay.bag import BagLog
from sources.replay.container import Message
from sources.replay.containers import Container
from sources.replay.db3 import Db3Log
from sources.replay.kinds import container_of
from sources.replay.log import open_log
from sources.replay.realsense import RealSenseLog
from streamer.events import Arrived
from streamer.logfile import ChannelSpec, Schema
from streamer.types import ImuBlock, pixels
from tests.needs import shared
from tests.realsense_recording import (
    METRES_PER_UNIT,
    START_MS,
    acceleration,
    colour_pixels,
    depth_units,
    turning,
    write_recording,
)

DEPTH = "/device_0/sensor_0/Depth_0/image/data"
COLOUR = "/device_0/sensor_1/Color_0/image/data"
GYRO, ACCEL = "/device_0/sensor_2/Gyro_0/imu/data", "/device_0/sensor_2/Accel_0/imu/data"


def nothing(path: Path) -> Container:
    raise AssertionError(path)


def opened(path: Path) -> RealSenseLog:
    log = container_of(path, path.read_bytes()[:8], nothing)
    assert isinstance(log, RealSenseLog)
    return log


def played(path: Path) -> dict[str, list[tuple[float, NDArray[Any] | None]]]:
    """What the library gives: milliseconds, and the pixels of depth, by kind."""
    rs: Any = import_module("pyrealsense2")
    device = rs.context().load_device(str(path))
    device.set_real_time(False)
    # It begins with the first sensor that is started, and the others would miss theirs.
    device.pause()
    frames = rs.frame_queue(2000)
    sensors = device.query_sensors()
    for number in range(len(sensors)):
        sensors[number].open(sensors[number].get_stream_profiles())
        sensors[number].start(frames)
    device.resume()
    found: dict[str, list[tuple[float, NDArray[Any] | None]]] = {}
    while True:
        more, frame = frames.try_wait_for_frame(1500)
        if not more:
            break
        kind = frame.profile.stream_type().name
        units = np.asanyarray(frame.get_data()).copy() if kind == "depth" else None
        found.setdefault(kind, []).append((frame.timestamp, units))
    while sensors:
        sensors[-1].stop()
        sensors.pop().close()
    del sensors, frames, device, frame
    return found


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("realsense") / "desk.db3"
    write_recording(path, seconds=1.5)
    return path


def test_a_db3_has_the_pixels_and_stamps_that_the_library_plays(recording: Path) -> None:
    log = opened(recording)
    messages = list(log.messages())
    assert not log.problems
    assert {c.topic: n for c, n in log.topics().items()} == Counter(
        m.channel.topic for m in messages
    )
    log.close()
    library = played(recording)
    topics = {
        "depth": f"{DEPTH}/compressedDepth",
        "color": f"{COLOUR}/compressed",
        "gyro": GYRO,
        "accel": ACCEL,
    }
    for kind, topic in topics.items():
        mine = sorted(m.log_ns for m in messages if m.channel.topic == topic)
        theirs = sorted(t_ms for t_ms, _ in library[kind])
        assert len(mine) == len(theirs) > 15
        assert np.abs(np.array(mine) / 1e6 - np.array(theirs)).max() < 1
    pictures = {
        round(m.log_ns / 1e6): _inside(m.payload)
        for m in messages
        if m.channel.topic == topics["depth"]
    }
    for t_ms, units in library["depth"]:
        assert units is not None
        assert np.array_equal(pictures[round(t_ms)], units)


def _inside(payload: bytes) -> NDArray[Any]:
    """The PNG behind the header of ROS's compressed depth."""
    packed = np.frombuffer(payload[payload.index(b"\x89PNG") :], np.uint8)
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_UNCHANGED))


def test_headers_say_what_the_log_says(recording: Path) -> None:
    log = opened(recording)
    messages = list(log.messages())
    log.close()
    for sent in messages:
        assert _header_ns(sent.payload) == sent.log_ns == sent.publish_ns
    assert min(m.log_ns for m in messages) == START_MS * 1e6
    assert log.start_ns == messages[0].log_ns


def _header_ns(payload: bytes) -> int:
    seconds, nanoseconds = struct.unpack_from("<II", payload, 4)
    return seconds * 10**9 + nanoseconds


def test_reading_begins_where_it_is_asked_to(recording: Path) -> None:
    log = opened(recording)
    from_ns = int(START_MS * 1e6) + 700_000_000
    later = list(log.messages(from_ns))
    assert later == [m for m in log.messages() if m.log_ns >= from_ns]
    assert later
    log.close()


def test_the_unit_of_depth_is_told(recording: Path) -> None:
    bag = shared("recordings/robot_logs/ros1bag/lerobot_realsense_test_rs.bag")
    for path, topic in ((recording, f"{DEPTH}/compressedDepth"), (bag, DEPTH)):
        log = opened(path)
        told = {channel.topic: dict(channel.metadata) for channel in log.topics()}
        assert told[topic] == {"stream": "depth", "modality": "depth", "scale": "0.001"}
        assert all(list(other) == ["stream"] for name, other in told.items() if name != topic)
        log.close()


def test_a_recording_becomes_the_streams_of_its_camera(recording: Path) -> None:
    log = open_log(recording)
    assert {(s.name, s.modality) for s in log.streams} == {
        ("depth", "depth"),
        ("color", "vision"),
        ("imu", "imu"),
    }
    samples = [e.sample for e in log.events() if isinstance(e, Arrived)]
    log.close()
    nearest = next(s for s in samples if s.stream == "depth")
    metres = pixels(nearest)
    expected = depth_units(0) * np.float32(METRES_PER_UNIT)
    assert np.allclose(metres, expected, atol=1e-6)
    colour = next(s for s in samples if s.stream == "color")
    assert np.array_equal(pixels(colour), colour_pixels(0))
    blocks = [s.data for s in samples if isinstance(s.data, ImuBlock)]
    rates = np.concatenate([block.values for block in blocks])
    stamps = np.concatenate([block.t_ns for block in blocks])
    t_s = (stamps - START_MS * 1e6) / 1e9
    assert np.allclose(rates[:, 5], [turning(t)[2] for t in t_s], atol=1e-3)
    assert np.allclose(rates[:, :3], [acceleration(t) for t in t_s], atol=1e-3)


def test_a_bag_has_the_pixels_and_stamps_that_the_library_plays() -> None:
    path = shared("recordings/robot_logs/ros1bag/lerobot_realsense_test_rs.bag")
    log = opened(path)
    messages = list(log.messages())
    assert {c.topic: n for c, n in log.topics().items()} == {DEPTH: 6, COLOUR: 5}
    assert not log.problems
    log.close()
    library = played(path)
    for kind, topic in (("depth", DEPTH), ("color", COLOUR)):
        mine = [m for m in messages if m.channel.topic == topic]
        assert len(mine) == len(library[kind])
        for sent, (t_ms, units) in zip(mine, library[kind], strict=True):
            assert abs(sent.log_ns / 1e6 - t_ms) < 1
            if units is not None:
                # Behind the pixels are four bytes too many.
                stored = np.frombuffer(sent.payload[-units.nbytes - 4 : -4], "<u2")
                assert np.array_equal(stored.reshape(units.shape), units)


class Told:
    """A container of a few messages."""

    def __init__(self, messages: list[Message]) -> None:
        self._messages = messages
        self.problems: Counter[str] = Counter()
        self.start_ns: int | None = 0
        self.end_ns: int | None = 10**9

    def topics(self) -> dict[ChannelSpec, int]:
        return Counter(m.channel for m in self._messages)

    def messages(self, from_ns: int | None = None) -> Iterator[Message]:
        del from_ns
        yield from self._messages

    def close(self) -> None:
        pass


def message(topic: str, t_ns: int, text: str | None = None) -> Message:
    """A reading with the time since the start in its header, or what is told about it."""
    payload = b"\0\1\0\0" + struct.pack("<II", 0, t_ns) + bytes(40)
    if text is not None:
        payload = b"\0\1\0\0" + struct.pack("<I", len(text) + 1) + text.encode() + b"\0"
    channel = ChannelSpec(topic, "cdr", Schema("x/msg/X", "ros2msg", b""))
    return Message(channel, t_ns, t_ns, 0, payload)


def test_the_devices_own_clock_is_moved_to_the_hosts_by_one_step_for_all_its_streams() -> None:
    """
    device clock    5000 ms   5100 ms   5050 ms      gyro, gyro, accel
    host's          90 s      (later)   (later)      only the first frame's counts
    """
    meta = {
        name: topic.replace("/data", "/metadata") for name, topic in (("g", GYRO), ("a", ACCEL))
    }

    def told(stamp: float, system: float) -> str:
        return f"timestamp_domain=Hardware Clock;system_time={system};timestamp={stamp};"

    log = RealSenseLog(
        Told(
            [
                message(GYRO, 1),
                message(meta["g"], 1, told(5000.0, 90_000.0)),
                message(GYRO, 2),
                message(meta["g"], 2, told(5100.25, 90_108.0)),
                message(ACCEL, 3),
                message(meta["a"], 3, told(5050.0, 90_061.5)),
            ]
        )
    )
    assert [m.log_ns for m in log.messages()] == [90_000_000_000, 90_100_250_000, 90_050_000_000]


def test_a_frame_of_which_nothing_is_told_is_counted_and_not_given() -> None:
    meta = GYRO.replace("/data", "/metadata")
    told = "timestamp_domain=Global Time;system_time=0;timestamp=7.5"
    log = RealSenseLog(Told([message(GYRO, 1), message(GYRO, 2), message(meta, 2, told)]))
    assert [m.log_ns for m in log.messages()] == [7_500_000]
    assert log.problems == {"frames without the time at which they were taken": 1}


def test_other_logs_are_left_as_they_are() -> None:
    path = shared("recordings/robot_logs/ros1bag_fixtures/example.bag")
    log = container_of(path, b"#ROSBAG V2.0", nothing)
    assert isinstance(log, BagLog)
    log.close()
    path = shared("recordings/robot_logs/ros2_small/talker.db3")
    other = container_of(path, b"SQLite format 3\0", nothing)
    assert isinstance(other, Db3Log)
    other.close()
    assert container_of(path, b"\x89MCAP0\r\n", nothing) is None
