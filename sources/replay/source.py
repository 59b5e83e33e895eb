"""A recorded log as a source."""

from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from sources.background import in_thread
from sources.replay.log import open_log
from sources.replay.topics import TopicAs
from streamer.clock import ReplayClock
from streamer.errors import ConfigError
from streamer.events import Event
from streamer.protocols import Clock
from streamer.types import StreamInfo

_BATCH = 256


class Replay(BaseModel):
    """What was recorded, in the order in which it came. `only`: these streams of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["replay"] = "replay"
    path: Path
    only: tuple[str, ...] = ()
    topics: tuple[TopicAs, ...] = ()

    @property
    def live(self) -> bool:
        return False

    @cached_property
    def streams(self) -> tuple[StreamInfo, ...]:
        """Of the log as it is when first asked."""
        log = open_log(self.path, self.topics)
        log.close()
        known = {info.name for info in log.streams}
        for name in self.only:
            if name not in known:
                raise ConfigError(
                    f"only: expected streams of {self.path.name} ({', '.join(sorted(known))}), "
                    f"got {name}"
                )
        return tuple(i for i in log.streams if not self.only or i.name in self.only)

    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncGenerator[AsyncIterator[Event], None]:
        """Paced where the run has the clock of a replay; else as fast as it is taken."""
        async with in_thread(self._events, _BATCH) as events:
            yield _paced(events, clock) if isinstance(clock, ReplayClock) else events

    def _events(self) -> Generator[Event, None, None]:
        log = open_log(self.path, self.topics)
        try:
            yield from log.events(self.only or None)
        finally:
            log.close()


async def _paced(events: AsyncIterator[Event], clock: ReplayClock) -> AsyncIterator[Event]:
    async for event in events:
        await clock.reach(event.now_ns)
        yield event
