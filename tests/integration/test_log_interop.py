"""Our logs, opened without this program: by the plain `mcap` library and by `rosbags`."""

import asyncio
import json
from collections import defaultdict
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import av
import cbor2
import cv2
import numpy as np
import pytest
from mcap.reader import make_reader
from mcap.writer import Writer
from mcap_protobuf.decoder import DecoderFactory
from numpy.typing import NDArray
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from benchmarks.world_log import make_world_log
from configs.load import load
from configs.record import Record
from encoders.noop import NoopEncoder
from sinks.mcap.file import McapFile
from sources.recording.about import About
from sources.recording.encode import Pictures
from sources.recording.recording import Recording
from sources.world import live
from sources.world.source import World
from streamer.cli import session
from streamer.events import Arrived
from streamer.plan import Plan
from streamer.types import NS_PER_S, ClockCard, ImuBlock, Sample, StreamInfo
from tests.needs import ROOT

SECONDS = 2.0


class One(NamedTuple):
    schema: Any
    channel: Any
    message: Any
    decoded: Any


def messages(path: Path) -> dict[str, list[One]]:
    """By topic, protobuf decoded from the schemas in the file, the rest as bytes."""
    found: dict[str, list[One]] = defaultdict(list)
    factory = DecoderFactory()
    with path.open("rb") as file:
        for schema, channel, message in make_reader(file).iter_messages():
            decode = factory.decoder_for(channel.message_encoding, schema)
            data = message.data if decode is None else decode(message.data)
            found[channel.topic].append(One(schema, channel, message, data))
    return found


def metadata(path: Path) -> dict[str, dict[str, str]]:
    with path.open("rb") as file:
        return {entry.name: entry.metadata for entry in make_reader(file).iter_metadata()}


