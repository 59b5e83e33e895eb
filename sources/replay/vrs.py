"""Recordings of Project Aria's glasses (VRS) as messages of kinds that other logs have.

Pictures become `foxglove.CompressedImage`, sound `foxglove.RawAudio`, inertial readings
`sensor_msgs/msg/Imu`. The log's time is that of the records, and the messages' own is when they
were taken; both count nanoseconds since the device was started, because the file does not say when
that was. Pictures lie as the sensors lie in the glasses: turned by 90 degrees.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from foxglove_schemas_protobuf.CompressedImage_pb2 import CompressedImage
from foxglove_schemas_protobuf.RawAudio_pb2 import RawAudio
from google.protobuf.timestamp_pb2 import Timestamp
from mcap_protobuf.schema import build_file_descriptor_set

from sources.recording import imu_message
from sources.replay.container import Message
from sources.replay.vrs_file import CONFIGURATION, DATA, Record, Stream, VrsFile
from streamer.errors import SourceLost
from streamer.logfile import ChannelSpec, Schema
from streamer.types import NS_PER_S, ImuBlock, Modality

NAMES: dict[Stream, str] = {
    Stream(211, 1): "camera-eyes",
    Stream(214, 1): "camera-rgb",
    Stream(231, 1): "microphones",
    Stream(1201, 1): "camera-slam-left",
    Stream(1201, 2): "camera-slam-right",
    Stream(1202, 1): "imu-right",
    Stream(1202, 2): "imu-left",
}
"""Aria's first glasses. Streams of other devices are named by their kind."""

_PICTURES = {"image/jpg": "jpeg", "image/png": "png"}
_SOUND = re.compile(r"audio/pcm/int(16|32)le/channels=(\d{1,2})/rate=(\d{4,6})$")
_SIX = ("accelerometer", "gyroscope")


class VrsLog:
    """One recording, open. What is neither picture nor sound nor motion is counted, not given."""

    def __init__(self, path: Path) -> None:
        """Raises `SourceLost` for what is no such file, or too damaged to tell its streams."""
        self._file = VrsFile(path)
        self._channels: dict[Stream, ChannelSpec] = {}
        self.end_ns: int | None = None
        try:
            self.start_ns = self._begin()
        except SourceLost:
            self._file.close()
            raise
        self._found = Counter(self._file.problems)

    def _begin(self) -> int | None:
        """Find the channels; when the first record was made."""
        told = {record.stream: record.numbers for record in self._file.records(CONFIGURATION)}
        for stream in self._file.tags:
            channel = self._channel(stream, told.get(stream, {}))
            if channel is not None:
                self._channels[stream] = channel
        first = next(self._file.records(DATA), None)
        return None if first is None else first.t_ns

    @property
    def problems(self) -> Counter[str]:
        return self._file.problems

    @property
    def compression(self) -> str:
        return ", ".join(sorted(self._file.compression))

    def topics(self) -> Mapping[ChannelSpec, int]:
        """Counts are not known: telling them takes a look at every record of the file."""
        return dict.fromkeys(self._channels.values(), 0)

    def messages(self, from_ns: int | None = None) -> Iterator[Message]:
        problems = self._file.problems
        problems.clear()
        problems.update(self._found)
        for number, record in enumerate(self._file.records(DATA, from_ns)):
            channel = self._channels.get(record.stream)
            if channel is None:
                name = self._file.tags[record.stream].get("VRS_Original_Recordable_Name", "")
                problems[f"not read: {name[:40] or 'kind'} {_name(record.stream)}"] += 1
                continue
            try:
                taken_ns, payload = _payload(record)
            except (ValueError, KeyError, TypeError, OverflowError) as error:
                problems[f"{channel.topic}: {error}"[:120]] += 1
                continue
            yield Message(channel, record.t_ns, taken_ns, number & 0xFFFFFFFF, payload)

    def close(self) -> None:
        self._file.close()

    def _channel(self, stream: Stream, told: Mapping[str, Any]) -> ChannelSpec | None:
        """None for what is of no modality, or is written in a way that is not read."""
        form = self._file.form(stream)
        if form in _PICTURES:
            return _spec(stream, "vision", "protobuf", _protobuf(CompressedImage))
        if _SOUND.match(form):
            return _spec(stream, "audio", "protobuf", _protobuf(RawAudio))
        measures = told.get("has_accelerometer") and told.get("has_gyroscope")
        if measures and set(_SIX) <= self._file.names(stream):
            schema = Schema(imu_message.SCHEMA_NAME, "ros2msg", imu_message.SCHEMA)
            return _spec(stream, "imu", "cdr", schema)
        return None


def _spec(stream: Stream, modality: Modality, encoding: str, schema: Schema) -> ChannelSpec:
    name = _name(stream)
    return ChannelSpec(f"/{name}", encoding, schema, (("stream", name), ("modality", modality)))


def _protobuf(kind: Any) -> Schema:
    return Schema(
        kind.DESCRIPTOR.full_name, "protobuf", build_file_descriptor_set(kind).SerializeToString()
    )


def _name(stream: Stream) -> str:
    return NAMES.get(stream, f"{stream.kind}-{stream.number}")


def _payload(record: Record) -> tuple[int, bytes]:
    """When it was taken, and the message. Raises ValueError or KeyError."""
    numbers = record.numbers
    if (codec := _PICTURES.get(record.form)) is not None:
        t_ns = _taken(numbers["capture_timestamp_ns"])
        picture = CompressedImage(timestamp=_timestamp(t_ns), data=record.content, format=codec)
        return t_ns, picture.SerializeToString()
    if (sound := _SOUND.match(record.form)) is not None:
        bits, channels, rate_hz = (int(part) for part in sound.groups())
        # One for each instant of sound; the first is the start of the block.
        t_ns = _taken(next(iter(numbers["capture_timestamps_ns"]), None))
        said = RawAudio(
            timestamp=_timestamp(t_ns),
            data=record.content,
            format=f"s{bits}le",
            sample_rate=rate_hz,
            number_of_channels=channels,
        )
        return t_ns, said.SerializeToString()
    if not (numbers.get("accelerometer_valid", True) and numbers.get("gyroscope_valid", True)):
        raise ValueError("readings that the device calls invalid")
    t_ns = _taken(numbers["capture_timestamp_ns"])
    values = np.array([[*numbers["accelerometer"], *numbers["gyroscope"]]], np.float32)
    if values.shape != (1, 6):
        raise ValueError(f"expected six numbers, got {values.size}")
    (payload,) = imu_message.encode(ImuBlock(np.array([t_ns], np.int64), values))
    return t_ns, payload


def _taken(t_ns: Any) -> int:
    if not isinstance(t_ns, int) or not 0 <= t_ns < 1 << 62:
        raise ValueError("without the time at which it was taken")
    return t_ns


def _timestamp(t_ns: int) -> Timestamp:
    return Timestamp(seconds=t_ns // NS_PER_S, nanos=t_ns % NS_PER_S)
