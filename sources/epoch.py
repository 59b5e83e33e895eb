"""Where on the time line a recording is put.

Files rarely know when they were made. Those given together therefore start together, at one
configured instant, and not at a date that one of them happens to carry.
"""

from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from pydantic import AwareDatetime

from streamer.types import NS_PER_S

Start: TypeAlias = AwareDatetime | int
"""A date with its time zone, or nanoseconds since the Unix epoch."""

# Not zero: there a time of 0 means "not reached yet".
DEFAULT_START = datetime(2000, 1, 1, tzinfo=UTC)


def to_ns(start: datetime | int) -> int:
    """Nanoseconds since the Unix epoch, exactly: no float is involved."""
    if isinstance(start, int):
        return start
    since = start - datetime(1970, 1, 1, tzinfo=UTC)
    whole = since // timedelta(seconds=1)
    return whole * NS_PER_S + since.microseconds * 1000
