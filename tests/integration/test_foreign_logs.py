"""Logs of other programs, written by the plain libraries, as streams of samples."""

import base64
import struct
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from foxglove_schemas_protobuf.CompressedImage_pb2 import CompressedImage
from foxglove_schemas_protobuf.CompressedVideo_pb2 import CompressedVideo
from foxglove_schemas_protobuf.RawAudio_pb2 import RawAudio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcap.writer import CompressionType

from sources.recording.digest import RunningDigest, digest
from sources.replay.foreign import ForeignLog
from sources.replay.log import open_log
from sources.replay.topics import SoundAs, TopicAs
from sources.thermal.units import Linear
from streamer.errors import ConfigError, SourceLost
from streamer.events import Arrived, Ended
from streamer.plan import Plan
from streamer.ticks import make_join
from streamer.types import NS_PER_S, AudioBlock, ImuBlock, Sample, pixels
from tests.foreignlogs import T0_NS, ForeignWriter, foreign

RNG = np.random.default_rng(3)
RGB = RNG.integers(0, 256, (12, 16, 3), np.uint8)
DEEP = RNG.integers(300, 9000, (12, 16), np.uint16)
STEP_NS = 50_000_000


@contextmanager
def opened(path: Path, *topics: TopicAs) -> Generator[ForeignLog, None, None]:
    log = open_log(path, topics)
    try:
        assert isinstance(log, ForeignLog)
        yield log
    finally:
        log.close()


def samples(log: ForeignLog, **how: Any) -> list[Sample]:
    events = list(log.events(**how))
    arrived = [event for event in events if isinstance(event, Arrived)]
    assert len(arrived) == len(events)
    assert not any(event.live for event in arrived)
    clock = [event.now_ns for event in arrived]
    assert clock == sorted(clock)
    return [event.sample for event in arrived]


