"""A recorded log as a source."""

import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from sources.background import in_thread
from sources.replay.again import again
from sources.replay.foreign import ForeignLog
from sources.replay.log import Log, damage, open_log
from sources.replay.topics import TopicAs
from streamer.errors import ConfigError, SourceLost
from streamer.events import Event
from streamer.protocols import Clock
from streamer.types import NS_PER_S, StreamInfo, Truth

log = logging.getLogger(__name__)

_BATCH = 256
_TOLD = 8
Ns = Annotated[int, Field(ge=0, lt=2**63)]


class Replay(BaseModel):
    """What was recorded, in the order in which it came. `only`: these streams of it.

    `from_ns` and `to_ns` cut a part out of it, on the clock of the log. `again_s`: at the end it
    begins again, all stamps later by a multiple of this.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["replay"] = "replay"
    path: Path
    only: tuple[str, ...] = ()
    topics: tuple[TopicAs, ...] = ()
    from_ns: Ns | None = None
    to_ns: Ns | None = None
    again_s: Annotated[float, Field(ge=0.001, le=3600)] | None = None
    _problems: Counter[str] = PrivateAttr(default_factory=Counter[str])
    _damage: Counter[str] = PrivateAttr(default_factory=Counter[str])

    @property
    def problems(self) -> Mapping[str, int]:
        """What could not be read since it was opened last, by cause."""
        return self._problems

    @property
    def damage(self) -> Mapping[str, int]:
        """Of the problems those that took something out of it."""
        return self._damage

    @property
    def live(self) -> bool:
        return False

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        """Those of the log. Raises `SourceLost`, and `ConfigError` for one that is not in it."""
        streams = _streams(self.path, self.topics, _version(self.path))
        known = {info.name for info in streams}
        for name in self.only:
            if name not in known:
                raise ConfigError(
                    f"{self.path.name} has no stream {name[:40]!r}: expected some of "
                    f"{', '.join(sorted(known))}"
                )
        return tuple(info for info in streams if not self.only or info.name in self.only)

    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncGenerator[AsyncIterator[Event | Truth], None]:
        """As fast as it is taken; the clock of a replay paces it behind the merge."""
        del clock
        async with in_thread(self._events, _BATCH) as events:
            yield events

    def _events(self) -> Generator[Event | Truth, None, None]:
        self._problems, self._damage = Counter(), Counter()
        opened = open_log(self.path, self.topics)
        try:
            if self.again_s is None:
                yield from self._once(opened)
            else:
                yield from again(lambda: self._once(opened), round(self.again_s * NS_PER_S))
        finally:
            opened.close()

    def _once(self, opened: Log) -> Iterator[Event | Truth]:
        yield from opened.events(self.only or None, self.from_ns, self.to_ns)
        self._problems |= opened.problems
        self._damage |= damage(opened)
        for problem, count in opened.problems.most_common(_TOLD):
            log.warning("%s: %s (%d)", self.path.name, problem, count)
        if len(opened.problems) > _TOLD:
            log.warning("%s: and %d more", self.path.name, len(opened.problems) - _TOLD)


@lru_cache(maxsize=8)
def _streams(
    path: Path, topics: tuple[TopicAs, ...], version: tuple[int, int]
) -> tuple[StreamInfo, ...]:
    """Asked for often, and a log without an index is read to its end for it."""
    del version
    opened = open_log(path, topics)
    opened.close()
    if not opened.streams:
        told = f": {opened.explained}" if isinstance(opened, ForeignLog) else ""
        raise SourceLost(f"{path}: expected pictures, sound or motion, found none{told}")
    return opened.streams


def _version(path: Path) -> tuple[int, int]:
    """Changes whenever the file does."""
    try:
        told = path.stat()
    except OSError as error:
        raise SourceLost(f"{path}: cannot be read: {error.strerror}") from None
    return told.st_mtime_ns, told.st_size
