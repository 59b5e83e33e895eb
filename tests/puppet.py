"""A device of no library, in a process like any other: does what its configuration says."""

import contextlib
import ctypes
import subprocess
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict, Field

from sources.isolated.bound import bound
from sources.isolated.port import Port
from sources.isolated.process import Isolated, isolated
from sources.isolated.watch import Patience
from streamer.errors import SourceLost
from streamer.protocols import Clock
from streamer.types import HOST_CLOCK, NS_PER_S, ClockCard, StreamInfo

HEIGHT, WIDTH = 48, 64


class Puppet(BaseModel):
    """Pictures at `rate_hz`, and after `after` of them, what `then` says.

    Every pixel of a picture is its number modulo 256. With a `helper` it starts a program of its
    own, as a camera does that is read through one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stream: str = "puppet"
    rate_hz: int = 50
    after: int | None = None
    then: Literal["end", "lose", "crash", "bug", "hang", "repeat", "deaf", "babble"] = "end"
    helper: bool = False
    behind_ns: int = 0
    """So far its own clock is behind CLOCK_MONOTONIC; 0: it has none."""
    patience: Patience = Field(default_factory=Patience)

    @property
    def live(self) -> bool:
        return True

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        return (StreamInfo(self.stream, "vision"),)

    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncGenerator[Isolated, None]:
        async with isolated(self, clock, self.patience, HEIGHT * WIDTH * 3) as samples:
            yield samples

    def drive(self, port: Port) -> None:
        if self.helper:
            subprocess.Popen(bound(["sleep", "3600"]))
        port.opened(f"{WIDTH}x{HEIGHT} at {self.rate_hz} fps")
        number = 0
        period_ns = NS_PER_S // self.rate_hz
        while True:
            time.sleep(1 / self.rate_hz)
            if number == self.after and self.then != "repeat":
                self._misbehave(port)
                return
            if room := port.room(self.stream, (HEIGHT, WIDTH, 3), "uint8"):
                room.array[:] = (number if self.after is None else min(number, self.after)) % 256
                clock = ClockCard("puppet", 5, self.behind_ns) if self.behind_ns else HOST_CLOCK
                port.picture(self.stream, room, port.now_ns(), period_ns, clock=clock)
            number += 1

    def _misbehave(self, port: Port) -> None:
        match self.then:
            case "lose":
                raise SourceLost(f"{self.stream}: unplugged")
            case "crash":
                ctypes.string_at(0)
            case "babble":
                port._link.send(b"what is this")  # pyright: ignore[reportPrivateUsage]
                time.sleep(3600)
            case "bug":
                raise ZeroDivisionError("a bug of the driver")
            case "hang":
                time.sleep(3600)
            case "deaf":
                # Ignores TERM, like a library that is stuck in the kernel.
                import signal

                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                time.sleep(3600)
            case _:
                return


def children_of(name: str) -> list[psutil.Process]:
    """The processes that this one started for a source whose first stream is `name`."""
    found: list[psutil.Process] = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
            words = child.cmdline()
            if "sources.isolated.child" in words and words[-1] == name:
                found.append(child)
    return found