def write_twenty(path: Path, **how: Any) -> None:
    """A second of everything: 20 Hz of pictures, sound and motion, in three encodings."""
    with foreign(path, **how) as log:
        for index in range(20):
            t_ns = T0_NS + index * STEP_NS
            jpeg = cv2.imencode(".jpg", RGB)[1].tobytes()
            log.protobuf("/camera/front", t_ns, CompressedImage(data=jpeg, format="jpeg"))
            log.image("/camera/color/image_raw", t_ns, "bgr8", RGB)
            log.image("/camera/depth/image_raw", t_ns, "16UC1", DEEP, version=1)
            text = base64.b64encode(RGB.tobytes()).decode()
            stamp = {"sec": t_ns // NS_PER_S, "nsec": t_ns % NS_PER_S}
            fields = {"timestamp": stamp, "width": 16, "height": 12, "encoding": "rgb8"}
            log.json("/web", t_ns, "foxglove.RawImage", fields | {"step": 48, "data": text})
            sound = np.arange(800, dtype="<i2") + 800 * index
            audio = RawAudio(data=sound.tobytes(), format="pcm-s16", sample_rate=16000,
                             number_of_channels=1)  # fmt: skip
            log.protobuf("/mic", t_ns, audio)
            for part in range(5):
                log.imu("/imu/data", t_ns + part * 10_000_000, (index, 0, 9.81, 0, 0, part))


def test_pictures_sound_and_motion_of_any_encoding_are_streams(tmp_path: Path) -> None:
    write_twenty(tmp_path / "a.mcap")
    with opened(tmp_path / "a.mcap") as log:
        assert {(info.name, info.modality) for info in log.streams} == {
            ("camera-front", "vision"),
            ("camera-color", "vision"),
            ("camera-depth", "depth"),
            ("web", "vision"),
            ("mic", "audio"),
            ("imu", "imu"),
        }
        found = samples(log)
        assert not log.problems
    by: dict[str, list[Sample]] = {}
    for sample in found:
        by.setdefault(sample.stream, []).append(sample)
    for name in ("camera-front", "camera-color", "camera-depth", "web", "mic"):
        assert [s.t_ns for s in by[name]] == [T0_NS + index * STEP_NS for index in range(20)]
        assert {s.duration_ns for s in by[name]} == {STEP_NS}
    np.testing.assert_array_equal(pixels(by["camera-color"][3]), RGB[:, :, ::-1])
    np.testing.assert_array_equal(pixels(by["web"][3]), RGB)
    np.testing.assert_allclose(pixels(by["camera-depth"][3]), DEEP * 0.001, rtol=1e-6)
    heard = np.concatenate([s.data.samples for s in by["mic"] if isinstance(s.data, AudioBlock)])
    np.testing.assert_array_equal(heard, np.arange(16000) / np.float32(32768))
    moved = np.concatenate([s.data.values for s in by["imu"] if isinstance(s.data, ImuBlock)])
    assert moved.shape == (100, 6)
    np.testing.assert_allclose(moved[7], [1, 0, 9.81, 0, 0, 2], rtol=1e-6)
    for before, after in pairwise(by["imu"]):
        assert before.end_ns == after.t_ns


KINDS: dict[str, dict[str, Any]] = {
    "zstd": {"compression": CompressionType.ZSTD},
    "no compression": {"compression": CompressionType.NONE},
    "no chunks": {"use_chunking": False},
    "no index": {"use_summary_offsets": False, "use_statistics": False},
    "no repeated channels": {"repeat_channels": False, "repeat_schemas": False},
    "no checksums": {"enable_crcs": False},
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_file_of_any_make_gives_the_same_samples(tmp_path: Path, kind: str) -> None:
    write_twenty(tmp_path / "plain.mcap")
    write_twenty(tmp_path / "other.mcap", **KINDS[kind])
    assert window_digest(tmp_path / "plain.mcap") == window_digest(tmp_path / "other.mcap")


def window_digest(path: Path, *topics: TopicAs) -> str:
    plan = Plan(
        hop_ns=NS_PER_S // 4,
        lengths_ns=dict.fromkeys(("vision", "audio", "depth", "thermal", "imu"), NS_PER_S // 2),
        lateness_ns=NS_PER_S // 10,
        idle_ns=NS_PER_S,
        min_coverage=0.1,
    )
    total = RunningDigest()
    with opened(path, *topics) as log:
        join = make_join(log.streams, plan)
        last_ns = 0
        for event in log.events():
            last_ns = event.now_ns
            for tick in join.take(event):
                total.add(digest(tick))
        for tick in join.take(Ended(last_ns, tuple(join.windowers))):
            total.add(digest(tick))
    assert total.ticks > 3
    return total.hexdigest()


def test_two_replays_cut_the_same_windows_and_another_byte_cuts_others(tmp_path: Path) -> None:
    write_twenty(tmp_path / "a.mcap")
    first = window_digest(tmp_path / "a.mcap")
    assert window_digest(tmp_path / "a.mcap") == first
    scaled = TopicAs(topic="/camera/depth/image_raw", metres_per_unit=0.002)
    assert window_digest(tmp_path / "a.mcap", scaled) != first


def test_chunks_and_messages_out_of_order_are_put_in_order(tmp_path: Path) -> None:
    stamps = [5, 3, 4, 0, 1, 2, 9, 8, 7, 6]
    for name, how in (("chunks", {"chunk_size": 1}), ("loose", {"use_chunking": False})):
        with foreign(tmp_path / f"{name}.mcap", **how) as log:
            for index in stamps:
                log.imu("/imu", T0_NS + index * 10_000_000, (index, 0, 0, 0, 0, 0))
        with opened(tmp_path / f"{name}.mcap") as log:
            (block,) = [s.data for s in samples(log) if isinstance(s.data, ImuBlock)]
            assert block.values[:, 0].tolist() == list(range(10))
            assert not log.problems


def test_a_part_of_a_log_is_read_by_its_own_clock(tmp_path: Path) -> None:
    write_twenty(tmp_path / "a.mcap")
    with opened(tmp_path / "a.mcap") as log:
        found = samples(
            log,
            streams=["camera-color"],
            from_ns=T0_NS + 5 * STEP_NS,
            to_ns=T0_NS + 9 * STEP_NS,
        )
    assert [sample.t_ns for sample in found] == [T0_NS + index * STEP_NS for index in (5, 6, 7, 8)]


def test_a_file_that_was_cut_off_gives_what_is_whole_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    write_twenty(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with opened(path) as log:
        found = samples(log, streams=["camera-color"])
        assert 5 <= len(found) <= 15
        assert any("cut off" in cause for cause in log.problems)


def test_a_damaged_chunk_costs_its_messages_and_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    with foreign(path, chunk_size=1, compression=CompressionType.NONE) as log:
        for index in range(10):
            log.image("/camera", T0_NS + index * STEP_NS, "rgb8", RGB)
    data = bytearray(path.read_bytes())
    places = [at for at in range(len(data)) if data.startswith(RGB.tobytes(), at)]
    data[places[4]] ^= 1
    path.write_bytes(bytes(data))
    with opened(path) as log:
        found = samples(log)
        stamps = {(s.t_ns - T0_NS) // STEP_NS for s in found}
        assert stamps == set(range(10)) - {4}
        assert sum(log.problems.values()) == 1


# What the log does not say, and the configuration does.


def test_declared_units_become_metres_degrees_and_si(tmp_path: Path) -> None:
    with foreign(tmp_path / "a.mcap") as log:
        log.image("/tof", T0_NS, "mono16", DEEP)
        log.image("/hot", T0_NS, "mono16", DEEP + 27000)
        log.imu("/sensehat", T0_NS, (0, 0, 1, 0, 0, 180))
    with opened(
        tmp_path / "a.mcap",
        TopicAs(topic="/tof", modality="depth", metres_per_unit=0.0002, stream="front"),
        TopicAs(topic="/hot", modality="thermal", celsius=Linear(scale=0.01, offset=-273.15)),
        TopicAs(topic="/sensehat", accel_unit="g", gyro_unit="deg/s"),
    ) as log:
        found = {sample.stream: sample for sample in samples(log)}
    np.testing.assert_allclose(pixels(found["front"]), DEEP * 0.0002, rtol=1e-6)
    np.testing.assert_allclose(
        pixels(found["hot"]), (DEEP.astype(float) + 27000) * 0.01 - 273.15, rtol=1e-5
    )
    motion = found["sensehat"].data
    assert isinstance(motion, ImuBlock)
    np.testing.assert_allclose(motion.values[0], [0, 0, 9.80665, 0, 0, np.pi], rtol=1e-6)


def test_heat_without_a_calibration_is_brightness(tmp_path: Path) -> None:
    with foreign(tmp_path / "a.mcap") as log:
        for index in range(3):
            log.image("/thermal/image_raw", T0_NS + index * STEP_NS, "mono16", DEEP)
    with opened(tmp_path / "a.mcap") as log:
        found = [pixels(sample) for sample in samples(log)]
    assert all(picture.dtype == np.uint8 for picture in found)
    assert found[0].max() == 255
    assert found[0].min() == 0


def test_a_topic_is_left_out_where_the_configuration_says_so(tmp_path: Path) -> None:
    write_twenty(tmp_path / "a.mcap")
    with opened(tmp_path / "a.mcap", TopicAs(topic="/mic", leave_out=True)) as log:
        assert "mic" not in {info.name for info in log.streams}
        assert log.left["/mic"].why == "left out by the configuration"
        samples(log)
        assert not log.problems


def _sound(log: ForeignWriter, *, info: bool) -> None:
    if info:
        fields = {"channels": 2, "sample_rate": 8000, "sample_format": "S16LE",
                  "bitrate": 0, "coding_format": "wave"}  # fmt: skip
        log.json("/audio/info", T0_NS, "AudioInfo", fields)
    schema = "audio_common_msgs/AudioData", "ros1msg", b"uint8[] data"
    for index in range(5):
        wave = np.full((800, 2), [1000, 3000], "<i2").tobytes()
        payload = len(wave).to_bytes(4, "little") + wave
        log.raw("/audio/audio", "ros1", schema, T0_NS + index * 100_000_000, payload)


@pytest.mark.parametrize("info", [True, False], ids=["told by the log", "declared"])
def test_bytes_of_sound_have_the_format_they_are_told_to_have(tmp_path: Path, info: bool) -> None:
    with foreign(tmp_path / "a.mcap") as log:
        _sound(log, info=info)
    how = SoundAs(format="s16", rate_hz=8000, channels=2)
    said = () if info else (TopicAs(topic="/audio/audio", audio=how),)
    with opened(tmp_path / "a.mcap", *said) as log:
        found = samples(log)
        assert not log.problems
    # Nothing stamps them: the log has each when it was over.
    assert [s.t_ns for s in found] == [T0_NS + (index - 1) * 100_000_000 for index in range(5)]
    assert {s.stream for s in found} == {"audio"}
    (levels,) = {float(v) for s in found if isinstance(s.data, AudioBlock) for v in s.data.samples}
    assert levels == pytest.approx(2000 / 32768)


# Stamps.


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.integers(-3, 40), min_size=1, max_size=30))
def test_headers_that_repeat_or_go_back_are_read_and_counted(
    tmp_path: Path, steps: list[int]
) -> None:
    stamps = [T0_NS + int(at) * 10_000_000 for at in np.cumsum(steps)]
    with foreign(tmp_path / "a.mcap") as log:
        for index, stamp_ns in enumerate(stamps):
            log.image("/camera", T0_NS + index * STEP_NS, "mono8", DEEP.astype(np.uint8),
                      stamp_ns=stamp_ns)  # fmt: skip
    with opened(tmp_path / "a.mcap") as log:
        assert [sample.t_ns for sample in samples(log)] == stamps
        told = log.problems
    assert told["camera: a stamp that repeats"] == sum(step == 0 for step in steps[1:])
    assert told["camera: a stamp that goes back"] == sum(step < 0 for step in steps[1:])


@pytest.mark.parametrize(
    ("stamp_ns", "stamp", "expected"),
    [
        (0, None, "log"),
        (5 * NS_PER_S, None, "log"),
        (T0_NS - 3600 * NS_PER_S, None, "header"),
        (5 * NS_PER_S, "header", "header"),
        (T0_NS, "log", "log"),
    ],
    ids=["nobody stamps", "since the start", "an hour off", "asked for", "not wanted"],
)
def test_a_header_is_believed_within_a_day_of_the_log(
    tmp_path: Path, stamp_ns: int, stamp: Any, expected: str
) -> None:
    with foreign(tmp_path / "a.mcap") as log:
        log.image("/camera", T0_NS + 7, "rgb8", RGB, stamp_ns=stamp_ns)
    with opened(tmp_path / "a.mcap", TopicAs(topic="/camera", stamp=stamp)) as log:
        (sample,) = samples(log)
        assert log.choices[0].stamp == expected
    assert sample.t_ns == (stamp_ns if expected == "header" else T0_NS + 7)


def test_a_time_beyond_what_64_bits_hold_is_counted(tmp_path: Path) -> None:
    with foreign(tmp_path / "a.mcap") as log:
        log.image("/camera", T0_NS, "rgb8", RGB)
        log.image("/camera", (1 << 64) - 1, "rgb8", RGB, stamp_ns=0)
    with opened(tmp_path / "a.mcap") as log:
        assert len(samples(log)) == 1
        assert sum(log.problems.values()) == 1


# What cannot be read is named.


def _depth_or_heat(log: ForeignWriter) -> None:
    log.image("/cam/image_raw", T0_NS, "mono16", DEEP)


def _infrared(log: ForeignWriter) -> None:
    log.image("/camera/infra1/image_rect_raw", T0_NS, "mono8", DEEP.astype(np.uint8))


def _pretty_depth(log: ForeignWriter) -> None:
    log.image("/camera/depth/image_color", T0_NS, "rgb8", RGB)


def _unknown_pixels(log: ForeignWriter) -> None:
    log.image("/camera", T0_NS, "64FC7", RGB)


def _half(log: ForeignWriter) -> None:
    log.imu("/camera/gyro/sample", T0_NS, (0, 0, 0, 1, 2, 3))


def _no_acceleration(log: ForeignWriter) -> None:
    log.imu("/imu", T0_NS, (0, 0, 0, 1, 2, 3), unknown=("linear_acceleration",))


def _nameless(log: ForeignWriter) -> None:
    log.raw("/camera", "cdr", None, T0_NS, b"\0\1\0\0")


def _cbor(log: ForeignWriter) -> None:
    log.raw("/camera", "cbor", None, T0_NS, b"\xa0")


def _undefined(log: ForeignWriter) -> None:
    log.raw("/camera", "ros1", ("mine/Camera", "ros1msg", b""), T0_NS, b"")


def _no_descriptor(log: ForeignWriter) -> None:
    log.raw("/camera", "protobuf", ("mine.Camera", "protobuf", b"\xff\xff"), T0_NS, b"")


def _not_json(log: ForeignWriter) -> None:
    log.raw("/camera", "json", None, T0_NS, b"[" * 100_000)


def _silent_bytes(log: ForeignWriter) -> None:
    _sound(log, info=False)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (_depth_or_heat, "16 bits of grey: say its modality"),
        (_infrared, "near infrared or heat"),
        (_pretty_depth, "not depth itself"),
        (_unknown_pixels, "'64FC7' are not read"),
        (_half, "without the other half"),
        (_no_acceleration, "without the other half"),
        (_nameless, "messages without a type"),
        (_cbor, "unknown encoding 'cbor'"),
        (_undefined, "no definition of mine/Camera"),
        (_no_descriptor, "no usable definition of mine.Camera"),
        (_not_json, "not JSON"),
        (_silent_bytes, "say `audio`"),
    ],
)
def test_what_cannot_be_read_is_named_and_counted(
    tmp_path: Path, write: Callable[[ForeignWriter], None], said: str
) -> None:
    with foreign(tmp_path / "a.mcap") as log:
        write(log)
        log.imu("/good", T0_NS, (0, 0, 9.81, 0, 0, 0))
    with opened(tmp_path / "a.mcap") as log:
        assert [info.name for info in log.streams] == ["good"]
        assert len(samples(log)) == 1
        (cause,) = log.problems
    assert said in cause


def test_damaged_messages_and_bytes_behind_messages_are_counted(tmp_path: Path) -> None:
    with foreign(tmp_path / "a.mcap") as log:
        for index in range(4):
            log.image("/camera", T0_NS + index * STEP_NS, "rgb8", RGB, trailing=b"1234", version=1)
        log.raw("/camera", "ros1", None, T0_NS + 4 * STEP_NS, b"\1\2\3")
    with opened(tmp_path / "a.mcap") as log:
        assert len(samples(log)) == 4
        assert log.problems == {
            "/camera: bytes behind a message, ignored": 4,
            "/camera: cut off": 1,
        }


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (TopicAs(topic="/nowhere"), "expected topics of the log"),
        (TopicAs(topic="/mic", modality="vision"), "is audio, not vision"),
        (TopicAs(topic="/camera/color/image_raw", modality="depth"), "are no depth"),
        (TopicAs(topic="/camera/color/image_raw", modality="imu"), "has pictures"),
    ],
    ids=["no such topic", "sound as vision", "colours as depth", "pictures as motion"],
)
def test_a_wish_that_does_not_fit_the_log_is_refused(
    tmp_path: Path, said: TopicAs, why: str
) -> None:
    write_twenty(tmp_path / "a.mcap")
    with pytest.raises(ConfigError, match=why):
        open_log(tmp_path / "a.mcap", (said,))


