"""Where on the time line a recording is put.

Files rarely know when they were made. Those given together therefore start together, at one
configured instant, and not at a date that one of them happens to carry.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, TypeAlias

from pydantic import PlainValidator

from streamer.types import NS_PER_S

# Not zero: there a time of 0 means "not reached yet".
DEFAULT_START = datetime(2000, 1, 1, tzinfo=UTC)


def to_ns(start: datetime | int) -> int:
    """Nanoseconds since the Unix epoch, exactly: no float is involved."""
    if isinstance(start, int):
        return start
    since = start - datetime(1970, 1, 1, tzinfo=UTC)
    whole = since // timedelta(seconds=1)
    return whole * NS_PER_S + since.microseconds * 1000


def _start(given: object) -> datetime | int:
    """One message, instead of one for each type that it might have been."""
    if isinstance(given, str):
        try:
            given = datetime.fromisoformat(given)
        except ValueError:
            given = f"{given!r}"
    if isinstance(given, datetime) and given.tzinfo is not None:
        return given
    if isinstance(given, int) and not isinstance(given, bool) and abs(given) < 2**62:
        return given
    raise ValueError(
        "expected a date with its time zone, such as 2026-05-01T10:00:00Z, or nanoseconds since "
        f"the Unix epoch, got {given}"
    )


def _start_or_file(given: object) -> datetime | int | Literal["file"]:
    return "file" if given == "file" else _start(given)


Start: TypeAlias = Annotated[datetime | int, PlainValidator(_start)]
"""A date with its time zone, or nanoseconds since the Unix epoch."""

StartOrFile: TypeAlias = Annotated[datetime | int | Literal["file"], PlainValidator(_start_or_file)]
"""The same, or the date that the file carries."""
