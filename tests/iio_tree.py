"""A Linux IIO device of files: attributes in a folder, and a FIFO that a thread writes records to.

Stands in for the kernel where it has no IIO. It checks no writes: what a driver of the kernel would
refuse, this takes.
"""

import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from streamer.clock import monotonic_ns

AXES = tuple("xyz")


class IioTree:
    """One device `iio:device<number>` under `folder / "sys"`, its buffer under `folder / "dev"`.

    Raw numbers are 16 bits, little end first. Leaving ends the feeding thread.
    """

    def __init__(self, folder: Path, number: int, name: str, sensors: tuple[str, ...]) -> None:
        self.root, self.dev = folder / "sys", folder / "dev"
        self.folder = self.root / f"iio:device{number}"
        self.fifo = self.dev / f"iio:device{number}"
        self.sensors = sensors
        self._feeder: threading.Thread | None = None
        self._stop = threading.Event()
        self.put("name", name)
        self.put("sampling_frequency", "0")
        for sensor in sensors:
            for axis in AXES:
                self.put(f"{sensor}_{axis}_raw", "0")

    def put(self, name: str, value: str) -> None:
        """An attribute, changed in one go: no reader sees half of it."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = self.folder / "new"
        new.write_text(value + "\n")
        new.replace(path)

    def get(self, name: str) -> str:
        return (self.folder / name).read_text().strip()

    def buffered(self, *, stamps: bool = True, clock: str | None = "realtime") -> None:
        """With a buffer: channels in the order of the sensors, then a stamp of 64 bits."""
        channels = [f"{sensor}_{axis}" for sensor in self.sensors for axis in AXES]
        for index, channel in enumerate(channels):
            self._element(channel, index, "le:s16/16>>0")
        if stamps:
            self._element("in_timestamp", len(channels), "le:s64/64>>0")
        if clock is not None:
            self.put("current_timestamp_clock", clock)
        self.put("buffer/enable", "0")
        self.put("buffer/length", "2")
        self.dev.mkdir(exist_ok=True)
        os.mkfifo(self.fifo)

    def feed(
        self,
        rate_hz: float,
        reading: Callable[[int], tuple[int, ...]],
        stamp: Callable[[int], int] = lambda taken_ns: taken_ns,
    ) -> None:
        """Write `reading(number)` so many times a second, from when the buffer is enabled.

        `stamp` makes the device's clock of CLOCK_MONOTONIC.
        """
        self._stop.clear()
        self._feeder = threading.Thread(target=self._write, args=(rate_hz, reading, stamp))
        self._feeder.start()

    def starve(self) -> None:
        """No more records: the writing end is closed."""
        self._stop.set()
        if self._feeder is not None:
            self._feeder.join()

    def __enter__(self) -> "IioTree":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.starve()

    def _element(self, name: str, index: int, kind: str) -> None:
        for what, value in (("en", "0"), ("index", str(index)), ("type", kind)):
            self.put(f"scan_elements/{name}_{what}", value)

    def _write(
        self, rate_hz: float, reading: Callable[[int], tuple[int, ...]], stamp: Callable[[int], int]
    ) -> None:
        fd = self._opened()
        if fd is None:
            return
        with os.fdopen(fd, "wb", buffering=0) as fifo:
            born_ns, number = monotonic_ns(), 0
            while not self._stop.wait(
                max(0, born_ns + number * 1e9 / rate_hz - monotonic_ns()) / 1e9
            ):
                raw = struct.pack(f"<{len(reading(0))}h", *reading(number))
                if (self.folder / "scan_elements/in_timestamp_en").exists():
                    taken_ns = born_ns + int(number * 1e9 / rate_hz)
                    pad = b"\0" * (-len(raw) % 8)
                    raw += pad + struct.pack("<q", stamp(taken_ns))
                try:
                    fifo.write(raw)
                except (BrokenPipeError, BlockingIOError):
                    return
                number += 1

    def _opened(self) -> int | None:
        """The FIFO, once somebody has enabled the buffer and reads."""
        while not self._stop.wait(0.01):
            if self.get("buffer/enable") == "1":
                try:
                    return os.open(self.fifo, os.O_WRONLY | os.O_NONBLOCK)
                except OSError:
                    continue  # enabled, and not yet open
        return None
