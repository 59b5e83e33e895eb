"""Follows a supervised source: its samples, its states, and what its process went through."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager

from streamer.clock import SystemClock
from streamer.protocols import Source
from streamer.supervise import Ledgers, supervised
from streamer.types import Sample, SourceStatus


class Watching:
    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.states: list[SourceStatus] = []
        self.ledgers = Ledgers()
        self._news = asyncio.Event()

    async def run(self, source: Source) -> None:
        async def report(status: SourceStatus) -> None:
            self.states.append(status)
            self._news.set()

        items = supervised(source, SystemClock(), report, ledgers=self.ledgers)
        async with aclosing(items):
            async for item in items:
                if isinstance(item, Sample):
                    self.samples.append(item)
                    self._news.set()

    async def until(self, seen: Callable[[], bool], seconds: float = 30) -> None:
        """Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not seen():
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def watching(source: Source) -> AsyncGenerator[Watching, None]:
    watched = Watching()
    task = asyncio.create_task(watched.run(source), name="watching")
    try:
        yield watched
    finally:
        task.cancel()
        await asyncio.wait([task])
