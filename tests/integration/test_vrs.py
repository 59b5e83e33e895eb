"""Project Aria recordings, held against what the format's own library (`vrs` 1.2.2) reads."""

import hashlib
import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from foxglove_schemas_protobuf.CompressedImage_pb2 import CompressedImage
from foxglove_schemas_protobuf.RawAudio_pb2 import RawAudio

from sources.recording import imu_message
from sources.replay.container import Message
from sources.replay.vrs import VrsLog
from streamer.errors import SourceLost
from tests.needs import shared

ACTIVITIES = "gen1__aria_everyday_activities_test_data__recording.vrs"
TIMECODE = "gen1__aria_unit_test_timecode_sequence_calib.vrs"

READ = {
    ACTIVITIES: {
        "/camera-eyes": (4, 86_435_306_250, "495061dcfe7702d9"),
        "/camera-rgb": (8, 86_385_246_037, "2139ba0d374049bc"),
        "/camera-slam-left": (4, 86_435_294_975, "385445801cce8670"),
        "/camera-slam-right": (4, 86_435_294_975, "bfa95681d5a627e8"),
        "/microphones": (4, 86_408_734_764, "f1c107c7386f3bf5"),
        "/imu-right": (400, 86_347_942_362, ""),
        "/imu-left": (319, 86_348_264_162, ""),
    },
    TIMECODE: {
        "/camera-eyes": (4, 280_591_791_475, "c7e849a335d0bfb2"),
        "/camera-rgb": (4, 280_591_693_600, "8084087eeb2a2698"),
        "/camera-slam-left": (4, 280_591_794_987, "724e274eb3829af2"),
        "/camera-slam-right": (4, 280_591_794_975, "6f67c4fc49c8e055"),
        "/imu-right": (150, 280_566_996_375, ""),
        "/imu-left": (121, 280_567_023_387, ""),
    },
}
"""How many, when the first was taken, and the beginning of the SHA-256 of its bytes."""

MOTION = {
    ACTIVITIES: (
        (-7.893682956695557, 2.142810583114624, 2.6599581241607666),
        (0.7740546464920044, -0.1719529926776886, -0.3263380229473114),
    ),
    TIMECODE: (
        (-9.478644371032715, 0.790086567401886, 1.5873557329177856),
        (0.0926780104637146, -0.0974716991186142, 0.000532632227987051),
    ),
}
"""m/s^2 and rad/s of the first reading of the right unit."""

UNREAD = {
    ACTIVITIES: {"Barometer Data Class 247-1": 20, "Magnetometer Data (SLAM) 1203-1": 4},
    TIMECODE: {
        "Barometer Data Class 247-1": 8,
        "Magnetometer Data (SLAM) 1203-1": 2,
        "Time Domain Mapping Class 285-1": 1,
        "Time Domain Mapping Class 285-2": 5,
    },
}


def log(name: str) -> Path:
    return shared(f"recordings/robot_logs/vrs/{name}")


def read(path: Path) -> tuple[list[Message], Counter[str]]:
    recording = VrsLog(path)
    try:
        return list(recording.messages()), Counter(recording.problems)
    finally:
        recording.close()


def content(message: Message) -> bytes:
    name = message.channel.schema.name if message.channel.schema else ""
    if name == "foxglove.CompressedImage":
        picture = CompressedImage.FromString(message.payload)
        assert picture.format == "jpeg"
        return picture.data
    if name == "foxglove.RawAudio":
        return RawAudio.FromString(message.payload).data
    return b""


@pytest.mark.parametrize("name", READ)
def test_every_record_of_every_stream_is_read(name: str) -> None:
    messages, problems = read(log(name))
    first: dict[str, Message] = {}
    for message in messages:
        first.setdefault(message.channel.topic, message)
    counts = Counter(m.channel.topic for m in messages)
    found = {
        topic: (
            counts[topic],
            message.publish_ns,
            hashlib.sha256(content(message)).hexdigest()[:16] if content(message) else "",
        )
        for topic, message in first.items()
    }
    assert found == READ[name]
    assert problems == {f"not read: {what}": count for what, count in UNREAD[name].items()}
    stamps = [m.log_ns for m in messages]
    assert stamps == sorted(stamps)


@pytest.mark.parametrize("name", READ)
def test_motion_is_in_the_units_of_the_format(name: str) -> None:
    messages, _ = read(log(name))
    mine = [m for m in messages if m.channel.topic == "/imu-right"]
    acceleration, rate = MOTION[name]
    values = imu_message.decode([m.payload for m in mine])
    assert np.array_equal(values[0], np.array([*acceleration, *rate], np.float32))
    # Somebody wears them: gravity, and the head turns slowly.
    assert 7 < np.linalg.norm(values[:, :3], axis=1).mean() < 12
    assert np.linalg.norm(values[:, 3:], axis=1).max() < 5
    steps = np.diff([m.publish_ns for m in mine])
    assert 0.9e6 < np.median(steps) < 1.1e6


