"""A Linux IIO device as files: found by name, its attributes read and written. The thin seam."""

import contextlib
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sources.imu.frames import Frame, parse_matrix
from streamer.errors import SourceLost

_BYTES = 4096
"""Of an attribute: sysfs has no larger."""


class Attributes:
    """One device under the root. Each failure is a `SourceLost` that names the file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, name: str) -> str:
        try:
            with (self.folder / name).open("rb") as file:
                return file.read(_BYTES).decode("ascii", "replace").strip()
        except OSError as error:
            raise self._lost(name, "cannot be read", error) from None

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()

    def number(self, *names: str, default: float | None = None) -> float:
        """Of the first attribute that is there."""
        for name in names:
            if self.has(name):
                text = self.read(name)
                with contextlib.suppress(ValueError):
                    if isfinite(value := float(text)):
                        return value
                raise SourceLost(f"{self.folder / name}: expected a number, got {text[:40]!r}")
        if default is None:
            raise SourceLost(f"{self.folder}: expected an attribute {names[0]}, there is none")
        return default

    def write(self, name: str, value: str) -> None:
        try:
            (self.folder / name).write_text(value)
        except OSError as error:
            raise self._lost(name, f"cannot be set to {value}", error) from None

    def frame(self, sensor: str) -> Frame:
        """How the readings of `in_accel` or `in_anglvel` become values."""
        scale, offset = (
            np.array(
                [
                    self.number(f"{sensor}_{axis}_{what}", f"{sensor}_{what}", default=default)
                    for axis in "xyz"
                ]
            )
            for what, default in (("scale", None), ("offset", 0.0))
        )
        return Frame(scale, offset, self._matrix(sensor))

    def _matrix(self, sensor: str) -> NDArray[np.float64]:
        for name in (f"{sensor}_mount_matrix", "in_mount_matrix", "mount_matrix"):
            if self.has(name):
                try:
                    return parse_matrix(self.read(name))
                except ValueError as error:
                    raise SourceLost(f"{self.folder / name}: {error}") from None
        return np.eye(3)

    def _lost(self, name: str, what: str, error: OSError) -> SourceLost:
        return SourceLost(f"{self.folder / name}: {what} ({error.strerror})")


def find(root: Path, device: str | int) -> Attributes:
    """By number, by folder (`iio:device0`), by name or by label. Raises `SourceLost`."""
    devices = all_devices(root)
    number = f"iio:device{device}"
    found = [
        it
        for it in devices
        if it.folder.name in (device, number) or device in (_said(it, "name"), _said(it, "label"))
    ]
    if len(found) != 1:
        there = ", ".join(f"{it.folder.name} {_said(it, 'name')}" for it in devices) or "none"
        raise SourceLost(
            f"expected one IIO device {device} under {root}, there are {len(found)}: {there}"
        )
    return found[0]


def all_devices(root: Path) -> list[Attributes]:
    """Every device, by its folder's name; none where there is no such root."""
    return [Attributes(folder) for folder in sorted(root.glob("iio:device*")) if folder.is_dir()]


def _said(device: Attributes, name: str) -> str:
    return device.read(name) if device.has(name) else ""