def test_a_name_that_is_given_is_not_taken_by_another_topic(tmp_path: Path) -> None:
    write_twenty(tmp_path / "a.mcap")
    with opened(tmp_path / "a.mcap", TopicAs(topic="/mic", stream="imu")) as log:
        by_topic = {choice.topic: choice.stream for choice in log.choices}
    assert (by_topic["/mic"], by_topic["/imu/data"]) == ("imu", "imu-data")


def _h264(frames: int) -> list[bytes]:
    """Annex B, a key frame every ten: a grey that grows by four a frame."""
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 64, 48, "yuv420p"
    encoder.time_base, encoder.gop_size = Fraction(1, 20), 10
    encoder.options = {"tune": "zerolatency", "preset": "ultrafast"}
    packets: list[bytes] = []
    for index in range(frames):
        array = np.full((48, 64, 3), 40 + 4 * index, np.uint8)
        frame = av.VideoFrame.from_ndarray(array, format="rgb24").reformat(format="yuv420p")
        frame.pts = index
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    packets += [bytes(packet) for packet in encoder.encode(None)]
    return packets


def test_video_is_pictures_from_a_key_frame_on_wherever_reading_begins(tmp_path: Path) -> None:
    packets = _h264(20)
    assert len(packets) == 20
    with foreign(tmp_path / "a.mcap") as log:
        for index, packet in enumerate(packets):
            told = CompressedVideo(data=packet, format="h264")
            log.protobuf("/video", T0_NS + index * STEP_NS, told)
        log.protobuf("/other", T0_NS, CompressedVideo(data=b"1", format="vp7"))
    with opened(tmp_path / "a.mcap") as log:
        whole = samples(log)
        assert log.problems == {"/other: video as 'vp7' is not read": 1}
        part = samples(log, from_ns=T0_NS + 15 * STEP_NS)
    assert len(whole) == 20
    assert [sample.t_ns for sample in part] == [T0_NS + n * STEP_NS for n in range(15, 20)]
    assert np.abs(pixels(whole[17]).astype(int) - (40 + 4 * 17)).max() <= 6
    np.testing.assert_array_equal(pixels(part[2]), pixels(whole[17]))


