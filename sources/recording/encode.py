"""Samples as messages of a log. Pure, but for the films: each frame needs those before it."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import cv2
import numpy as np
from foxglove_schemas_protobuf.CompressedImage_pb2 import CompressedImage
from foxglove_schemas_protobuf.CompressedVideo_pb2 import CompressedVideo
from foxglove_schemas_protobuf.RawAudio_pb2 import RawAudio
from foxglove_schemas_protobuf.RawImage_pb2 import RawImage
from mcap_protobuf.schema import build_file_descriptor_set
from numpy.typing import NDArray

from sources.recording import imu_message
from sources.recording.film import Film, is_filmed
from sources.recording.format import AUDIO_FORMAT, Message
from sources.recording.journal import Took
from sources.recording.pictures import AS_STORED, Codec, Encoded, Look
from sources.recording.sound import from_int16, to_int16
from sources.recording.video import VideoFrame
from sources.scaled import Scaled
from streamer.logfile import ChannelSpec, Schema
from streamer.types import NS_PER_S, AudioBlock, ImuBlock, Sample, pixels

Pictures = Literal["jpeg", "png", "h264"]

METRES = Look(scale=0.001)
CELSIUS = Look(scale=0.01, offset=-273.15)
_DEEPEST = 65535


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """A sample as the log will give it back, and the messages that say so."""

    sample: Sample
    channel: ChannelSpec
    messages: tuple[Message, ...]

    def took(self, now_ns: int) -> Took:
        """What the journal says of it. `now_ns`: the run's clock when it came."""
        sample, data = self.sample, self.sample.data
        return Took(
            now_ns,
            sample.stream,
            sample.t_ns,
            sample.duration_ns,
            len(self.messages),
            sample.clock,
            data.look if isinstance(data, Encoded) else AS_STORED,
        )


def record(
    sample: Sample,
    pictures: Pictures = "jpeg",
    quality: int = 90,
    films: dict[str, Film] | None = None,
) -> Recorded:
    """What is already as a log keeps it stays byte for byte; the rest is brought into shape.

    Colour is compressed (`pictures`, `quality` 1..100); `films` are those of the file so far, by
    stream, and without them a frame of video stands for itself. Depth and heat become 16 bits,
    millimetres and centikelvin, unless the sensor gave integers, which stay as they are; with
    "png", which loses nothing, numbers with a fraction keep their 32 bits. Sound becomes 16 bits.
    """
    if isinstance(sample.data, AudioBlock):
        return _sound(sample, sample.data)
    if isinstance(sample.data, ImuBlock):
        return _motion(sample, sample.data)
    if is_filmed(sample, pictures):
        film = {} if films is None else films
        if sample.stream not in film:
            film[sample.stream] = Film(quality)
        return _frame(sample, film[sample.stream].frame(sample))
    return picture(sample, _encoded(sample, pictures, quality))


def _frame(sample: Sample, kept: VideoFrame) -> Recorded:
    """In the bytes it has."""
    message = CompressedVideo(frame_id=sample.stream, data=kept.payload, format=kept.codec)
    _stamp(message, sample.t_ns)
    one = Message(sample.t_ns, _sensor_ns(sample), message.SerializeToString())
    return Recorded(replace(sample, data=kept), _channel(sample, CompressedVideo, {}), (one,))


def picture(sample: Sample, kept: Encoded) -> Recorded:
    """A picture in the bytes it has."""
    stamp, sensor_ns = sample.t_ns, _sensor_ns(sample)
    if kept.codec in ("jpeg", "png"):
        message: Any = CompressedImage(frame_id=sample.stream, data=kept.payload, format=kept.codec)
    else:
        height, width = kept.shape or (0, 0)
        message = RawImage(
            frame_id=sample.stream,
            width=width,
            height=height,
            encoding=kept.codec,
            step=len(kept.payload) // max(1, height),
            data=kept.payload,
        )
    _stamp(message, stamp)
    look = kept.look
    values = {"scale": f"{look.scale:.17g}", "offset": f"{look.offset:.17g}"}
    # A level of brightness changes all the time: the journal has it.
    unit = {} if look == AS_STORED or look.grey else values | {"unit": _UNIT[sample.modality]}
    channel = _channel(sample, type(message), unit)
    recorded = replace(sample, data=kept)
    return Recorded(recorded, channel, (Message(stamp, sensor_ns, message.SerializeToString()),))


