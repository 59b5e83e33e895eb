"""Clocks. The only module that may ask the system for the time.

The host clock is anchored once: UTC is read a single time and carried forward by the monotonic
clock, so it never steps back when NTP corrects the system time during a run.
"""

import asyncio
import heapq
import time
from typing import Protocol


class Now(Protocol):
    def now_ns(self) -> int: ...


def monotonic_ns() -> int:
    """CLOCK_MONOTONIC, which all processes of a machine share: the clock of devices' processes."""
    return time.monotonic_ns()


def since_monotonic_ns(clock: Now) -> int:
    """What to add to CLOCK_MONOTONIC to get the time of a clock that keeps the same pace."""
    before = time.monotonic_ns()
    now_ns = clock.now_ns()
    after = time.monotonic_ns()
    return now_ns - (before + after) // 2


def utc_since_monotonic_ns() -> tuple[int, int]:
    """What to add to CLOCK_MONOTONIC to get the system's UTC as it is now, and the error of that.

    It changes when the system's time is corrected.
    """
    # UTC lies between two monotonic readings; half their distance bounds the error.
    before = time.monotonic_ns()
    utc = time.time_ns()
    after = time.monotonic_ns()
    return utc - (before + after) // 2, (after - before + 1) // 2


class SystemClock:
    """Wall time that never steps back: one UTC anchor, then the monotonic clock."""

    def __init__(self) -> None:
        self._offset_ns, self.error_ns = utc_since_monotonic_ns()

    def now_ns(self) -> int:
        return time.monotonic_ns() + self._offset_ns

    async def sleep_until(self, t_ns: int) -> None:
        await asyncio.sleep(max(0, t_ns - self.now_ns()) / 1e9)


class VirtualClock:
    """Time that moves only when told. Sleepers wake in order as `advance_to` passes them."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = 0

    def now_ns(self) -> int:
        return self._now_ns

    def advance_to(self, t_ns: int) -> None:
        """Move forward to `t_ns`; an earlier `t_ns` leaves the clock where it is."""
        self._now_ns = max(self._now_ns, t_ns)
        while self._sleepers and self._sleepers[0][0] <= self._now_ns:
            _, _, sleeper = heapq.heappop(self._sleepers)
            if not sleeper.done():
                sleeper.set_result(None)

    async def sleep_until(self, t_ns: int) -> None:
        if t_ns <= self._now_ns:
            await asyncio.sleep(0)
            return
        sleeper = asyncio.get_running_loop().create_future()
        self._order += 1
        heapq.heappush(self._sleepers, (t_ns, self._order, sleeper))
        await sleeper
