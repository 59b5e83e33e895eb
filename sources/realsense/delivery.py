"""What a RealSense's frames become: pictures and blocks of readings, with the host's stamps."""

from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np

from sources.isolated.port import Port, Room
from sources.realsense.intake import Caught, Kind
from sources.realsense.stamps import Stamps
from sources.sixaxes import Reading, SixAxes
from streamer.errors import SourceLost
from streamer.types import NS_PER_S

BLOCKS_HZ = 20
"""Readings are handed over in blocks of 50 ms."""

WAITING = 512
"""Readings of one sensor that wait for the other: more than a second of the fastest."""

SKIPPED = 1000
"""No device skips so many frames at once: it counts anew."""

TO_RGB = {"bgr8": cv2.COLOR_BGR2RGB, "yuyv": cv2.COLOR_YUV2RGB_YUY2}
"""How recordings hold colour, besides `rgb8`, which live devices are asked for."""


@dataclass(frozen=True, slots=True)
class Names:
    """The streams; None where one is not wanted."""

    depth: str | None
    colour: str | None
    imu: str | None

    def of(self, kind: Kind) -> str | None:
        match kind:
            case "depth":
                return self.depth
            case "colour":
                return self.colour
            case "gyro" | "accel":
                return self.imu


class Finish(Protocol):
    """Makes the depth frame that is wanted of the one that came."""

    @property
    def aligned(self) -> bool:
        """It takes a colour frame, whichever: its lens and place are what counts."""
        ...

    def __call__(self, depth: Any, colour: Any) -> Any: ...


class Delivery:
    """Of one opening, or of one round of a recording. `rates`: frames a second, by kind."""

    def __init__(
        self, port: Port, names: Names, rates: dict[Kind, int], finish: Finish, played: bool
    ) -> None:
        self._port, self._names, self._finish = port, names, finish
        self._period_ns = {kind: NS_PER_S // max(1, hz) for kind, hz in rates.items()}
        self._block = max(1, rates.get("gyro", 0) // BLOCKS_HZ)
        self._stamps = {kind: Stamps(played) for kind in rates}
        self._numbers: dict[Kind, int] = {}
        self._colour_seen: Any = None
        self._six = SixAxes(WAITING, ties=False)
        self._readings: list[Reading] = []

    def take(self, caught: Caught) -> None:
        """Raises `SourceLost` for pictures that are not what was agreed on."""
        stream = self._names.of(caught.kind)
        if stream is None or caught.kind not in self._stamps:
            return
        self._count_skipped(stream, caught)
        match caught.kind:
            case "depth":
                self._depth(stream, caught)
            case "colour":
                self._colour(stream, caught)
            case "gyro":
                t_ns = self._t_ns(caught)
                self._moved(stream, self._six.gyro(caught.stamp_ns, t_ns, caught.what))
            case "accel":
                self._moved(stream, self._six.accel(caught.stamp_ns, caught.what))

    def end(self) -> None:
        """Nothing follows: hand over what has been gathered."""
        if self._names.imu is not None:
            self._six.end()
            self._moved(self._names.imu, [])
            self._hand_over(self._names.imu)

    def _depth(self, stream: str, caught: Caught) -> None:
        if self._finish.aligned and self._colour_seen is None:
            self._port.lost(stream, "unaligned")
            return
        # Of the sensor: filtered frames are not always of a kind that knows it. It is a float32.
        scale = float(f"{caught.what.as_depth_frame().get_units():.7g}")
        pixels = np.asanyarray(self._finish(caught.what, self._colour_seen).get_data())
        if pixels.dtype != np.uint16 or pixels.ndim != 2:
            raise SourceLost(f"{stream}: expected depth as uint16, got {pixels.dtype}")
        if room := self._room(stream, pixels.shape, "uint16"):
            room.array[:] = pixels
            self._picture(stream, room, caught, scale)

    def _colour(self, stream: str, caught: Caught) -> None:
        if self._finish.aligned and self._colour_seen is None:
            # The one frame that is kept: depth is aligned to what its lens sees.
            self._colour_seen = caught.what
        form = caught.what.profile.format().name
        if form != "rgb8" and form not in TO_RGB:
            raise SourceLost(f"{stream}: expected colour as rgb8, bgr8 or yuyv, got {form}")
        pixels = np.asanyarray(caught.what.get_data())
        if room := self._room(stream, (*pixels.shape[:2], 3), "uint8"):
            if form == "rgb8":
                room.array[:] = pixels
            else:
                if form == "yuyv":
                    pixels = pixels.view(np.uint8).reshape(*pixels.shape[:2], 2)
                cv2.cvtColor(pixels, TO_RGB[form], dst=room.array)
            self._picture(stream, room, caught, None)

    def _room(self, stream: str, shape: tuple[int, ...], dtype: str) -> Room | None:
        try:
            return self._port.room(stream, shape, dtype)
        except ValueError as error:
            raise SourceLost(f"{stream}: {error}") from None

    def _picture(self, stream: str, room: Room, caught: Caught, scale: float | None) -> None:
        t_ns = self._t_ns(caught)
        clock = self._stamps[caught.kind].card
        period_ns = self._period_ns[caught.kind]
        self._port.picture(stream, room, t_ns, period_ns, clock=clock, scale=scale)

    def _moved(self, stream: str, readings: list[Reading]) -> None:
        for cause, count in self._six.lost.items():
            self._port.lost(stream, cause, count)
        self._six.lost.clear()
        self._readings += readings
        if len(self._readings) >= self._block:
            self._hand_over(stream)

    def _hand_over(self, stream: str) -> None:
        if not self._readings:
            return
        # The anchor of UTC moves by a millisecond at times, and stamps of a block must not fall.
        stamps = np.array([reading.host_ns for reading in self._readings], np.int64)
        stamps = np.maximum.accumulate(stamps)
        rows = [(*reading.acceleration, *reading.rate) for reading in self._readings]
        values = np.array(rows, np.float32)
        self._readings = []
        clock = self._stamps["gyro"].card
        self._port.motion(stream, stamps, values, self._period_ns["gyro"], clock=clock)

    def _t_ns(self, caught: Caught) -> int:
        stamps = self._stamps[caught.kind]
        return stamps.to_host(caught.domain, caught.stamp_ns, caught.arrival_ns)

    def _count_skipped(self, stream: str, caught: Caught) -> None:
        last = self._numbers.get(caught.kind)
        self._numbers[caught.kind] = caught.number
        if last is not None and 0 < (skipped := caught.number - last - 1) < SKIPPED:
            self._port.lost(stream, "skipped", skipped)
