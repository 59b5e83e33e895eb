"""Inertial sensors of the kernel: Linux IIO, through its buffer or attribute by attribute."""

import select
import time
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from sources.clockmap import ClockMap
from sources.imu.attributes import Attributes, all_devices, find
from sources.imu.buffered import Buffer, release
from sources.imu.dejitter import Dejitter
from sources.imu.outlet import BLOCK_NS, Outlet
from sources.isolated.port import Port
from sources.isolated.process import Isolated, isolated
from sources.isolated.watch import Patience
from sources.sixaxes import SixAxes
from streamer.protocols import Clock
from streamer.types import NS_PER_S, StreamInfo

ACCEL, GYRO = "in_accel", "in_anglvel"

_WAITING = 4096
"""Readings of one device that wait for the other: at 32 kHz still longer than a hole may be."""

Name: TypeAlias = int | Annotated[str, Field(min_length=1, max_length=128)]
"""A device by its number, its folder (`iio:device0`), its name or its label."""


class Iio(BaseModel):
    """An accelerometer and a gyroscope of Linux IIO: one device, or one each.

    Scale, offset and mount matrix come from the device. Where there are two devices, the
    acceleration is interpolated at the instants of the angular rate.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["iio"] = "iio"
    stream: str = Field(min_length=1)
    device: Name
    """With the gyroscope."""
    accel_device: Name | None = None
    """With the accelerometer, where that is another one."""
    mode: Literal["buffered", "polled"] = "buffered"
    """`polled` reads six attributes a reading: for devices without a buffer, and slow."""
    rate_hz: float | None = Field(default=None, gt=0, le=32_000)
    """Set on the device; as it is unless given."""
    trigger: str | None = Field(default=None, min_length=1, max_length=128)
    """The trigger of the buffer, where the device needs one that is not its own."""
    jitter_s: float = Field(default=0.005, ge=0, le=0.1)
    """How far a stamp may be moved to lie on the beat of the device."""
    root: Path = Path("/sys/bus/iio/devices")
    dev: Path = Path("/dev")
    patience: Patience = Field(default_factory=Patience)

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
        """Read until the device is gone."""
        gyro = find(self.root, self.device)
        accel = gyro if self.accel_device is None else find(self.root, self.accel_device)
        if self.mode == "buffered":
            for device in (gyro, accel):
                release(device)
        rate_hz = _set_rate(gyro, GYRO, self.rate_hz)
        if accel is not gyro:
            _set_rate(accel, ACCEL, self.rate_hz)
        names = " and ".join(dict.fromkeys(it.folder.name for it in (accel, gyro)))
        port.opened(f"{names}, {self.mode}" + (f" at {rate_hz:g} Hz" if rate_hz else ""))
        if self.mode == "polled":
            self._poll(port, accel, gyro, rate_hz or 50.0)
        elif accel is gyro:
            self._read_one(port, gyro)
        else:
            self._read_two(port, accel, gyro)

    def _read_one(self, port: Port, device: Attributes) -> None:
        with ExitStack() as stack:
            buffer = self._buffer(stack, device, (ACCEL, GYRO))
            outlet = self._outlet(port, buffer)
            while True:
                if not _wait((buffer,)):
                    outlet.flush()
                    continue
                arrival_ns = port.now_ns()
                stamps, values = buffer.read()
                for index, reading in enumerate(values):
                    stamp_ns = arrival_ns if stamps is None else int(stamps[index])
                    outlet.push(outlet.to_host(stamp_ns, arrival_ns), reading)

    def _read_two(self, port: Port, accel: Attributes, gyro: Attributes) -> None:
        # Their clocks may differ, so both are mapped to the host's before they meet. There, those
        # that arrive at once may have one stamp.
        six = SixAxes(_WAITING, ties=True)
        with ExitStack() as stack:
            of_accel = self._buffer(stack, accel, (ACCEL,))
            of_gyro = self._buffer(stack, gyro, (GYRO,))
            outlet = self._outlet(port, of_gyro)
            clock = ClockMap("sensor") if of_accel.stamps == "sensor" else None
            while True:
                ready = _wait((of_accel, of_gyro))
                for buffer in ready:
                    arrival_ns = port.now_ns()
                    stamps, values = buffer.read()
                    for index, (x, y, z) in enumerate(values.tolist()):
                        stamp_ns = arrival_ns if stamps is None else int(stamps[index])
                        if buffer is of_gyro:
                            t_ns = outlet.to_host(stamp_ns, arrival_ns)
                            whole = six.gyro(t_ns, t_ns, (x, y, z))
                        else:
                            t_ns = (
                                min(stamp_ns, arrival_ns)
                                if clock is None
                                else clock.to_host(stamp_ns, arrival_ns)
                            )
                            whole = six.accel(t_ns, (x, y, z))
                        for reading in whole:
                            outlet.push(reading.host_ns, (*reading.acceleration, *reading.rate))
                for cause, count in six.lost.items():
                    port.lost(self.stream, cause, count)
                six.lost.clear()
                if not ready:
                    outlet.flush()

    def _poll(self, port: Port, accel: Attributes, gyro: Attributes, rate_hz: float) -> None:
        frames = ((accel, ACCEL, accel.frame(ACCEL)), (gyro, GYRO, gyro.frame(GYRO)))
        period_ns = round(NS_PER_S / rate_hz)
        # These stamps are taken when the values are: there is nothing to smooth.
        outlet = Outlet(port, self.stream, Dejitter(0, period_ns, clocked=True))
        due_ns = port.now_ns()
        while True:
            began_ns = port.now_ns()
            values = [frame.values(_raw(device, sensor)) for device, sensor, frame in frames]
            ended_ns = port.now_ns()
            outlet.push((began_ns + ended_ns) // 2, np.concatenate(values, 1)[0])
            # Late by more than a reading: those are not made up for.
            due_ns = max(due_ns + period_ns, ended_ns - period_ns)
            if due_ns - ended_ns > BLOCK_NS:
                outlet.flush()
            time.sleep(max(0, due_ns - ended_ns) / NS_PER_S)

    def _buffer(self, stack: ExitStack, device: Attributes, sensors: tuple[str, ...]) -> Buffer:
        buffer = Buffer(device, sensors, self.dev, self.trigger)
        stack.callback(buffer.close)
        return buffer

    def _outlet(self, port: Port, buffer: Buffer) -> Outlet:
        # The rate that a chip claims may be wrong by a tenth; what it does is measured.
        clocked = buffer.stamps is not None
        dejitter = Dejitter(round(self.jitter_s * NS_PER_S), None, clocked=clocked)
        clock = ClockMap("sensor") if buffer.stamps == "sensor" else None
        return Outlet(port, self.stream, dejitter, clock)


def _set_rate(device: Attributes, sensor: str, rate_hz: float | None) -> float | None:
    """What the device says it does; None where it does not say."""
    for name in (f"{sensor}_sampling_frequency", "sampling_frequency", "in_sampling_frequency"):
        if device.has(name):
            if rate_hz is not None:
                device.write(name, f"{rate_hz:g}")
            return device.number(name)
    return rate_hz


def _raw(device: Attributes, sensor: str) -> NDArray[np.int64]:
    """(1, 3)"""
    raw = [int(device.number(f"{sensor}_{axis}_raw")) for axis in "xyz"]
    return np.array([raw], np.int64)


def _wait(buffers: tuple[Buffer, ...]) -> list[Buffer]:
    """Those that have something to read; none after the length of a block. Raises `SourceLost`."""
    readable, _, _ = select.select([buffer.fd for buffer in buffers], [], [], BLOCK_NS / NS_PER_S)
    for buffer in buffers if not readable else ():
        buffer.check()
    return [buffer for buffer in buffers if buffer.fd in readable]


def list_devices(root: Path = Path("/sys/bus/iio/devices")) -> list[dict[str, object]]:
    """Devices with a gyroscope: `name`, `what` it is, and the `yaml` to paste.

    One without an accelerometer gets the first that has nothing else.
    """
    devices = [(it, {s for s in (ACCEL, GYRO) if it.has(f"{s}_x_raw")}) for it in all_devices(root)]
    alone = [it.folder.name for it, sensors in devices if sensors == {ACCEL}]
    found: list[dict[str, object]] = []
    for device, sensors in devices:
        folder = device.folder.name
        if GYRO not in sensors or (ACCEL not in sensors and not alone):
            continue
        yaml: dict[str, object] = {"kind": "iio", "stream": "imu", "device": folder}
        if ACCEL not in sensors:
            yaml["accel_device"] = alone[0]
        if not device.has("buffer/enable"):
            yaml["mode"] = "polled"
        if str(root) != "/sys/bus/iio/devices":
            yaml["root"] = str(root)
        said = device.read("name") if device.has("name") else "no name"
        what = "acceleration and angular rate" if ACCEL in sensors else "angular rate"
        found.append({"name": folder, "what": f"{said}: {what}", "yaml": yaml})
    return found
