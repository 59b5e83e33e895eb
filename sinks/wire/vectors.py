"""Vectors as RFC 8746 typed arrays: tag 84 is float16, tag 85 float32, both little-endian."""

from typing import Literal, TypeAlias

import cbor2
import numpy as np
from numpy.typing import NDArray

from streamer.types import Vector

Dtype: TypeAlias = Literal["float16", "float32"]

# Shared spaces in use have 512 to 4096 dimensions; a claim beyond this is an attack or a mistake.
MAX_DIM = 16_384

_TAGS: dict[Dtype, int] = {"float16": 84, "float32": 85}
_FORMATS: dict[int, str] = {84: "<f2", 85: "<f4"}


def pack(vector: Vector, dtype: Dtype) -> cbor2.CBORTag:
    """The typed array of a finite vector (D,), 1 <= D <= `MAX_DIM`. Raises ValueError."""
    if vector.ndim != 1 or not 1 <= len(vector) <= MAX_DIM:
        raise ValueError(f"expected a vector of 1..{MAX_DIM} numbers, got shape {vector.shape}")
    check_unit(vector)
    tag = _TAGS[dtype]
    return cbor2.CBORTag(tag, vector.astype(_FORMATS[tag]).tobytes())


def unpack(array: cbor2.CBORTag) -> Vector:
    """The float32 unit vector of a typed array. Raises ValueError on anything else.

    float16 keeps the direction to within 1e-3 radians but the length only to about three digits,
    so the length is restored. A float32 vector comes back bit for bit.
    """
    data: object = array.value
    if array.tag not in _FORMATS or not isinstance(data, bytes):
        raise ValueError(f"expected a byte string with tag 84 or 85, got tag {array.tag}")
    kind = np.dtype(_FORMATS[array.tag])
    if len(data) % kind.itemsize or not 1 <= len(data) // kind.itemsize <= MAX_DIM:
        raise ValueError(f"expected 1..{MAX_DIM} numbers of {kind.itemsize} B, got {len(data)} B")
    vector: NDArray[np.float32] = np.frombuffer(data, kind).astype(np.float32)
    length = check_unit(vector)
    return vector if array.tag == _TAGS["float32"] else (vector / length).astype(np.float32)


def check_unit(vector: Vector) -> float:
    """The length of a vector that is a unit vector within 1 %. Raises ValueError, for NaN too."""
    with np.errstate(invalid="ignore"):  # of one kind of NaN it is an error to make another
        length = float(np.linalg.norm(vector.astype(np.float64)))
    # Written so that NaN fails too.
    if not 0.99 < length < 1.01:
        raise ValueError(f"expected a unit vector, got length {length:.6g}")
    return length
