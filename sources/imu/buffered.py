"""A Linux IIO device read through its buffer: records from /dev, as the kernel stamps them."""

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sources.imu.attributes import Attributes
from sources.imu.scan import Element, numbers, parse_type, record
from streamer.errors import SourceLost

_RECORDS = 256
"""The most that one read takes, and what the kernel keeps for us."""

STAMP = "in_timestamp"


def release(device: Attributes) -> None:
    """Switch the buffer off: one that was killed leaves it on, and the kernel then refuses to have
    anything set (EBUSY)."""
    device.write("buffer/enable", "0")


class Buffer:
    """The buffer of one released device for its `sensors` (`in_accel`, `in_anglvel`).

    It is on until it is closed. `stamps` says whose clock stamped: `host` (CLOCK_MONOTONIC),
    `sensor` (any other, or a kernel that does not say), None where the records carry no stamps.
    """

    def __init__(
        self, device: Attributes, sensors: tuple[str, ...], dev: Path, trigger: str | None
    ) -> None:
        self._device, self._sensors = device, sensors
        self._frames = [device.frame(sensor) for sensor in sensors]
        self._rest = b""
        if trigger is not None:
            device.write("trigger/current_trigger", trigger)
        self.stamps = self._stamped()
        for name in self._wanted:
            device.write(f"scan_elements/{name}_en", "1")
        self._elements = self._layout()
        self._dtype: np.dtype[Any] = record(list(self._elements.values()))
        device.write("buffer/length", str(_RECORDS))
        device.write("buffer/enable", "1")
        path = dev / device.folder.name
        try:
            self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            self._disable()
            raise SourceLost(f"{path}: cannot be opened ({error.strerror})") from None

    def read(self) -> tuple[NDArray[np.int64] | None, NDArray[np.float64]]:
        """What has come: stamps (n,) as the device's clock has them, and values (n, 3 k) of its
        k sensors in m/s^2 or rad/s. n may be 0. Raises `SourceLost`."""
        size = self._dtype.itemsize
        try:
            chunk = os.read(self.fd, _RECORDS * size)
        except BlockingIOError:
            chunk = None
        except OSError as error:
            raise self._gone(error.strerror) from None
        if chunk == b"":
            raise self._gone("its end came")
        held = self._rest + (chunk or b"")
        whole = len(held) // size * size
        records = np.frombuffer(held[:whole], self._dtype)
        self._rest = held[whole:]
        values = [
            frame.values(np.stack([self._numbers(records, f"{s}_{axis}") for axis in "xyz"], 1))
            for s, frame in zip(self._sensors, self._frames, strict=True)
        ]
        stamps = None if self.stamps is None else self._numbers(records, STAMP)
        return stamps, np.concatenate(values, 1)

    def check(self) -> None:
        """Raises `SourceLost` where the device has gone and its buffer does not say so."""
        if not self._device.folder.is_dir():
            raise self._gone("unplugged")

    def close(self) -> None:
        os.close(self.fd)
        self._disable()

    @property
    def _wanted(self) -> list[str]:
        axes = [f"{sensor}_{axis}" for sensor in self._sensors for axis in "xyz"]
        return axes if self.stamps is None else [*axes, STAMP]

    def _stamped(self) -> str | None:
        """Ask for the clock that the program keeps; kernels before 4.8 know only UTC."""
        if not self._device.has(f"scan_elements/{STAMP}_en"):
            return None
        if not self._device.has("current_timestamp_clock"):
            return "sensor"
        with contextlib.suppress(SourceLost):
            self._device.write("current_timestamp_clock", "monotonic")
        said = self._device.read("current_timestamp_clock")
        return "host" if said == "monotonic" else "sensor"

    def _layout(self) -> dict[str, Element]:
        """All channels that are on, also those that somebody else has switched on."""
        folder = self._device.folder / "scan_elements"
        names = [path.name.removesuffix("_en") for path in sorted(folder.glob("*_en"))]
        elements: dict[str, Element] = {}
        for name in names:
            if self._device.number(f"scan_elements/{name}_en"):
                index = int(self._device.number(f"scan_elements/{name}_index"))
                said = self._device.read(f"scan_elements/{name}_type")
                try:
                    elements[name] = parse_type(name, index, said)
                except ValueError as error:
                    raise SourceLost(f"{folder}: {error}") from None
        for name in self._wanted:
            if name not in elements:
                raise SourceLost(f"{folder}: expected {name}, which cannot be switched on")
        return elements

    def _numbers(self, records: NDArray[Any], name: str) -> NDArray[np.int64]:
        return numbers(records, self._elements[name])

    def _disable(self) -> None:
        with contextlib.suppress(SourceLost):  # it may be gone
            self._device.write("buffer/enable", "0")

    def _gone(self, why: str | None) -> SourceLost:
        return SourceLost(f"{self._device.folder.name}: gone ({why})")
