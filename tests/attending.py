"""Attends to a live source under `supervised`, as the engine does, and keeps what it saw."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

from streamer.clock import SystemClock, monotonic_ns, since_monotonic_ns
from streamer.protocols import Source
from streamer.supervise import Backoff, Ledgers, supervised
from streamer.types import Sample, SourceState, SourceStatus


@dataclass
class Attended:
    """Times are CLOCK_MONOTONIC in ns. `samples` holds the last ones, stamped on that clock."""

    clock: SystemClock = field(default_factory=SystemClock)
    ledgers: Ledgers = field(default_factory=Ledgers)
    states: list[tuple[int, SourceStatus]] = field(default_factory=list[tuple[int, SourceStatus]])
    samples: deque[tuple[int, Sample]] = field(
        default_factory=lambda: deque[tuple[int, Sample]](maxlen=64)
    )
    count: int = 0
    going: asyncio.Event = field(default_factory=asyncio.Event)
    """Clear while nobody takes samples."""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, done: Callable[[], bool], within_s: float = 20) -> int:
        """Wait for a condition; the time at which it was seen."""
        async with asyncio.timeout(within_s):
            while not done():
                self._news.clear()
                await self._news.wait()
        return monotonic_ns()

    async def until_more(self, count: int, within_s: float = 20) -> int:
        enough = self.count + count
        return await self.until(lambda: self.count >= enough, within_s)

    async def until_state(self, state: SourceState, within_s: float = 20) -> SourceStatus:
        """Wait until the last state is this one."""
        await self.until(lambda: self.states[-1:] != [] and self.status.state == state, within_s)
        return self.status

    @property
    def status(self) -> SourceStatus:
        return self.states[-1][1]

    @property
    def last(self) -> Sample:
        return self.samples[-1][1]

    async def attend(self, source: Source, backoff: Backoff | None) -> None:
        offset_ns = since_monotonic_ns(self.clock)

        async def report(status: SourceStatus) -> None:
            self.states.append((monotonic_ns(), status))
            self._news.set()

        items = supervised(source, self.clock, report, backoff=backoff, ledgers=self.ledgers)
        async with aclosing(items):
            async for item in items:
                if isinstance(item, Sample):
                    self.samples.append((item.t_ns - offset_ns, item))
                    self.count += 1
                    self._news.set()
                await self.going.wait()


@asynccontextmanager
async def attending(source: Source, backoff: Backoff | None = None) -> AsyncGenerator[Attended]:
    """Attends until left; then every sample that was made is accounted for."""
    attended = Attended()
    attended.going.set()
    task = asyncio.create_task(attended.attend(source, backoff), name="attending")
    try:
        yield attended
    finally:
        task.cancel()
        await asyncio.wait([task])
    for stream, account in attended.ledgers.totals.items():
        assert account.pending == 0, f"{stream}: {account.report()}"
    if not task.cancelled():
        task.result()