def test_video_that_begins_between_key_frames_is_counted_up_to_the_next(tmp_path: Path) -> None:
    with foreign(tmp_path / "a.mcap") as log:
        for index, packet in enumerate(_h264(20)[3:]):
            told = CompressedVideo(data=packet, format="h264")
            log.protobuf("/video", T0_NS + index * STEP_NS, told)
    with opened(tmp_path / "a.mcap") as log:
        assert len(samples(log)) == 10
        assert log.problems == {"/video: video before a key frame, or no frame at all": 7}


def test_two_topics_of_one_name_are_refused(tmp_path: Path) -> None:
    write_twenty(tmp_path / "a.mcap")
    both = [TopicAs(topic=topic, stream="one") for topic in ("/web", "/camera/front")]
    with pytest.raises(ConfigError, match="both called one"):
        open_log(tmp_path / "a.mcap", both)


def test_a_gyroscope_and_an_accelerometer_of_their_own_topics_are_one_stream(
    tmp_path: Path,
) -> None:
    with foreign(tmp_path / "a.mcap") as log:
        for index in range(100):
            t_ns = T0_NS + index * 5_000_000
            log.imu("/camera/accel/sample", t_ns, (0, 9.81, 0, 0, 0, 0))
            log.imu("/camera/gyro/sample", t_ns + 1_000_000, (0, 0, 0, 0.1, 0.2, 0.3))
    with opened(tmp_path / "a.mcap") as log:
        assert [(info.name, info.modality) for info in log.streams] == [("camera-imu", "imu")]
        blocks = [s.data for s in samples(log) if isinstance(s.data, ImuBlock)]
        assert log.problems == {"camera-imu: unpaired readings": 1}
    values = np.concatenate([block.values for block in blocks])
    assert len(values) == 99
    np.testing.assert_allclose(values, np.tile([0, 9.81, 0, 0.1, 0.2, 0.3], (99, 1)), rtol=1e-6)


