"""What a check found out, and sizes and times as people read them."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["pass", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`name` of what was looked at, what is `said` about it, and what to do where it is not well.

    warn: it runs, but not as meant. fail: a run would not work.
    """

    name: str
    state: State
    said: str
    remedy: str = ""


def size(count: float) -> str:
    """Bytes for people, in powers of 1000: 2.4 GB."""
    units = ["B", "kB", "MB", "GB", "TB"]
    while count >= 999.5 and len(units) > 1:
        count /= 1000
        units.pop(0)
    return f"{count:,.3g} {units[0]}" if count < 999.5 else f"{count:,.0f} {units[0]}"


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds < 0.9995 else f"{seconds:.3g} s"
