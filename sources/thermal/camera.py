"""A thermal camera on V4L2: 16 bits kept as they are (Lepton on PureThermal, Boson), or 8 bits."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, model_validator

from sources.encodings import ThermalPicture, WrongPicture
from sources.isolated.port import Port
from sources.isolated.process import Isolated, isolated
from sources.isolated.watch import Patience
from sources.thermal.capture import Capture, v4l2
from sources.thermal.frames import (
    MOST_PIXELS,
    Y16,
    End,
    fourcc_name,
    unpack,
    without_telemetry,
)
from sources.thermal.levels import LevelConfig
from sources.thermal.outlet import Outlet
from sources.thermal.units import Unit
from sources.v4l2 import Node, find
from streamer.errors import SourceLost
from streamer.protocols import Clock
from streamer.types import NS_PER_S, StreamInfo

_LEPTON_HZ = 9.0


class Thermal(BaseModel):
    """A UVC camera by number, path or a part of its name.

    Gives degrees Celsius, out of 16 bits that are kept, where `unit` says how; with `level`, and
    for `unit: picture` (cameras of 8 bits), brightness.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["thermal"] = "thermal"
    device: NonNegativeInt | Annotated[str, Field(min_length=1)]
    stream: str = Field(min_length=1)
    unit: Unit | Literal["picture"] = "centikelvin"
    level: LevelConfig | None = None
    """Makes brightness of the numbers; `counts` mean nothing without."""
    telemetry: End = "end"
    """Where the rows are that are no picture."""
    telemetry_rows: Annotated[int, Field(ge=0, le=16)] | None = None
    """How many there are; by default as a Lepton's size tells, else none."""
    patience: Patience = Field(default_factory=Patience)

    @model_validator(mode="after")
    def _fits_together(self) -> "Thermal":
        if self.unit == "counts" and self.level is None:
            raise ValueError(
                "level: counts need one, as {kind: slow}, or their scale and offset as unit"
            )
        if self.unit == "picture" and (self.level or self.telemetry_rows):
            raise ValueError("unit picture: expected neither level nor telemetry_rows")
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

    def node(self) -> Node:
        """Where the camera is plugged in. Raises `SourceLost`."""
        return find(self.device)

    def capture(self, node: Node) -> Capture:
        """The open camera. Raises `SourceLost`."""
        return v4l2(node.path, self.unit != "picture")

    def drive(self, port: Port) -> None:
        node = self.node()
        capture = self.capture(node)
        try:
            self._read(capture, node, port)
        except WrongPicture as error:
            raise SourceLost(f"{self.stream}: {error}") from None
        finally:
            capture.release()

    def _read(self, capture: Capture, node: Node, port: Port) -> None:
        import cv2

        width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        fourcc = fourcc_name(capture.get(cv2.CAP_PROP_FOURCC))
        # What is not Y16 can have two bytes a pixel too: YUYV would be taken for 54 degrees.
        if self.unit != "picture" and fourcc != Y16:
            raise WrongPicture(f"16 bits (Y16) were expected, the camera gives {fourcc!r}")
        fps = capture.get(cv2.CAP_PROP_FPS)
        rate_hz = fps if 0.1 < fps < 1000 else _LEPTON_HZ
        period_ns = round(NS_PER_S / rate_hz)
        port.opened(f"{self.device}: {width}x{height} at {rate_hz:g} fps, {fourcc.strip()}")
        outlet = None
        if self.unit != "picture":
            outlet = Outlet(port, self.stream, self.unit, self.level)
        while capture.grab():
            t_ns = port.now_ns()
            if not node.present:
                # A camera that is gone can go on giving its last picture (opencv#14044).
                raise SourceLost(f"{self.stream}: {node.path} was unplugged")
            decoded, frame = capture.retrieve()
            if not decoded:
                port.lost(self.stream, "undecoded")
            elif outlet is None:
                picture = ThermalPicture().decode(frame)
                if picture.size > MOST_PIXELS:
                    raise WrongPicture(f"up to {MOST_PIXELS} pixels were expected, {picture.size}")
                if room := port.room(self.stream, picture.shape, "uint8"):
                    room.array[:] = picture
                    port.picture(self.stream, room, t_ns, period_ns)
            else:
                whole = unpack(frame, width, height)
                raw = without_telemetry(whole, self.telemetry, self.telemetry_rows)
                outlet.put(raw, t_ns, period_ns)
        raise SourceLost(f"{self.stream}: {self.device} gives no more frames, it may be unplugged")