@pytest.fixture(scope="module", params=["jpeg", "png", "h264"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A log of two seconds of the simulated robot, with its name of pictures."""
    path = tmp_path_factory.mktemp("logs") / "world.mcap"
    make_world_log(path, SECONDS, request.param)
    return request.param, messages(path), metadata(path)


World_ = tuple[Pictures, dict[str, list[One]], dict[str, dict[str, str]]]


def nanoseconds(stamp: Any) -> int:
    return stamp.seconds * NS_PER_S + stamp.nanos


def drawn(modality: Any, number: int) -> NDArray[Any]:
    """What the sensor saw."""
    capture = list(live.captures(modality, round(SECONDS * NS_PER_S)))[number]
    return np.asarray(live.data(0, capture, 0, 200))


def test_pictures_are_what_the_camera_saw(world: World_) -> None:
    pictures, found, _ = world
    shown = list(_shown(found["/camera"], pictures))
    assert len(shown) == 60
    for number in (0, 31, 59):
        error = np.abs(shown[number].astype(int) - drawn("vision", number))
        if pictures == "png":
            assert error.max() == 0
        else:
            assert error.mean() < 4


def _shown(camera: list[One], pictures: Pictures) -> Any:
    """RGB, as any program would decode it."""
    if pictures != "h264":
        for one in camera:
            assert one.schema.name == "foxglove.CompressedImage"
            assert one.decoded.format == pictures
            picture = cv2.imdecode(np.frombuffer(one.decoded.data, np.uint8), cv2.IMREAD_COLOR)
            yield np.asarray(picture)[:, :, ::-1]
        return
    assert {one.schema.name for one in camera} == {"foxglove.CompressedVideo"}
    assert {one.decoded.format for one in camera} == {"h264"}
    # One frame a message, and none ahead of its turn: a decoder gives one for each.
    decoder: Any = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    for one in camera:
        (frame,) = decoder.decode(av.Packet(one.decoded.data))
        yield frame.to_ndarray(format="rgb24")


def test_stamps_are_those_of_the_capture(world: World_) -> None:
    _, found, _ = world
    for topic, per_second in {
        "/camera": 30,
        "/depth": 30,
        "/thermal": 9,
        "/microphone": 20,
    }.items():
        stamps = [one.message.log_time for one in found[topic]]
        assert len(stamps) == SECONDS * per_second
        assert stamps == [nanoseconds(one.decoded.timestamp) for one in found[topic]]
        assert stamps == [one.message.publish_time for one in found[topic]]
        assert [one.message.sequence for one in found[topic]] == list(range(len(stamps)))


def test_depth_and_heat_are_sixteen_bits_with_their_unit(world: World_) -> None:
    pictures, found, _ = world
    for topic, modality, unit, error in (
        ("/depth", "depth", "m", 0.0006),
        ("/thermal", "thermal", "degC", 0.006),
    ):
        one = found[topic][3]
        assert one.schema.name == "foxglove.RawImage"
        seen = drawn(modality, 3)
        assert (one.decoded.height, one.decoded.width) == seen.shape
        if pictures == "png":
            assert (one.decoded.encoding, one.decoded.step) == ("32FC1", 4 * seen.shape[1])
            stored = np.frombuffer(one.decoded.data, "<f4").reshape(seen.shape)
            assert (stored == seen).all()
            continue
        assert (one.decoded.encoding, one.decoded.step) == ("16UC1", 2 * seen.shape[1])
        stored = np.frombuffer(one.decoded.data, "<u2").reshape(seen.shape)
        told = one.channel.metadata
        assert told["unit"] == unit
        values = stored * float(told["scale"]) + float(told["offset"])
        assert np.abs(values - seen).max() < error


def test_sound_is_sixteen_bits(world: World_) -> None:
    _, found, _ = world
    one = found["/microphone"][5]
    assert one.schema.name == "foxglove.RawAudio"
    told = one.decoded
    assert (told.format, told.sample_rate, told.number_of_channels) == ("pcm-s16", 16_000, 1)
    capture = list(live.captures("audio", NS_PER_S))[5]
    heard: Any = live.data(0, capture, 0, 200)
    levels = np.frombuffer(told.data, "<i2")
    assert len(levels) == 800
    assert np.abs(levels / 32768 - np.clip(heard.samples, -1, 1)).max() < 2 / 32768


def test_metadata_says_what_the_run_was(world: World_) -> None:
    _, _, told = world
    assert list(told) == ["streamer.session", "streamer.config", "streamer.digest"]
    session_ = told["streamer.session"]
    assert json.loads(session_["streams"]) == {
        "camera": "vision",
        "microphone": "audio",
        "depth": "depth",
        "thermal": "thermal",
        "imu": "imu",
    }
    assert json.loads(session_["plan"])["hop_ns"] == NS_PER_S // 2
    assert "kind: world" in told["streamer.config"]["yaml"]
    assert told["streamer.digest"]["samples.camera"] == "60"


def imu_readings(found: dict[str, list[One]]) -> list[Any]:
    """Deserialised by rosbags from the text of the schema in the file."""
    store = get_typestore(Stores.EMPTY)
    one = found["/imu"][0]
    assert (one.channel.message_encoding, one.schema.encoding) == ("cdr", "ros2msg")
    store.register(get_types_from_msg(one.schema.data.decode(), one.schema.name))
    return [store.deserialize_cdr(each.message.data, one.schema.name) for each in found["/imu"]]


def test_rosbags_reads_the_motion(world: World_) -> None:
    _, found, _ = world
    readings = imu_readings(found)
    assert len(readings) == SECONDS * 200
    start_ns = found["/imu"][0].message.log_time
    expected: list[NDArray[np.float32]] = []
    for capture in live.captures("imu", round(SECONDS * NS_PER_S)):
        block = live.data(0, capture, start_ns, 200)
        assert isinstance(block, ImuBlock)
        expected += list(block.values)
    for one, told, values in zip(found["/imu"], readings, expected, strict=True):
        stamp = told.header.stamp
        assert stamp.sec * NS_PER_S + stamp.nanosec == one.message.log_time
        assert told.header.frame_id == "imu"
        acceleration, rate = told.linear_acceleration, told.angular_velocity
        assert (acceleration.x, acceleration.y, acceleration.z) == tuple(values[:3].tolist())
        assert (rate.x, rate.y, rate.z) == tuple(values[3:].tolist())
        # No orientation is known: that is what -1 says, beside a quaternion of length 1.
        assert told.orientation_covariance.tolist() == [-1.0] + [0.0] * 8
        assert (told.orientation.w, told.orientation.x) == (1.0, 0.0)
        assert not told.angular_velocity_covariance.any()


def test_motion_is_serialised_as_rosbags_does(world: World_) -> None:
    _, found, _ = world
    store = get_typestore(Stores.ROS2_HUMBLE)
    name = "sensor_msgs/msg/Imu"
    for one, told in zip(found["/imu"][:50], imu_readings(found), strict=False):
        theirs: Any = store.deserialize_cdr(one.message.data, name)
        assert theirs.header.stamp.nanosec == told.header.stamp.nanosec
        assert bytes(store.serialize_cdr(theirs, name)) == one.message.data


def test_a_file_of_ros_channels_alone_opens_as_a_bag(world: World_, tmp_path: Path) -> None:
    """What rosbags needs to open a file by itself: the profile ros2, and no other channels.

    It takes every schema for text, and those of protobuf are none.
    """
    _, found, _ = world
    path = tmp_path / "imu.mcap"
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start(profile="ros2")
        first = found["/imu"][0]
        schema = writer.register_schema(first.schema.name, first.schema.encoding, first.schema.data)
        channel = writer.register_channel("/imu", "cdr", schema)
        for one in found["/imu"]:
            told = one.message
            writer.add_message(channel, told.log_time, told.data, told.publish_time)
        writer.finish()
    with AnyReader([path]) as bag:
        (connection,) = bag.connections
        assert (connection.topic, connection.msgtype) == ("/imu", "sensor_msgs/msg/Imu")
        readings = [bag.deserialize(data, connection.msgtype) for _, _, data in bag.messages()]
    assert len(readings) == SECONDS * 200


def test_sensor_time_is_the_publish_time(tmp_path: Path) -> None:
    """log_time is the capture on the host clock; the card says how far the sensor's own is off."""
    card = ClockCard("device", 1_000, offset_ns=7 * NS_PER_S + 5)
    streams = (StreamInfo("front", "vision"), StreamInfo("base", "imu"))
    lengths = {"vision": 2 * NS_PER_S, "imu": 5 * NS_PER_S}
    plan = Plan(NS_PER_S // 2, lengths, NS_PER_S // 10, NS_PER_S // 2, 0.5)
    path = tmp_path / "clocks.mcap"
    t_ns = 1_790_000_000 * NS_PER_S + 123_456_789
    recording = Recording(McapFile(path), About(True, streams, plan, t_ns))
    picture = np.zeros((4, 6, 3), np.uint8)
    stamps = np.array([t_ns, t_ns + 5_000_000], np.int64)
    block = ImuBlock(stamps, np.ones((2, 6), np.float32))
    recording.take(Arrived(t_ns, Sample("front", "vision", t_ns, 1, picture, card)))
    recording.take(Arrived(t_ns, Sample("base", "imu", t_ns, 10_000_000, block, card)))
    recording.finish()
    found = messages(path)
    told = [one.message for topic in ("/front", "/base") for one in found[topic]]
    assert [one.log_time for one in told] == [t_ns, t_ns, t_ns + 5_000_000]
    assert [one.log_time - one.publish_time for one in told] == [card.offset_ns] * 3


def test_what_was_published_lies_beside_the_sensors(tmp_path: Path) -> None:
    """Embeddings and the truth of a live run, in their wire format."""
    path = tmp_path / "run.mcap"
    config = load("demo", ()).model_copy(
        update={
            "sources": (World(seconds=3.5),),
            "sinks": (),
            "labels": False,
            "encoder": NoopEncoder(dim=8),
            "record": Record(path=path),
        }
    )
    with NoopEncoder(dim=8).open(config.modalities, text=False) as encoder:
        asyncio.run(session.run(config, encoder))
    found = messages(path)
    embeddings = found["/streamer/embedding/vision/camera"]
    assert embeddings
    for one in embeddings:
        assert one.channel.message_encoding == "cbor"
        told = cbor2.load(BytesIO(one.message.data))
        assert told["t1"] == one.message.log_time
        vector = np.frombuffer(told["e"].value, "<f2")
        assert vector.shape == (8,)
        assert abs(float(np.linalg.norm(vector)) - 1) < 1e-2
    truths = found["/streamer/truth/truth"]
    assert truths
    assert all(one.channel.message_encoding == "json" for one in truths)
    assert all("present" in json.loads(one.message.data) for one in truths)
    assert metadata(path)["streamer.digest"]["ticks"] != "0"


@pytest.mark.parametrize("number", [0, 1])
def test_the_programs_of_the_page_run(
    number: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = (ROOT / "docs/how-to/open-recordings.md").read_text()
    program = page.split("```python")[number + 1].split("```")[0]
    make_world_log(tmp_path / "run.mcap", 1.0, "jpeg")
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "open-recordings.md", "exec"), {})  # noqa: S102
    assert len(capsys.readouterr().out.splitlines()) == (30, 200)[number]
