"""What a device's process says to the program, one datagram each. Pure functions.

The way there is a Unix socket that keeps datagrams whole and in order. Pictures travel in shared
memory, and their datagram names the slot; sound and readings travel in the datagram itself. All
stamps are CLOCK_MONOTONIC in nanoseconds: the program alone maps them to UTC.
"""

from dataclasses import dataclass, field
from math import isfinite
from typing import Any, TypeAlias

import cbor2
import numpy as np
from numpy.typing import NDArray

from streamer.types import NS_PER_S, ClockCard, Counts

MAX_BYTES = 128 << 10
"""Of a datagram; the least default buffer of a Unix socket is above 200 KB."""

PIXELS = ("uint8", "uint16", "float32")

_MAX_SIDE = 1 << 16
# 146 years: two of them added still fit into an int64.
_FURTHEST = 1 << 62
# A day without a sample is no sample period; causes are a handful of words.
_LONGEST_NS = 86_400 * NS_PER_S
_MOST_CAUSES = 64
_FASTEST_HZ = 1_000_000


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
class Tally:
    """`made` and `dropped` of a stream as in a head: the last word, for what no sample follows."""

    stream: str
    made: int
    dropped: Counts


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


Message: TypeAlias = Picture | Sound | Motion | Tally | Opened | Noted | Lost | Ended


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
        case Tally(stream, made, dropped):
            body = cbor2.dumps(("tally", stream, made, dict(dropped)))
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
    """Raises `Garbled`, and nothing else, whatever the bytes. Arrays are views of the datagram."""
    try:
        kind, *fields = cbor2.loads(body)
        return _decode(kind, fields)
    except (ValueError, TypeError, cbor2.CBORDecodeError) as error:
        raise Garbled(f"expected a message of a device's process, got {error}") from None


def _decode(kind: object, fields: list[Any]) -> Message:
    match kind, fields:
        case "picture", [head, slot, [*shape], dtype, scale, offset, bool() as grey]:
            sides = tuple(_whole(side, 1, _MAX_SIDE) for side in shape)
            if dtype not in PIXELS or not 2 <= len(sides) <= 3:
                raise ValueError(f"a picture of {dtype} {shape}")
            scale = None if scale is None else _number(scale)
            where = (_whole(slot, 0, 255), sides, dtype)
            return Picture(_to_head(head), *where, scale, _number(offset), grey)
        case "sound", [head, rate_hz, bytes() as samples]:
            sound = np.frombuffer(samples, "<f4")
            if not len(sound):
                raise ValueError("sound of no samples")
            return Sound(_to_head(head), _whole(rate_hz, 1, _FASTEST_HZ), sound)
        case "motion", [head, bytes() as stamps, bytes() as values]:
            t_ns = np.frombuffer(stamps, "<i8")
            if not len(t_ns) or not -_FURTHEST < int(t_ns.min()) <= int(t_ns.max()) < _FURTHEST:
                raise ValueError(f"motion with {len(t_ns)} stamps, or some out of all bounds")
            return Motion(_to_head(head), t_ns, np.frombuffer(values, "<f4").reshape(len(t_ns), 6))
        case _:
            return _decode_news(kind, fields)


def _decode_news(kind: object, fields: list[Any]) -> Message:
    match kind, fields:
        case "tally", [str() as stream, made, lost]:
            return Tally(stream, _whole(made), _to_counts(lost))
        case "opened", [str() as what]:
            return Opened(what)
        case "noted", [str() as stream, str() as what]:
            return Noted(stream, what)
        case "lost", [str() as why]:
            return Lost(why)
        case "ended", []:
            return Ended()
        case _:
            raise ValueError(f"{str(kind)[:40]!r} with {len(fields)} fields")


def _from_head(head: Head) -> tuple[Any, ...]:
    clock = head.clock
    card = (clock.domain, clock.error_ns, clock.offset_ns)
    return (head.stream, head.t_ns, head.duration_ns, card, head.made, dict(head.dropped))


def _to_head(fields: object) -> Head:
    match fields:
        case [str() as stream, t_ns, duration_ns, [str() as domain, error, offset], made, lost]:
            return Head(
                stream,
                _whole(t_ns, -_FURTHEST),
                _whole(duration_ns, 0, _LONGEST_NS),
                ClockCard(domain, _whole(error, -_FURTHEST), _whole(offset, -_FURTHEST)),
                _whole(made),
                _to_counts(lost),
            )
        case _:
            raise ValueError("a sample without a head")


def _to_counts(fields: object) -> Counts:
    match fields:
        case dict() if len(fields) <= _MOST_CAUSES:
            return {str(cause): _whole(count) for cause, count in fields.items()}
        case _:
            raise ValueError("no counts by cause, or too many")


def _whole(value: object, least: int = 0, most: int = _FURTHEST) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{str(value)[:40]} where a whole number from {least} to {most} belongs")
    return value


def _number(value: object) -> float:
    if type(value) is int:
        return float(_whole(value, -_FURTHEST))
    if not isinstance(value, float) or not isfinite(value):
        raise ValueError(f"{str(value)[:40]} where a number belongs")
    return value
