"""Inertial sensors that write lines of text to a serial port."""

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sources.clockmap import ClockMap
from sources.imu.dejitter import Dejitter
from sources.imu.lines import Damaged, Fruitless, Layout, Splitter
from sources.imu.outlet import BLOCK_NS, Outlet
from sources.imu.units import TIME_EXPONENTS, AccelUnit, GyroUnit, TimeUnit, scales
from sources.isolated.port import Port
from sources.isolated.process import Isolated, isolated
from sources.isolated.watch import Patience
from streamer.errors import SourceLost
from streamer.protocols import Clock
from streamer.types import NS_PER_S, StreamInfo

Cell: TypeAlias = Annotated[int, Field(ge=0, lt=256)]
"""A column by its number from 0."""
Cells: TypeAlias = tuple[Cell, Cell, Cell]

_AT_ONCE = 4096
_NEEDS = "a serial line needs pyserial: install imagebind-streamer[serial]"
_STABLE = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}(:.+)?", re.IGNORECASE)


class SerialLines(BaseModel):
    """A sensor that writes one reading a line. Columns and units are declared, never guessed.

    `port` is a path, best one under /dev/serial/by-id, or `vendor:product` or
    `vendor:product:serial` of its USB adapter in hexadecimal, which stay the same wherever it
    is plugged in.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["serial_imu"] = "serial_imu"
    stream: str = Field(min_length=1)
    port: str = Field(min_length=1)
    baud: int = Field(default=115_200, ge=50, le=12_000_000)
    accel: Cells
    """The columns of the acceleration x, y, z, with gravity."""
    gyro: Cells
    """The columns of the angular rate x, y, z."""
    accel_unit: AccelUnit
    gyro_unit: GyroUnit
    time: Cell | None = None
    """The column of the device's own clock."""
    time_unit: TimeUnit | None = None
    time_bits: int | None = Field(default=None, ge=16, le=64)
    """The clock is a counter that starts again at 0 after so many bits."""
    rate_hz: float | None = Field(default=None, gt=0, le=1e4)
    """Readings a second; measured unless given."""
    jitter_s: float = Field(default=0.005, ge=0, le=0.1)
    """How far a stamp may be moved to lie on the beat of the device."""
    delimiter: Literal[",", ";", "\t", " "] = ","
    """A blank stands for any run of blanks and tabs."""
    prefix: str = Field(default="", max_length=32)
    """What the first column of a reading says, as in `$IMU`."""
    checksum: Literal["xor"] | None = None
    """`xor`: each line ends as those of NMEA 0183 do, `*` and two hexadecimal digits."""
    patience: Patience = Field(default_factory=Patience)

    @model_validator(mode="after")
    def _makes_sense(self) -> "SerialLines":
        columns = [*self.accel, *self.gyro, *(() if self.time is None else (self.time,))]
        if len(set(columns)) < len(columns):
            raise ValueError(f"expected a column for each number, got {columns}")
        if self.prefix and 0 in columns:
            raise ValueError("column 0 is the prefix")
        if (self.time is None) != (self.time_unit is None):
            raise ValueError("time and time_unit belong together")
        if self.time is None and self.time_bits is not None:
            raise ValueError("time_bits needs a time column")
        if not self.port.startswith("/") and not _STABLE.fullmatch(self.port):
            raise ValueError(f"port: expected a path or vendor:product[:serial], got {self.port!r}")
        return self

    @property
    def live(self) -> bool:
        return True

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        return (StreamInfo(self.stream, "imu"),)

    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncGenerator[Isolated, None]:
        """Blocks of about 40 ms. Raises `SourceLost`."""
        async with isolated(self, clock, self.patience, 1) as samples:
            yield samples

    def drive(self, port: Port) -> None:
        """Read until the port is gone. Damaged lines count as lost, with their cause.

        Raises `SourceLost` too where lines come and none is a reading.
        """
        try:
            import serial
            from serial.tools.list_ports import comports
        except ImportError:
            raise SourceLost(f"{self.stream}: {_NEEDS}") from None
        path = self.port if self.port.startswith("/") else find_port(self.port, comports())
        try:
            # Two readers of one port would get half of the bytes each.
            line = serial.Serial(path, self.baud, timeout=BLOCK_NS / 1e9, exclusive=True)
        except (OSError, ValueError) as error:
            raise SourceLost(f"{self.stream}: {path}: cannot be opened ({error})") from None
        with line:
            _skip_old(line)
            port.opened(f"{path} at {self.baud} baud")
            self._read(line, path, port)

    def _read(self, line: Any, path: str, port: Port) -> None:
        outlet, layout, splitter = self._outlet(port), self._layout(), Splitter()
        fruitless, scale = Fruitless(layout), scales(self.accel_unit, self.gyro_unit)
        while True:
            try:
                # Waits for the first byte only, so that lines are stamped when they end.
                chunk: bytes = line.read(min(_AT_ONCE, max(1, line.in_waiting)))
            except OSError as error:
                outlet.flush()
                raise SourceLost(f"{self.stream}: {path}: unplugged ({error})") from None
            arrival_ns = port.now_ns()
            if not chunk:
                outlet.flush()
                if not Path(path).exists():  # not every driver tells its readers
                    raise SourceLost(f"{self.stream}: {path}: unplugged")
            for text in splitter.push(chunk):
                try:
                    reading = layout.parse(text)
                except Damaged as damage:
                    port.lost(self.stream, damage.cause)
                    fruitless.line(text, damage.why, arrival_ns)
                    continue
                if reading is None:
                    fruitless.line(text, "of another name", arrival_ns)
                else:
                    fruitless.reading()
                    stamp_ns = arrival_ns if reading.stamp_ns is None else reading.stamp_ns
                    t_ns = outlet.to_host(stamp_ns, arrival_ns)
                    outlet.push(t_ns, np.array(reading.values) * scale)
            for cause, count in splitter.lost.items():
                port.lost(self.stream, cause, count)
            splitter.lost.clear()
            if why := fruitless.verdict(arrival_ns):
                outlet.flush()
                raise SourceLost(f"{self.stream}: {why}")

    def _outlet(self, port: Port) -> Outlet:
        period_ns = None if self.rate_hz is None else round(NS_PER_S / self.rate_hz)
        clocked = self.time_unit is not None
        dejitter = Dejitter(round(self.jitter_s * NS_PER_S), period_ns, clocked=clocked)
        if self.time_unit is None:
            return Outlet(port, self.stream, dejitter)
        tick_ns = 10 ** TIME_EXPONENTS[self.time_unit]
        wrap_ns = None if self.time_bits is None else (1 << self.time_bits) * tick_ns
        return Outlet(port, self.stream, dejitter, ClockMap("sensor", wrap_ns))

    def _layout(self) -> Layout:
        return Layout(
            columns=(*self.accel, *self.gyro),
            time=self.time,
            time_unit=self.time_unit or "s",
            delimiter=self.delimiter,
            prefix=self.prefix,
            checksum=self.checksum is not None,
        )


