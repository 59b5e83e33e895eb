"""Messages kept in memory: for tests, and for programs that run the engine as a library."""

from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from streamer.channels import Account
from streamer.errors import SinkLost
from streamer.protocols import Clock
from streamer.types import Message


class OpenMemory:
    """The newest `limit` messages, oldest first. Older ones are dropped as `overflow`; in a
    lossless run one too many is an error."""

    def __init__(self, limit: int, *, lossless: bool) -> None:
        self.messages: deque[Message] = deque()
        self.account = Account()
        self._limit = limit
        self._lossless = lossless

    async def publish(self, message: Message) -> None:
        if len(self.messages) == self._limit:
            if self._lossless:
                raise SinkLost(f"memory: full with {self._limit} messages; set a higher limit")
            self.messages.popleft()
            self.account.delivered -= 1
            self.account.drop("overflow")
        self.account.produced += 1
        self.account.delivered += 1
        self.messages.append(message)

    def report(self) -> dict[str, object]:
        return self.account.report()


class MemorySink(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["memory"] = "memory"
    limit: int = Field(default=100_000, ge=1)

    @asynccontextmanager
    async def open(self, clock: Clock, *, lossless: bool = False) -> AsyncGenerator[OpenMemory]:
        del clock  # it stamps nothing
        yield OpenMemory(self.limit, lossless=lossless)