def test_sound_says_what_it_is() -> None:
    messages, _ = read(log(ACTIVITIES))
    blocks = [m for m in messages if m.channel.topic == "/microphones"]
    said = [RawAudio.FromString(m.payload) for m in blocks]
    assert {(s.format, s.sample_rate, s.number_of_channels) for s in said} == {("s32le", 48_000, 7)}
    assert [len(s.data) for s in said] == [4096 * 7 * 4] * 4
    steps = np.diff([m.publish_ns for m in blocks])
    assert np.abs(steps - 4096 * 1e9 / 48_000).max() < 1e6
    first = np.frombuffer(said[0].data, "<i4")[:4]
    assert first.tolist() == [-2013952, 24921344, -1355520, 46871552]


def test_streams_are_told_before_anything_is_read() -> None:
    recording = VrsLog(log(ACTIVITIES))
    told = {dict(c.metadata)["stream"]: dict(c.metadata)["modality"] for c in recording.topics()}
    recording.close()
    assert told == {
        "camera-eyes": "vision",
        "camera-rgb": "vision",
        "camera-slam-left": "vision",
        "camera-slam-right": "vision",
        "microphones": "audio",
        "imu-right": "imu",
        "imu-left": "imu",
    }


def test_reading_begins_where_it_is_asked_to() -> None:
    recording = VrsLog(log(ACTIVITIES))
    everything = list(recording.messages())
    from_ns = everything[500].log_ns
    later = list(recording.messages(from_ns))
    recording.close()
    expected = [(m.log_ns, m.payload) for m in everything if m.log_ns >= from_ns]
    assert [(m.log_ns, m.payload) for m in later] == expected


@pytest.mark.parametrize("name", READ)
def test_a_recording_cut_off_anywhere_gives_what_is_before_the_cut(
    name: str, tmp_path: Path
) -> None:
    whole = log(name).read_bytes()
    everything = [(m.log_ns, m.payload) for m in read(log(name))[0]]
    refused: list[int] = []
    for offset in sorted(np.random.default_rng(20).integers(0, len(whole), 20).tolist()):
        (tmp_path / "cut.vrs").write_bytes(whole[:offset])
        try:
            messages, problems = read(tmp_path / "cut.vrs")
        except SourceLost:
            refused.append(offset)
            continue
        found = [(m.log_ns, m.payload) for m in messages]
        assert found == everything[: len(found)]
        assert any("cut off" in problem for problem in problems)
        assert len(found) > len(everything) * offset / len(whole) - 200
    # Those within the description, which is in front.
    assert all(offset < 40_000 for offset in refused)


def test_bits_flipped_anywhere_raise_nothing_else(tmp_path: Path) -> None:
    whole = log(TIMECODE).read_bytes()
    draw = np.random.default_rng(6)
    opened = 0
    for turn in range(120):
        damaged = bytearray(whole)
        # The description is small beside the pictures, and where most can go wrong.
        reach = 34_000 if turn % 2 else len(whole)
        for _ in range(int(draw.choice([1, 8, 60]))):
            damaged[int(draw.integers(reach))] = int(draw.integers(256))
        (tmp_path / "x.vrs").write_bytes(damaged)
        try:
            messages, _ = read(tmp_path / "x.vrs")
        except SourceLost:
            continue
        opened += 1
        assert len(messages) <= 300
    assert opened


@pytest.mark.parametrize("offset", [16, 20, 32, 72, 80], ids=str)
def test_a_header_that_lies_is_named_in_one_line(offset: int, tmp_path: Path) -> None:
    damaged = bytearray(log(TIMECODE).read_bytes())
    struct.pack_into("<Q", damaged, offset, 1 << 62)
    (tmp_path / "x.vrs").write_bytes(damaged)
    with pytest.raises(SourceLost) as refused:
        VrsLog(tmp_path / "x.vrs")
    assert "\n" not in str(refused.value)


def test_records_that_are_not_where_the_header_says_are_counted(tmp_path: Path) -> None:
    damaged = bytearray(log(TIMECODE).read_bytes())
    struct.pack_into("<Q", damaged, 40, 1 << 62)
    (tmp_path / "x.vrs").write_bytes(damaged)
    messages, problems = read(tmp_path / "x.vrs")
    assert not messages
    assert problems


def test_what_is_no_such_file_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.vrs").write_bytes(b"no vision at all")
    with pytest.raises(SourceLost, match="expected a VRS file: it begins with b'no visio'"):
        VrsLog(tmp_path / "x.vrs")
    with pytest.raises(SourceLost, match="cannot be read"):
        VrsLog(tmp_path / "nowhere.vrs")