class Found(Protocol):
    """What pyserial tells of a port."""

    device: str
    vid: int | None
    pid: int | None
    serial_number: str | None


def find_port(stable: str, ports: Sequence[Found]) -> str:
    """The path of `vendor:product[:serial]`. Raises `SourceLost` unless there is exactly one."""
    wanted = stable.lower()
    found = [
        port.device
        for port in ports
        if (name := stable_name(port)) is not None
        and (name.lower() == wanted or name.lower().startswith(wanted + ":"))
    ]
    if len(found) != 1:
        there = ", ".join(sorted(found or (port.device for port in ports))) or "none"
        raise SourceLost(f"expected one serial port {stable}, there are {len(found)}: {there}")
    return found[0]


def stable_name(port: Found) -> str | None:
    """What a USB adapter is called wherever it is plugged in; None for what is no USB."""
    if port.vid is None or port.pid is None:
        return None
    tail = f":{port.serial_number}" if port.serial_number else ""
    return f"{port.vid:04x}:{port.pid:04x}{tail}"


def _skip_old(line: Any) -> None:
    """What was waiting since nobody read would be taken for new."""
    import termios

    try:
        line.reset_input_buffer()
    except termios.error as error:
        raise SourceLost(f"{line.port}: unplugged ({error})") from None


def list_devices() -> list[dict[str, object]]:
    """Serial ports: `name`, `what` it is, and the `yaml` to paste, whose columns and units are
    those of no sensor in particular. Raises `SourceLost` without pyserial."""
    try:
        from serial.tools.list_ports import comports
    except ImportError:
        raise SourceLost(_NEEDS) from None
    return [
        {
            "name": port.device,
            "what": port.description,
            "yaml": {
                "kind": "serial_imu",
                "stream": "imu",
                "port": stable_name(port) or port.device,
                "baud": 115_200,
                "accel": [0, 1, 2],
                "gyro": [3, 4, 5],
                "accel_unit": "m/s^2",
                "gyro_unit": "rad/s",
            },
        }
        for port in sorted(comports(), key=lambda port: port.device)
    ]
