"""Times of a log, as they are given and shown. Pure."""

import re
from datetime import UTC, datetime, timedelta

from streamer.errors import ConfigError
from streamer.types import NS_PER_S

_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,4}):(\d{1,2}(?:\.\d{1,9})?)")
_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(option: str, text: str, start_ns: int) -> int:
    """Nanoseconds since the Unix epoch: 90, 1:30 and 0:01:30 count from `start_ns`, the rest is a
    date with a time, UTC where it names no zone. Raises `ConfigError`."""
    if _SECONDS.fullmatch(text):
        return start_ns + round(float(text) * NS_PER_S)
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = clock.groups()
        whole_s = int(hours or 0) * 3600 + int(minutes) * 60
        return start_ns + whole_s * NS_PER_S + round(float(seconds) * NS_PER_S)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{option}: expected seconds into the log (90), minutes (1:30) or a date with a time "
            f"(2026-05-01T10:00:00Z), got {text[:60]!r}"
        ) from None
    since = (found if found.tzinfo else found.replace(tzinfo=UTC)) - _EPOCH
    return since // timedelta(microseconds=1) * 1000


def date(t_ns: int) -> str:
    """UTC; the number itself where it lies beyond all calendars."""
    try:
        return (_EPOCH + timedelta(microseconds=t_ns // 1000)).isoformat(" ", "milliseconds")[:23]
    except OverflowError:
        return f"{t_ns} ns"


def length(ns: int) -> str:
    """In the unit that fits: 12 ms, 3.25 s, 2 h 05 min."""
    seconds = abs(ns) / NS_PER_S
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 600:
        return f"{seconds:.2f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min"


def position(ns: int) -> str:
    """Minutes and seconds, with hours where there are any: how far a log has been gone through."""
    minutes, seconds = divmod(max(0, ns) // NS_PER_S, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
