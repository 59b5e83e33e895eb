"""Libraries that decode network video can grow for days (opencv#8151): then they start anew."""

import os
from collections.abc import Callable
from pathlib import Path

from streamer.errors import SourceLost
from streamer.types import NS_PER_S

MOST_BYTES = 512 << 20
"""How much more than at first is too much. Ten pictures of the largest camera are less."""

_EVERY_NS = 5 * NS_PER_S
_FIRST_NS = 10 * NS_PER_S


class Growth:
    """How much memory this process has taken since its first seconds. Pure: the caller brings the
    time and the measure."""

    def __init__(self) -> None:
        self._due_ns: int | None = None
        self._first_bytes: int | None = None

    def check(self, now_ns: int, measure: Callable[[], int]) -> None:
        """Measure, if it is time to. Raises `SourceLost`."""
        if self._due_ns is None:
            self._due_ns = now_ns + _FIRST_NS
        if now_ns < self._due_ns:
            return
        self._due_ns = now_ns + _EVERY_NS
        held = measure()
        if self._first_bytes is None:
            self._first_bytes = held
        if held - self._first_bytes > MOST_BYTES:
            grown = (held - self._first_bytes) >> 20
            raise SourceLost(f"its process has grown by {grown} MiB and is started again")


def own_bytes() -> int:
    """Memory of this process that it shares with nobody: pictures handed over do not count."""
    _, resident, shared, *_ = Path("/proc/self/statm").read_text().split()
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")
