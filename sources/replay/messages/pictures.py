"""Pictures in messages, as they are: nothing is decoded that need not be. Pure."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from sources.recording.pictures import LARGEST_PICTURE, RAW, Codec, packed_size
from sources.replay.messages.bytes_of import bytes_of
from sources.replay.messages.ros import Fields

Kind: TypeAlias = Literal["colours", "grey16", "numbers"]
"""`grey16`: 16 bits that could be anything. `numbers`: a measurement, by its encoding."""

_NAMES: Mapping[str, Codec] = {
    **{codec: codec for codec in RAW},
    "8UC1": "mono8",
    "8UC3": "bgr8",
    "8UC4": "bgra8",
    "yuv422": "uyvy",
    "yuv422_yuy2": "yuyv",
}
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_DEPTH_HEADER = struct.Struct("<iff")


@dataclass(frozen=True, slots=True)
class Picture:
    """The bytes of one picture. `shape` (H, W) where the codec does not know it."""

    payload: bytes
    codec: Codec
    kind: Kind
    shape: tuple[int, int] | None = None


def raw(fields: Fields) -> Picture:
    """`sensor_msgs/Image`, `foxglove.RawImage`. Raises ValueError."""
    name = fields.get("encoding")
    codec = _NAMES.get(name) if isinstance(name, str) else None
    if codec is None:
        raise ValueError(f"pictures in {str(name)[:30]!r} are not read")
    height, width, step = (_whole(fields.get(key, 0)) for key in ("height", "width", "step"))
    dtype, channels = RAW[codec]
    item = np.dtype(dtype).itemsize
    row = width * channels * item
    step = step or row
    _check(width, height)
    data = bytes_of(fields.get("data"))
    if step < row or len(data) < step * (height - 1) + row:
        raise ValueError(f"{len(data)} bytes for {width}x{height} {name} in rows of {step}")
    if step != row:
        short = step * height - len(data)
        padded = np.frombuffer(bytes(data) + bytes(max(0, short)), np.uint8, step * height)
        data = padded.reshape(height, step)[:, :row].tobytes()
    if item > 1 and fields.get("is_bigendian"):
        data = np.frombuffer(data, np.dtype(dtype).newbyteorder(">")).astype(dtype).tobytes()
    if len(data) != row * height or not isinstance(data, bytes):
        data = bytes(data[: row * height])
    return Picture(data, codec, _kind(codec), (height, width))


def compressed(fields: Fields) -> Picture:
    """`sensor_msgs/CompressedImage`, `foxglove.CompressedImage`. Raises ValueError.

    ROS has the encoding before compression in front: `bgr8; jpeg compressed bgr8`.
    """
    told = str(fields.get("format", ""))[:80]
    data = bytes_of(fields.get("data"))
    if "compressedDepth" in told:
        return _depth(told, data)
    start = bytes(data[:8])
    if start.startswith(_JPEG):
        packed = bytes(data)
        size = packed_size(packed)
        if size is None:
            raise ValueError("a JPEG that is cut off or damaged")
        _check(size[1], size[0])
        return Picture(packed, "jpeg", "colours")
    if start != _PNG:
        raise ValueError(f"pictures of format {told[:30]!r} are not read")
    grey16 = _png(data)
    measured = told.startswith("16UC1")
    return Picture(
        bytes(data), "png", "colours" if not grey16 else "numbers" if measured else "grey16"
    )


def _depth(told: str, data: bytes | memoryview) -> Picture:
    """Of ROS's depth transport: a header of two numbers, then a PNG.

    32 bits have become 16 by a formula: metres = first / (number - second), 0 = no return.
    """
    packed = bytes(data[_DEPTH_HEADER.size :])
    if not packed.startswith(_PNG):
        raise ValueError(f"pictures of format {told[:30]!r} without a PNG are not read")
    if not _png(packed):
        raise ValueError("compressed depth that has not 16 bits")
    if not told.startswith("32FC1"):
        return Picture(packed, "png", "numbers")
    _, a, b = _DEPTH_HEADER.unpack_from(data)
    stored = cast("NDArray[Any] | None", cv2.imdecode(np.frombuffer(packed, np.uint8), -1))
    if stored is None or stored.dtype != np.uint16 or stored.ndim != 2:
        raise ValueError("compressed depth that cannot be decoded")
    with np.errstate(divide="ignore", invalid="ignore"):
        metres = np.where(stored > 0, np.float32(a) / (stored - np.float32(b)), np.float32(0))
    height, width = metres.shape
    return Picture(metres.astype("<f4").tobytes(), "32FC1", "numbers", (height, width))


def _kind(codec: Codec) -> Kind:
    if codec in ("16UC1", "32FC1"):
        return "numbers"
    return "grey16" if codec == "mono16" else "colours"


def _whole(value: Any) -> int:
    if isinstance(value, int) and 0 <= value < 1 << 32:
        return value
    raise ValueError(f"a size expected, got {str(value)[:20]}")


def _check(width: int, height: int) -> None:
    if not 0 < width * height <= LARGEST_PICTURE:
        raise ValueError(f"a picture of {width}x{height}")


def _png(data: bytes | memoryview) -> bool:
    """Is it 16 bits of grey? Checks its size."""
    if len(data) < 33:
        raise ValueError("a PNG that is cut off")
    width, height, bits, colour = struct.unpack_from(">IIBB", data, 16)
    _check(width, height)
    return bits == 16 and colour == 0
