"""Pictures as a log keeps them: bytes, until somebody asks for pixels."""

import hashlib
import struct
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.errors import SourceLost
from streamer.types import Modality

Codec: TypeAlias = Literal[
    "jpeg",
    "png",
    "16UC1",
    "32FC1",
    "mono8",
    "mono16",
    "rgb8",
    "bgr8",
    "rgba8",
    "bgra8",
    "uyvy",
    "yuyv",
    "bayer_rggb8",
    "bayer_bggr8",
    "bayer_gbrg8",
    "bayer_grbg8",
]
"""Ours are the first four, `mono8` and `rgb8`; the others come from cameras of other programs."""

LARGEST_PICTURE = 1 << 27
"""Pixels; more is a lie in a header."""

RAW: dict[Codec, tuple[str, int]] = {
    "16UC1": ("<u2", 1),
    "32FC1": ("<f4", 1),
    "mono8": ("u1", 1),
    "mono16": ("<u2", 1),
    "rgb8": ("u1", 3),
    "bgr8": ("u1", 3),
    "rgba8": ("u1", 4),
    "bgra8": ("u1", 4),
    "uyvy": ("u1", 2),
    "yuyv": ("u1", 2),
    "bayer_rggb8": ("u1", 1),
    "bayer_bggr8": ("u1", 1),
    "bayer_gbrg8": ("u1", 1),
    "bayer_grbg8": ("u1", 1),
}
"""What the numbers of a codec without compression are, and how many a pixel has."""

# OpenCV names a Bayer pattern by its second row.
_TO_RGB: dict[str, int] = {
    "bgr8": cv2.COLOR_BGR2RGB,
    "rgba8": cv2.COLOR_RGBA2RGB,
    "bgra8": cv2.COLOR_BGRA2RGB,
    "uyvy": cv2.COLOR_YUV2RGB_UYVY,
    "yuyv": cv2.COLOR_YUV2RGB_YUY2,
    "bayer_rggb8": cv2.COLOR_BayerBG2RGB,
    "bayer_bggr8": cv2.COLOR_BayerRG2RGB,
    "bayer_gbrg8": cv2.COLOR_BayerGR2RGB,
    "bayer_grbg8": cv2.COLOR_BayerGB2RGB,
}

_FRAME_MARKERS = {0xC0 + n for n in range(16)} - {0xC4, 0xC8, 0xCC}
"""Of JPEG: what follows is the size of the picture."""


@dataclass(frozen=True, slots=True)
class Look:
    """What makes values of stored numbers: `stored * scale + offset`, as in `sources.scaled`.

    `grey`: the outcome is brightness, not a measurement.
    """

    scale: float = 1.0
    offset: float = 0.0
    grey: bool = False


AS_STORED = Look()


@runtime_checkable
class Kept(Protocol):
    """A picture that knows its bytes in the log: what digests are made of."""

    @property
    def payload(self) -> bytes: ...

    def digest(self) -> bytes:
        """Of the payload and of what makes values of it."""
        ...


