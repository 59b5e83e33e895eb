"""Pictures as a log keeps them: bytes, until somebody asks for pixels."""

import hashlib
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.errors import SourceLost

Codec: TypeAlias = Literal["jpeg", "png", "16UC1", "32FC1", "mono8", "rgb8"]

LARGEST_PICTURE = 1 << 27
"""Pixels; more is a lie in a header."""

_RAW: dict[str, tuple[str, int]] = {
    "16UC1": ("<u2", 1),
    "32FC1": ("<f4", 1),
    "mono8": ("u1", 1),
    "rgb8": ("u1", 3),
}


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

    `array` gives what `Sample.data` promises for the modality, given the right `look`.
    """

    __slots__ = ("_digest", "codec", "look", "payload", "shape")

    def __init__(
        self,
        payload: bytes,
        codec: Codec,
        shape: tuple[int, int] | None = None,
        look: Look = AS_STORED,
    ) -> None:
        self.payload, self.codec, self.shape, self.look = payload, codec, shape, look
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
        stored = self._stored()
        look = self.look
        if look == AS_STORED:
            return stored
        # In float64 first, as in `sources.scaled`.
        values = stored * np.float64(look.scale) + look.offset
        if look.grey:
            return np.clip(np.rint(values), 0, 255).astype(np.uint8)
        return values.astype(np.float32)

    def _stored(self) -> NDArray[Any]:
        if self.codec in _RAW:
            return unpacked(self.payload, self.codec, self.shape)
        packed = np.frombuffer(self.payload, np.uint8)
        picture = cv2.imdecode(packed, cv2.IMREAD_UNCHANGED) if len(packed) else None
        if picture is None:
            raise SourceLost(f"a picture of the log: expected {self.codec}, cannot be decoded")
        if picture.ndim == 3:
            return np.asarray(cv2.cvtColor(picture[:, :, :3], cv2.COLOR_BGR2RGB))
        return np.asarray(picture)


def unpacked(payload: bytes, codec: str, shape: tuple[int, int] | None) -> NDArray[Any]:
    """A view of raw pixels; bytes behind the last are ignored (RealSense writes four)."""
    dtype, channels = _RAW[codec]
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
    digest = hashlib.blake2b(payload, digest_size=16)
    if look != AS_STORED:
        digest.update(repr((look.scale, look.offset, look.grey)).encode())
    return digest.digest()