def test_a_message_of_another_package_with_the_same_fields_is_read(tmp_path: Path) -> None:
    definition = b"uint32 height\nuint32 width\nfloat32 gain\nstring encoding\nuint8[] data"
    text = len(b"rgb8").to_bytes(4, "little") + b"rgb8"
    head = struct.pack("<IIf", 12, 16, 2.0) + text + RGB.nbytes.to_bytes(4, "little")
    with foreign(tmp_path / "a.mcap") as log:
        schema = "mine/Picture", "ros1msg", definition
        log.raw("/robot/top", "ros1", schema, T0_NS, head + RGB.tobytes())
    with opened(tmp_path / "a.mcap") as log:
        (sample,) = samples(log)
    np.testing.assert_array_equal(pixels(sample), RGB)


def test_a_log_of_nothing_that_can_be_read_says_so(tmp_path: Path) -> None:
    with foreign(tmp_path / "a.mcap"):
        pass
    with opened(tmp_path / "a.mcap") as log:
        assert log.streams == ()
        assert samples(log) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"RIFF1234", "begins with b'RIFF1234'"),
        (b"\x89MCAP0\n\x01", "line ends were converted"),
    ],
    ids=["empty", "other", "line ends"],
)
def test_a_file_that_is_no_log_is_refused_in_one_line(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(SourceLost) as refused:
        open_log(path)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("seed", range(6))
def test_a_log_with_bytes_changed_is_read_as_far_as_it_goes(tmp_path: Path, seed: int) -> None:
    """Without checksums, so that what is damaged reaches the messages."""
    path = tmp_path / "a.mcap"
    write_twenty(path, compression=CompressionType.NONE, enable_crcs=False)
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    for _ in range(int(rng.integers(1, 60))):
        data[int(rng.integers(8, len(data)))] = int(rng.integers(0, 256))
    path.write_bytes(data[: int(rng.integers(100, len(data)))] if seed % 4 == 0 else data)
    with suppress(SourceLost), opened(path) as log:
        for sample in samples(log):
            if sample.modality in ("vision", "depth"):
                with suppress(SourceLost):
                    pixels(sample)
        assert len(log.problems) < 1000
