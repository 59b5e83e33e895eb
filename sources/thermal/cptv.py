"""A recording of a Lepton (CPTV), played as if the camera were here."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sources.isolated.port import Port
from sources.isolated.process import Isolated, isolated
from sources.isolated.watch import Patience
from sources.thermal.levels import LevelConfig
from sources.thermal.outlet import Outlet
from sources.thermal.recording import MOST_PIXELS, opened
from sources.thermal.units import Unit
from streamer.errors import SourceLost
from streamer.protocols import Clock
from streamer.types import NS_PER_S, StreamInfo


class Cptv(BaseModel):
    """Live: at the pace of the recording, stamped when it is played, so that it can stand in for a
    camera among live sensors. A file does not say its unit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["cptv"] = "cptv"
    path: Path
    stream: str = Field(min_length=1)
    unit: Unit
    level: LevelConfig | None = None
    """Makes brightness of the numbers; `counts` mean nothing without."""
    loop: bool = False
    """From the start again at its end, for ever."""
    patience: Patience = Field(default_factory=Patience)

    @model_validator(mode="after")
    def _fits_together(self) -> "Cptv":
        if self.unit == "counts" and self.level is None:
            raise ValueError(
                "level: counts need one, as {kind: slow}, or their scale and offset as unit"
            )
        return self

    @property
    def live(self) -> bool:
        return True

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        return (StreamInfo(self.stream, "thermal"),)

    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncGenerator[Isolated, None]:
        async with isolated(self, clock, self.patience, 2 * MOST_PIXELS) as samples:
            yield samples

    def drive(self, port: Port) -> None:
        outlet = Outlet(port, self.stream, self.unit, self.level)
        due_ns = port.now_ns()
        first = True
        while first or self.loop:
            with opened(self.path) as recording:
                if first:
                    port.opened(recording.what)
                    first = False
                played = 0
                for frame in recording:
                    # One who comes late (a machine that slept) goes on from there.
                    due_ns = max(due_ns + frame.step_ns, port.now_ns())
                    time.sleep(max(0, due_ns - port.now_ns()) / NS_PER_S)
                    outlet.put(frame.raw, port.now_ns(), frame.step_ns)
                    played += 1
            if not played:
                raise SourceLost(f"{self.path}: expected frames, there are none")
