"""When a message says that it was taken. Pure."""

from datetime import datetime
from typing import Any, cast

from sources.replay.messages.ros import Fields
from streamer.types import NS_PER_S

_SECONDS = ("sec", "secs", "seconds")
_NANOS = ("nsec", "nsecs", "nanosec", "nanos")


def stamp_of(fields: Fields) -> int | None:
    """Nanoseconds since the epoch of its clock, of `header.stamp` or `timestamp`; None: says none.

    Zero is what is there when nobody stamps.
    """
    header = fields.get("header")
    told: Any = cast("Fields", header).get("stamp") if isinstance(header, dict) else None
    if told is None:
        told = fields.get("timestamp", fields.get("stamp"))
    t_ns = _ns(told)
    return t_ns if t_ns and 0 < t_ns < 1 << 62 else None


def _ns(told: Any) -> int | None:
    if isinstance(told, dict):
        parts = cast("Fields", told)
        seconds = next((parts[name] for name in _SECONDS if name in parts), 0)
        nanos = next((parts[name] for name in _NANOS if name in parts), 0)
        if isinstance(seconds, int) and isinstance(nanos, int):
            return seconds * NS_PER_S + nanos
        return None
    if isinstance(told, str):
        return _of_text(told[:40])
    return told if isinstance(told, int) else None


def _of_text(told: str) -> int | None:
    try:
        when = datetime.fromisoformat(told)
    except ValueError:
        return None
    return None if when.tzinfo is None else round(when.timestamp() * 1_000_000) * 1000
