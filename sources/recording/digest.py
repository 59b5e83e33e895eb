"""Digests of windows: equal if and only if every stream, span, stamp and recorded byte is. Pure.

Never of decoded pixels, which differ between versions of a decoder, and never of ages or counts,
which belong to the run and not to what it saw.
"""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sources.recording.pictures import Kept
from sources.recording.sound import to_int16
from streamer.types import AudioBlock, Data, ImuBlock, Tick, Window

_STAMPS = struct.Struct("<qqq")


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
    for sample in window.samples:
        total.update(_STAMPS.pack(sample.t_ns, sample.duration_ns, 0))
        total.update(_content(sample.data))
    return total.hexdigest()


def _content(data: Data) -> bytes:
    if isinstance(data, AudioBlock):
        return struct.pack("<q", data.rate_hz) + to_int16(data.samples).tobytes()
    if isinstance(data, ImuBlock):
        return data.t_ns.astype("<i8").tobytes() + data.values.astype("<f4").tobytes()
    if isinstance(data, Kept):
        return data.digest()
    # From another source than a log, in the place of a stream of it.
    array = data if isinstance(data, np.ndarray) else data.array()
    return hashlib.blake2b(array.tobytes(), digest_size=16).digest()