class Encoded:
    """One picture of a log. `shape` is (H, W); compressed pictures know theirs themselves.

    `array` gives what `Sample.data` promises for the `modality`, given the right `look`. Digests
    are of the payload and the look; the modality is the stream's.
    """

    __slots__ = ("_digest", "codec", "look", "modality", "payload", "shape")

    def __init__(
        self,
        payload: bytes,
        codec: Codec,
        shape: tuple[int, int] | None = None,
        look: Look = AS_STORED,
        modality: Modality | None = None,
    ) -> None:
        self.payload, self.codec, self.shape, self.look = payload, codec, shape, look
        self.modality: Modality | None = modality
        self._digest: bytes | None = None

    @property
    def nbytes(self) -> int:
        return len(self.payload)

    def digest(self) -> bytes:
        if self._digest is None:
            self._digest = digest_of(self.payload, self.look)
        return self._digest

    def array(self) -> NDArray[Any]:
        """Raises `SourceLost` for bytes that are no such picture."""
        try:
            stored = self._stored()
        except cv2.error:
            raise SourceLost(f"a picture of the log: {self.codec} of a wrong size") from None
        values = self._values(_channels(stored, self.modality))
        if self.modality == "depth" and values.dtype.kind == "f":
            # REP 118: no return is what is not finite; not above 0 is none either.
            return np.where(np.isfinite(values) & (values > 0), values, np.float32(0))
        return values

    def _values(self, stored: NDArray[Any]) -> NDArray[Any]:
        look = self.look
        if look == AS_STORED:
            return stored
        # In float64 first, as in `sources.scaled`.
        with np.errstate(all="ignore"):  # a log may hold anything
            values = stored * np.float64(look.scale) + look.offset
            if look.grey:
                return np.clip(np.rint(values), 0, 255).astype(np.uint8)
            return values.astype(np.float32)

    def _stored(self) -> NDArray[Any]:
        if self.codec in RAW:
            raw = unpacked(self.payload, self.codec, self.shape)
            turn = _TO_RGB.get(self.codec)
            return raw if turn is None else np.asarray(cv2.cvtColor(raw, turn))
        size = packed_size(self.payload)
        # Not what a header claims is made room for, but what a picture may have.
        if size is None or not 0 < size[0] * size[1] <= LARGEST_PICTURE:
            raise SourceLost(f"a picture of the log: expected {self.codec}, its header is damaged")
        try:
            picture = cv2.imdecode(np.frombuffer(self.payload, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error:
            picture = None
        if picture is None:
            raise SourceLost(f"a picture of the log: expected {self.codec}, cannot be decoded")
        if picture.ndim == 3:
            return np.asarray(cv2.cvtColor(picture[:, :, :3], cv2.COLOR_BGR2RGB))
        return np.asarray(picture)


def packed_size(payload: bytes) -> tuple[int, int] | None:
    """(H, W) as the header of a JPEG or PNG has it; None where that is neither."""
    if payload[:8] == b"\x89PNG\r\n\x1a\n" and payload[12:16] == b"IHDR" and len(payload) >= 24:
        width, height = struct.unpack_from(">II", payload, 16)
        return height, width
    at = 2 if payload[:2] == b"\xff\xd8" else len(payload)
    while at + 9 <= len(payload) and payload[at] == 0xFF:
        marker = payload[at + 1]
        if marker in _FRAME_MARKERS:
            height, width = struct.unpack_from(">HH", payload, at + 5)
            return height, width
        # A byte to fill up, a marker that stands alone, or one with its length.
        alone = 0xD0 <= marker <= 0xD8 or marker == 0x01
        length = 2 if alone else 2 + int.from_bytes(payload[at + 2 : at + 4], "big")
        at += 1 if marker == 0xFF else length
    return None


def _channels(stored: NDArray[Any], modality: Modality | None) -> NDArray[Any]:
    """RGB of 8 bits for vision, one channel for depth and heat, whatever the camera wrote."""
    if modality == "vision":
        if stored.dtype == np.uint16:
            stored = (stored >> 8).astype(np.uint8)
        return stored if stored.ndim == 3 else np.asarray(cv2.cvtColor(stored, cv2.COLOR_GRAY2RGB))
    if modality is not None and stored.ndim == 3:
        if modality == "depth":
            raise SourceLost("a picture of the log: expected depth, got colours")
        return np.ascontiguousarray(stored[:, :, 1])
    return stored


def unpacked(payload: bytes, codec: Codec, shape: tuple[int, int] | None) -> NDArray[Any]:
    """A view of raw pixels; bytes behind the last are ignored (RealSense writes four)."""
    dtype, channels = RAW[codec]
    height, width = shape or (0, 0)
    need = height * width * channels * np.dtype(dtype).itemsize
    if not 0 < height * width <= LARGEST_PICTURE or len(payload) < need:
        raise SourceLost(
            f"a picture of the log: expected {need} bytes for {width}x{height} {codec}, "
            f"got {len(payload)}"
        )
    flat = np.frombuffer(payload, dtype, height * width * channels)
    return flat.reshape((height, width, channels) if channels > 1 else (height, width))


def digest_of(payload: bytes, look: Look) -> bytes:
    """16 bytes that change with any bit of the payload, and with what makes values of it."""
    # Not BLAKE2 as for the small parts of a window: most processors have instructions for this.
    digest = hashlib.sha256(payload)
    if look != AS_STORED:
        digest.update(repr((look.scale, look.offset, look.grey)).encode())
    return digest.digest()[:16]
