"""A RealSense camera as a live source: depth, colour and motion, each a stream."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sources.isolated.port import Port
from sources.isolated.process import Isolated, isolated
from sources.isolated.watch import Patience
from streamer.protocols import Clock
from streamer.types import StreamInfo

Name = Annotated[str, Field(min_length=1)]
Pixels = Annotated[int, Field(ge=1, le=4096)]
Rate = Annotated[int, Field(ge=1, le=1000)]

RECORDED_BYTES = 1920 * 1280 * 3
"""Of the largest picture that any of these cameras makes: recordings say no sizes beforehand."""


class RealSense(BaseModel):
    """The camera with this `serial` number, or the only one there is, or a recording of one.

    Streams: depth as 16 bits with the device's scale, colour as RGB, motion as six axes at the
    gyro's stamps in blocks of 50 ms. None leaves one out. Sizes are (width, height); sizes and
    rates of pictures must be what the device has, rates of motion are the nearest that it has.
    `align` moves depth to where the colour camera sees it. `global_time` has the library map the
    device's clock to the host's, where the device can.

    `file` plays a recording (`.db3`, `.bag`) in real time instead, as if it were live, with sizes
    and rates as recorded, and ends with it or begins again (`loop`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["realsense"] = "realsense"
    serial: Name | None = None
    file: Path | None = None
    loop: bool = False
    depth: Name | None = "depth"
    colour: Name | None = "colour"
    imu: Name | None = "imu"
    depth_size: tuple[Pixels, Pixels] = (640, 480)
    depth_hz: Rate = 30
    colour_size: tuple[Pixels, Pixels] = (640, 480)
    colour_hz: Rate = 30
    gyro_hz: Rate = 200
    accel_hz: Rate = 200
    spatial: bool = False
    temporal: bool = False
    hole_filling: bool = False
    align: bool = False
    global_time: bool = True
    patience: Patience = Field(default_factory=Patience)

    @model_validator(mode="after")
    def _fits_together(self) -> "RealSense":
        if not self.streams:
            raise ValueError("expected at least one of depth, colour, imu")
        if self.align and None in {self.depth, self.colour}:
            raise ValueError("align: expected depth and colour, which it is about")
        if self.depth is None and (self.spatial or self.temporal or self.hole_filling):
            raise ValueError("spatial, temporal, hole_filling: expected depth, which they are for")
        if self.file is not None and self.serial is not None:
            raise ValueError("expected a serial number or a file, got both")
        if self.loop and self.file is None:
            raise ValueError("loop: expected a file")
        return self

    @property
    def live(self) -> bool:
        return True

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        names = {"depth": self.depth, "vision": self.colour, "imu": self.imu}
        return (
            *([StreamInfo(names["depth"], "depth")] if names["depth"] else []),
            *([StreamInfo(names["vision"], "vision")] if names["vision"] else []),
            *([StreamInfo(names["imu"], "imu")] if names["imu"] else []),
        )

    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncGenerator[Isolated, None]:
        async with isolated(self, clock, self.patience, self.picture_bytes) as samples:
            yield samples

    @property
    def picture_bytes(self) -> int:
        """The most that one picture takes."""
        if self.file is not None:
            return RECORDED_BYTES
        sizes = (self.depth_size, self.colour_size)
        return max(width * height * 3 for width, height in sizes)

    def drive(self, port: Port) -> None:
        from sources.realsense.driver import drive

        drive(self, port)
