"""Small sources, encoders and sinks that tests script to the sample."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.channels import Account
from streamer.errors import SourceLost
from streamer.protocols import Clock
from streamer.types import (
    Embedding,
    Message,
    Modality,
    Sample,
    SourceStatus,
    StreamInfo,
    Truth,
    Window,
)

MS = 1_000_000
PICTURE = np.zeros((1, 1, 3), np.uint8)


def frame(stream: str, t_ns: int, period_ns: int = 100 * MS) -> Sample:
    return Sample(stream, "vision", t_ns, period_ns, PICTURE)


@dataclass
class ScriptedSource:
    """Plays lists of samples, one list a life; a life that is not the last ends in SourceLost.

    Live: each sample is sent when the clock reaches its end, and `hold` keeps the source open and
    silent after its last one.
    """

    stream: str
    lives: Sequence[Sequence[Sample | Truth]]
    live: bool = False
    hold: bool = False
    modality: Modality = "vision"
    opened: int = 0

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        return (StreamInfo(self.stream, self.modality),)

    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncGenerator[AsyncIterator[Sample | Truth], None]:
        self.opened += 1
        yield self._play(clock, self.opened)

    async def _play(self, clock: Clock, life: int) -> AsyncGenerator[Sample | Truth, None]:
        for sample in self.lives[life - 1]:
            if self.live and isinstance(sample, Sample):
                await clock.sleep_until(sample.end_ns)
            yield sample
        if life < len(self.lives):
            raise SourceLost(f"{self.stream}: life {life} is over")
        if self.hold:
            await asyncio.Event().wait()


class GatedEncoder:
    """Encodes one tick each time `gate` is released, so that a test decides when it is busy."""

    name, hash, dim = "gated", "gated", 4

    def __init__(self, on_encode: Callable[[], object] | None = None) -> None:
        self.batches: list[list[tuple[str, int]]] = []
        self._on_encode = on_encode

    def encode(self, windows: Sequence[Window]) -> NDArray[np.float32]:
        self.batches.append([(w.stream, w.span.end_ns // MS) for w in windows])
        if self._on_encode is not None:
            self._on_encode()
        vectors = np.zeros((len(windows), self.dim), np.float32)
        vectors[:, 0] = 1
        return vectors

    def text(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        raise AssertionError(f"no labels were asked for, got {prompts}")


@dataclass
class Collector:
    """A sink that keeps everything."""

    messages: list[Message] = field(default_factory=list[Message])
    account: Account = field(default_factory=Account)

    async def publish(self, message: Message) -> None:
        self.account.produced += 1
        self.account.delivered += 1
        self.messages.append(message)

    def report(self) -> dict[str, Any]:
        return self.account.report()

    @property
    def embeddings(self) -> list[Embedding]:
        return [m for m in self.messages if isinstance(m, Embedding)]

    @property
    def truths(self) -> list[Truth]:
        return [m for m in self.messages if isinstance(m, Truth)]

    @property
    def states(self) -> list[tuple[str, str, str]]:
        return [(m.stream, m.state, m.why) for m in self.messages if isinstance(m, SourceStatus)]

    def ends(self, stream: str) -> list[int]:
        return [e.span.end_ns // MS for e in self.embeddings if e.stream == stream]