_UNIT = {"depth": "m", "thermal": "degC", "vision": ""}


def _encoded(sample: Sample, pictures: Pictures, quality: int) -> Encoded:
    data = sample.data
    if isinstance(data, Encoded):
        return data
    if isinstance(data, Scaled) and data.stored.dtype == np.uint16:
        look = Look(data.scale, data.offset, data.grey)
        return _raw(data.stored, "16UC1", look)
    array = pixels(sample)
    if array.ndim == 3:
        return _compressed(array, pictures, quality)
    if array.dtype == np.uint8:
        return _raw(array, "mono8", AS_STORED)
    if pictures == "png":
        return _raw(array.astype("<f4"), "32FC1", AS_STORED)
    look = METRES if sample.modality == "depth" else CELSIUS
    stored = np.rint((array.astype(np.float64) - look.offset) / look.scale)
    return _raw(np.clip(stored, 0, _DEEPEST).astype(np.uint16), "16UC1", look)


def _raw(array: NDArray[Any], codec: Codec, look: Look) -> Encoded:
    height, width = array.shape
    return Encoded(np.ascontiguousarray(array).tobytes(), codec, (height, width), look)


def _compressed(array: NDArray[Any], pictures: Pictures, quality: int) -> Encoded:
    turned = cv2.cvtColor(array, cv2.COLOR_RGB2BGR)
    if pictures == "png":
        # Level 1: twice the size of level 9, a tenth of its time.
        _, packed = cv2.imencode(".png", turned, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        return Encoded(packed.tobytes(), "png")
    _, packed = cv2.imencode(".jpg", turned, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return Encoded(packed.tobytes(), "jpeg")


def _sound(sample: Sample, block: AudioBlock) -> Recorded:
    levels = to_int16(block.samples)
    message = RawAudio(
        data=levels.tobytes(),
        format=AUDIO_FORMAT,
        sample_rate=block.rate_hz,
        number_of_channels=1,
    )
    _stamp(message, sample.t_ns)
    recorded = replace(sample, data=AudioBlock(from_int16(levels), block.rate_hz))
    one = Message(sample.t_ns, _sensor_ns(sample), message.SerializeToString())
    return Recorded(recorded, _channel(sample, RawAudio, {}), (one,))


def _motion(sample: Sample, block: ImuBlock) -> Recorded:
    offset_ns = sample.clock.offset_ns
    messages = tuple(
        Message(t_ns, max(0, t_ns - offset_ns), payload)
        for t_ns, payload in zip(block.t_ns.tolist(), imu_message.encode(block), strict=True)
    )
    schema = Schema(imu_message.SCHEMA_NAME, "ros2msg", imu_message.SCHEMA)
    return Recorded(sample, ChannelSpec(_topic(sample), "cdr", schema, _about(sample)), messages)


def _topic(sample: Sample) -> str:
    return f"/{sample.stream}"


def _about(sample: Sample, more: dict[str, str] | None = None) -> tuple[tuple[str, str], ...]:
    return tuple(({"stream": sample.stream, "modality": sample.modality} | (more or {})).items())


def _channel(sample: Sample, message: Any, more: dict[str, str]) -> ChannelSpec:
    return ChannelSpec(_topic(sample), "protobuf", _schema(message), _about(sample, more))


@lru_cache(maxsize=8)
def _schema(message: Any) -> Schema:
    data = build_file_descriptor_set(message).SerializeToString()
    return Schema(message.DESCRIPTOR.full_name, "protobuf", data)


def _sensor_ns(sample: Sample) -> int:
    """When the sensor's own clock says it was."""
    return max(0, sample.t_ns - sample.clock.offset_ns)


def _stamp(message: Any, t_ns: int) -> None:
    message.timestamp.seconds, message.timestamp.nanos = divmod(t_ns, NS_PER_S)
