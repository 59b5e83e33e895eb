"""Digests of windows: equal if and only if every stream, span, stamp and recorded byte is. Pure.

Never of decoded pixels, which differ between versions of a decoder, and never of ages or counts,
which belong to the run and not to what it saw.
"""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sources.recording.pictures import Encoded, Kept
from sources.recording.video import VideoFrame
from streamer.types import AudioBlock, Data, ImuBlock, Tick, Window

_STAMPS = struct.Struct("<qqq")
# The two that are nearly all, first: to ask for a protocol takes twenty times as long.
_KEPT = (Encoded, VideoFrame, Kept)


@dataclass(frozen=True, slots=True)
class TickDigest:
    """The windows that end at one instant: 32 hex digits for each stream."""

    end_ns: int
    windows: Mapping[str, str]


class RunningDigest:
    """One digest of all ticks so far, in their order."""

    def __init__(self) -> None:
        self.ticks = 0
        self._digest = hashlib.sha256()

    def add(self, tick: TickDigest) -> None:
        self.ticks += 1
        self._digest.update(struct.pack("<q", tick.end_ns))
        for stream, digest in sorted(tick.windows.items()):
            self._digest.update(f"{stream} {digest};".encode())

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def digest(tick: Tick) -> TickDigest:
    return TickDigest(tick.end_ns, {window.stream: of_window(window) for window in tick.windows})


def of_window(window: Window) -> str:
    """Of the samples as a log keeps them: record first, or replay."""
    total = hashlib.blake2b(window.stream.encode(), digest_size=16)
    span = window.span
    total.update(_STAMPS.pack(span.start_ns, span.end_ns, len(window.samples)))
    parts: list[bytes] = []
    for sample in window.samples:
        parts.append(_STAMPS.pack(sample.t_ns, sample.duration_ns, 0))
        parts += _content(sample.data)
    total.update(b"".join(parts))
    return total.hexdigest()


def _content(data: Data) -> tuple[bytes, ...]:
    if isinstance(data, AudioBlock):
        # Of the floats that 16 bits became, of which each stands for one level.
        return struct.pack("<q", data.rate_hz), _bytes(data.samples, "<f4")
    if isinstance(data, ImuBlock):
        return _bytes(data.t_ns, "<i8"), _bytes(data.values, "<f4")
    if isinstance(data, _KEPT):
        return (data.digest(),)
    # From another source than a log, in the place of a stream of it.
    array = data if isinstance(data, np.ndarray) else data.array()
    return (hashlib.blake2b(array.tobytes(), digest_size=16).digest(),)


def _bytes(array: NDArray[Any], dtype: str) -> bytes:
    return array.astype(dtype, copy=False).tobytes()
