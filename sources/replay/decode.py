"""Messages of our own logs as samples. Pure, but for video, where a frame needs those before."""

from typing import Any, get_args

import numpy as np
from foxglove_schemas_protobuf.CompressedImage_pb2 import CompressedImage
from foxglove_schemas_protobuf.CompressedVideo_pb2 import CompressedVideo
from foxglove_schemas_protobuf.RawAudio_pb2 import RawAudio
from foxglove_schemas_protobuf.RawImage_pb2 import RawImage
from google.protobuf.message import DecodeError

from sources.recording import imu_message
from sources.recording.format import AUDIO_FORMAT
from sources.recording.journal import Took
from sources.recording.pictures import Codec, Encoded
from sources.recording.sound import from_int16
from sources.recording.video import VideoFrame, VideoStream
from sources.replay.container import Message
from streamer.types import AudioBlock, Data, ImuBlock, Modality, Sample

_CODECS: dict[str, Codec] = {codec: codec for codec in get_args(Codec)}


class Films:
    """The video of a log while it is read, by topic."""

    def __init__(self) -> None:
        self._streams: dict[str, tuple[VideoStream, int]] = {}

    def frame(self, message: Message, codec: str, payload: bytes) -> VideoFrame:
        """The next frame. Raises ValueError for one whose key frame is missing."""
        topic, sequence = message.channel.topic, message.sequence
        stream, before = self._streams.get(topic) or (VideoStream(codec), sequence - 1)
        if stream.codec != codec:
            stream = VideoStream(codec)
        elif sequence != (before + 1) & 0xFFFFFFFF:
            stream.gap()
        self._streams[topic] = stream, sequence
        frame = stream.frame(payload)
        if frame is None:
            raise ValueError("before the first key frame")
        return frame


def sample(took: Took, modality: Modality, messages: list[Message], films: Films) -> Sample:
    """What the run took, from the messages it became. Raises ValueError if they are not that."""
    return Sample(
        took.stream,
        modality,
        took.t_ns,
        took.duration_ns,
        _data(took, modality, messages, films),
        took.clock,
    )


def _data(took: Took, modality: Modality, messages: list[Message], films: Films) -> Data:
    if modality == "imu":
        stamps = np.array([message.log_ns for message in messages], np.int64)
        return ImuBlock(stamps, imu_message.decode([message.payload for message in messages]))
    if len(messages) != 1:
        raise ValueError(f"expected one message a sample, got {len(messages)}")
    (message,) = messages
    try:
        return _sound(message) if modality == "audio" else _picture(message, took, modality, films)
    except DecodeError as error:
        raise ValueError(f"not the message that its channel promises: {error}") from None


def _sound(message: Message) -> AudioBlock:
    told = RawAudio.FromString(message.payload)
    if told.format != AUDIO_FORMAT or told.number_of_channels != 1 or not told.sample_rate:
        raise ValueError(f"expected one channel of {AUDIO_FORMAT}, got {told.format[:20]!r}")
    levels = np.frombuffer(told.data[: len(told.data) // 2 * 2], "<i2")
    return AudioBlock(from_int16(levels), told.sample_rate)


def _picture(
    message: Message, took: Took, modality: Modality, films: Films
) -> Encoded | VideoFrame:
    schema = message.channel.schema
    name = schema.name if schema else ""
    if name == "foxglove.CompressedImage":
        told: Any = CompressedImage.FromString(message.payload)
        return Encoded(told.data, _codec(told.format), None, took.look, modality)
    if name == "foxglove.CompressedVideo":
        told = CompressedVideo.FromString(message.payload)
        return films.frame(message, told.format, told.data)
    if name == "foxglove.RawImage":
        told = RawImage.FromString(message.payload)
        return Encoded(
            told.data, _codec(told.encoding), (told.height, told.width), took.look, modality
        )
    raise ValueError(f"expected a picture, got {name[:40]!r}")


def _codec(name: str) -> Codec:
    if name not in _CODECS:
        raise ValueError(f"unknown encoding of pictures {name[:20]!r}")
    return _CODECS[name]
