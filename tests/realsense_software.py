"""A RealSense of software in a process like any other: the driver's own way, without hardware."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from threading import Thread
from time import sleep
from types import SimpleNamespace
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict

from sources.isolated.port import Port
from sources.isolated.process import Isolated, isolated
from sources.realsense import RealSense
from sources.realsense.driver import run
from streamer.clock import SystemClock
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
    """Gives `frames` of depth and colour and the motion between them, then does what `then` says:
    is unplugged, is unplugged without a word, or goes on without one.

    Frames are stamped `old_ms` before they are given, on the clock of `domain`; UTC where it is
    one of UTC. Without a domain it is as the driver has set the device. Those in `skip` are never
    given. The gyro's x is the UTC of its stamp in seconds, modulo 100.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    options: RealSense = SIZES
    domain: Literal["hardware_clock", "system_time", "global_time"] | None = "global_time"
    frames: int = 4
    old_ms: float = 100.0
    skip: tuple[int, ...] = ()
    then: Literal["unplug", "vanish", "mute"] = "unplug"

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
        bus = Bus(Device())
        feeder = Thread(target=self._feed, args=(bus,), daemon=True)
        run(bus, self.options, cast(Port, _Port(port, feeder.start)))

    def _feed(self, bus: "Bus") -> None:
        drawn = bus.drawn
        told = "global_time" if drawn.is_told_global_time() else "hardware_clock"
        drawn.domain = getattr(rs.timestamp_domain, self.domain or told)
        start_ms = SystemClock().now_ns() / 1e6 - self.old_ms
        for n in range(self.frames):
            # Motion comes in bunches, as it does over USB.
            for i in range(n * GYRO_HZ // DEPTH_HZ, (n + 1) * GYRO_HZ // DEPTH_HZ):
                t_ms = start_ms + 1e3 * i / GYRO_HZ
                utc_s = t_ms / 1e3 % 100
                drawn.give_gyro(i, t_ms, (utc_s, *turning(i / GYRO_HZ)[1:]))
            for i in range(n * ACCEL_HZ // DEPTH_HZ, (n + 1) * ACCEL_HZ // DEPTH_HZ):
                drawn.give_accel(i, start_ms + 1e3 * i / ACCEL_HZ, acceleration(i / ACCEL_HZ))
            if n not in self.skip:
                drawn.give_colour(n, start_ms + 1e3 * n / DEPTH_HZ)
                drawn.give_depth(n, start_ms + 1e3 * n / DEPTH_HZ)
            sleep(1 / DEPTH_HZ)
        match self.then:
            case "unplug":
                bus.unplug()
            case "vanish":
                bus.there = False
            case "mute":
                pass


class Bus:
    """The library, but for what it finds on USB, where no device of software can be put."""

    def __init__(self, drawn: Device) -> None:
        self.drawn = drawn
        self.there = True
        self.changed: Callable[[Any], None] = lambda _: None

    def __getattr__(self, name: str) -> Any:
        return getattr(rs, name)

    def context(self) -> "Bus":
        return self

    def query_devices(self) -> list[Any]:
        return [self.drawn.device] if self.there else []

    def unplug(self) -> None:
        def removed(device: object) -> bool:
            return device is self.drawn.device

        self.changed(SimpleNamespace(was_removed=removed))

    def set_devices_changed_callback(self, changed: Callable[[Any], None]) -> None:
        self.changed = changed


class _Port:
    """The port, but for a word when the device has been opened."""

    def __init__(self, port: Port, opened: Callable[[], None]) -> None:
        self._port, self._opened = port, opened

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def opened(self, what: str) -> None:
        self._port.opened(what)
        self._opened()
