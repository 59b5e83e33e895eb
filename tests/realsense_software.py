"""A RealSense of software in a process like any other: the driver's own way, without hardware."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from threading import Thread
from time import sleep
from typing import Literal

from pydantic import BaseModel, ConfigDict

from sources.isolated.port import Port
from sources.isolated.process import Isolated, isolated
from sources.realsense import RealSense
from sources.realsense.driver import delivery, read, streaming, wanted
from sources.realsense.intake import Intake
from sources.realsense.profiles import choose
from streamer.clock import SystemClock
from streamer.errors import SourceLost
from streamer.protocols import Clock
from streamer.types import StreamInfo
from tests.realsense_recording import (
    ACCEL_HZ,
    COLOUR_HZ,
    DEPTH_HZ,
    GYRO_HZ,
    HEIGHT,
    WIDTH,
    Device,
    acceleration,
    rs,
    turning,
)

SIZES = RealSense(
    depth_size=(WIDTH, HEIGHT),
    depth_hz=DEPTH_HZ,
    colour_size=(WIDTH, HEIGHT),
    colour_hz=COLOUR_HZ,
    gyro_hz=GYRO_HZ,
    accel_hz=ACCEL_HZ,
)
"""What the device of software has."""


class SoftwareRealSense(BaseModel):
    """Gives `frames` of depth and colour and the motion between them, then does what `then` says.

    Frames are stamped `old_ms` before they are given, on the clock of `domain`; UTC where it is
    one of UTC. Those in `skip` are never given. The gyro's x is the UTC of its stamp in seconds,
    modulo 100.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    options: RealSense = SIZES
    domain: Literal["hardware_clock", "system_time", "global_time"] = "global_time"
    frames: int = 10
    old_ms: float = 100.0
    skip: tuple[int, ...] = ()
    then: Literal["end", "unplug", "hush"] = "end"

    @property
    def live(self) -> bool:
        return True

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        return self.options.streams

    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncGenerator[Isolated, None]:
        options = self.options
        async with isolated(self, clock, options.patience, options.picture_bytes) as samples:
            yield samples

    def drive(self, port: Port) -> None:
        drawn = Device(getattr(rs.timestamp_domain, self.domain))
        chosen = choose("drawn", drawn.device.query_sensors(), wanted(self.options))
        intake = Intake()

        def silent() -> None:
            if self.then == "hush" and not feeder.is_alive():
                raise SourceLost("drawn: looked for and not found")

        feeder = Thread(target=self._feed, args=(drawn, intake), daemon=True)
        with streaming(chosen, intake):
            feeder.start()
            read(intake, delivery(rs, self.options, port, chosen), "drawn", silent)

    def _feed(self, drawn: Device, intake: Intake) -> None:
        start_ms = SystemClock().now_ns() / 1e6 - self.old_ms
        for n in range(self.frames):
            t_s = n / DEPTH_HZ
            # Motion comes in bunches, as it does over USB.
            for i in range(n * GYRO_HZ // DEPTH_HZ, (n + 1) * GYRO_HZ // DEPTH_HZ):
                t_ms = start_ms + 1e3 * i / GYRO_HZ
                utc_s = t_ms / 1e3 % 100
                drawn.give_gyro(i, t_ms, (utc_s, *turning(i / GYRO_HZ)[1:]))
            for i in range(n * ACCEL_HZ // DEPTH_HZ, (n + 1) * ACCEL_HZ // DEPTH_HZ):
                drawn.give_accel(i, start_ms + 1e3 * i / ACCEL_HZ, acceleration(i / ACCEL_HZ))
            if n not in self.skip:
                drawn.give_colour(n, start_ms + 1e3 * t_s)
                drawn.give_depth(n, start_ms + 1e3 * t_s)
            sleep(1 / DEPTH_HZ)
        if self.then != "hush":
            intake.note("played" if self.then == "end" else "removed")
