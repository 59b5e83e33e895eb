"""What a device's process says to the program, one datagram each. Pure functions.

The way there is a Unix socket that keeps datagrams whole and in order. Pictures travel in shared
memory, and their datagram names the slot; sound and readings travel in the datagram itself. All
stamps are CLOCK_MONOTONIC in nanoseconds: the program alone maps them to UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeAlias

import cbor2
import numpy as np
from numpy.typing import NDArray

from streamer.types import ClockCard, Counts

MAX_BYTES = 128 << 10
"""Of a datagram; the least default buffer of a Unix socket is above 200 KB."""

PIXELS = ("uint8", "uint16", "float32")


class Garbled(ValueError):
    """A datagram that no device's process of this version sends."""


@dataclass(frozen=True, slots=True)
class Head:
    """Of one sample. `made`: samples of the stream so far, this one and lost ones included.
    `dropped`: how many of them were lost in the device's process, by cause."""

    stream: str
    t_ns: int
    duration_ns: int
    clock: ClockCard
    made: int
    dropped: Counts = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture in shared memory. Its value is `stored * scale + offset` where a scale is given,
    its brightness with `grey`."""

    head: Head
    slot: int
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    offset: float = 0.0
    grey: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    head: Head
    rate_hz: int
    samples: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """`t_ns` int64 (n,) on CLOCK_MONOTONIC, `values` float32 (n, 6)."""

    head: Head
    t_ns: NDArray[np.int64]
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Opened:
    """The device is open; `what` tells a person what was found and agreed on."""

    what: str


@dataclass(frozen=True, slots=True)
class Noted:
    """What a stream that delivers has to say about itself: the level of its pictures."""

    stream: str
    what: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The device cannot deliver, and why. The process ends."""

    why: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A recording came to its end. The process ends."""


Message: TypeAlias = Picture | Sound | Motion | Opened | Noted | Lost | Ended


def encode(message: Message) -> bytes:
    """Raises ValueError for a message that does not fit a datagram."""
    match message:
        case Picture(head):
            where = (message.slot, message.shape, message.dtype)
            level = (message.scale, message.offset, message.grey)
            body = cbor2.dumps(("picture", _from_head(head), *where, *level))
        case Sound(head):
            samples = np.ascontiguousarray(message.samples, "<f4").tobytes()
            body = cbor2.dumps(("sound", _from_head(head), message.rate_hz, samples))
        case Motion(head):
            stamps = np.ascontiguousarray(message.t_ns, "<i8").tobytes()
            values = np.ascontiguousarray(message.values, "<f4").tobytes()
            body = cbor2.dumps(("motion", _from_head(head), stamps, values))
        case Opened(what):
            body = cbor2.dumps(("opened", what[:2000]))
        case Noted(stream, what):
            body = cbor2.dumps(("noted", stream, what[:2000]))
        case Lost(why):
            body = cbor2.dumps(("lost", why[:2000]))
        case Ended():
            body = cbor2.dumps(("ended",))
    if len(body) > MAX_BYTES:
        raise ValueError(f"expected a message of at most {MAX_BYTES} bytes, got {len(body)}")
    return body


def decode(body: bytes) -> Message:
    """Raises `Garbled`. Arrays are views of the datagram."""
    try:
        kind, *fields = cbor2.loads(body)
        return _decode(kind, fields)
    except (ValueError, TypeError, KeyError, cbor2.CBORDecodeError) as error:
        raise Garbled(f"expected a message of a device's process, got {error}") from None


def _decode(kind: str, fields: list[Any]) -> Message:
    match kind, fields:
        case "picture", [head, slot, shape, dtype, scale, offset, bool() as grey]:
            if dtype not in PIXELS or not 2 <= len(shape) <= 3 or prod(shape) <= 0:
                raise ValueError(f"a picture of {dtype} {shape}")
            return Picture(_to_head(head), slot, tuple(shape), dtype, scale, offset, grey)
        case "sound", [head, rate_hz, samples]:
            return Sound(_to_head(head), int(rate_hz), np.frombuffer(samples, "<f4"))
        case "motion", [head, stamps, values]:
            t_ns = np.frombuffer(stamps, "<i8")
            return Motion(_to_head(head), t_ns, np.frombuffer(values, "<f4").reshape(len(t_ns), 6))
        case _:
            return _decode_news(kind, fields)


def _decode_news(kind: str, fields: list[Any]) -> Message:
    match kind, fields:
        case "opened", [str() as what]:
            return Opened(what)
        case "noted", [str() as stream, str() as what]:
            return Noted(stream, what)
        case "lost", [str() as why]:
            return Lost(why)
        case "ended", []:
            return Ended()
        case _:
            raise ValueError(f"{kind!r} with {len(fields)} fields")


def _from_head(head: Head) -> tuple[Any, ...]:
    clock = head.clock
    card = (clock.domain, clock.error_ns, clock.offset_ns)
    return (head.stream, head.t_ns, head.duration_ns, card, head.made, dict(head.dropped))


def _to_head(fields: Any) -> Head:
    stream, t_ns, duration_ns, (domain, error_ns, offset_ns), made, dropped = fields
    counts: Mapping[str, int] = {str(cause): int(count) for cause, count in dropped.items()}
    card = ClockCard(str(domain), int(error_ns), int(offset_ns))
    return Head(str(stream), int(t_ns), int(duration_ns), card, int(made), counts)
