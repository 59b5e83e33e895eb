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


class ReplayClock:
    """The time of a log: it stands still until the next thing in the log is reached.

    `speed` times as fast as it was, or None: as fast as it is read. Paced against where it began,
    so that it neither drifts nor forgets a delay: what is late is caught up with. It stands at
    `start_ns` until the first thing is reached, which comes at once.
    """

    def __init__(self, speed: float | None, start_ns: int = 0) -> None:
        self._virtual = VirtualClock(start_ns)
        self._speed = speed
        self._began: tuple[int, int] | None = None

    def now_ns(self) -> int:
        return self._virtual.now_ns()

    async def sleep_until(self, t_ns: int) -> None:
        await self._virtual.sleep_until(t_ns)

    async def reach(self, t_ns: int) -> None:
        """Wait until it is time for `t_ns`, and be there."""
        if self._speed is not None:
            if self._began is None:
                self._began = (time.monotonic_ns(), t_ns)
            host_ns, log_ns = self._began
            due_ns = host_ns + (t_ns - log_ns) / self._speed
            delay_ns = due_ns - time.monotonic_ns()
            if delay_ns > 0:
                await asyncio.sleep(delay_ns / 1e9)
        self._virtual.advance_to(t_ns)
