"""A camera: a device of V4L2, an RTSP or HTTP address, or a GStreamer pipeline."""

import os
import shlex
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sources.camera.address import Address, address
from sources.camera.capture import Wish, open_address, open_node
from sources.camera.frames import Frames
from sources.camera.growth import Growth, own_bytes
from sources.camera.newest import Newest, Taken
from sources.camera.pipeline import Pipeline
from sources.camera.stamps import DriverClock, Grabbed, RtpClock, Stamps
from sources.isolated.port import Port
from sources.isolated.process import Isolated, isolated
from sources.isolated.watch import Patience
from sources.v4l2 import Node, find
from streamer.errors import SourceLost
from streamer.protocols import Clock
from streamer.types import StreamInfo

PICTURE_BYTES = 64 << 20
"""The most one picture may take; memory is used as far as pictures reach."""

_ANSWER = 0.3
"""How much of `patience.open_s` an address has to answer; the rest is for the first picture."""

_LOOK_S = 0.25

_Pixels = Annotated[int, Field(ge=16, le=16384)]
_Hz = Annotated[float, Field(gt=0, le=1000)]


class Camera(BaseModel):
    """One of `device`, `url` and `pipeline`.

    `device`: the number of a /dev/video*, a path such as /dev/v4l/by-id/..., or a part of the name
    that the camera gives itself. `width`, `height`, `rate_hz`, `fourcc` and `exposure_ms` are asked
    for there. A pipeline must give `width` x `height`, and `rate_hz` where that is set; an address
    gives what it has.

    Pictures higher than `max_height` are reduced to it before they are handed over, None keeps
    them whole; no more than `max_rate_hz` come a second.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["camera"] = "camera"
    stream: str = Field(min_length=1)
    # Not in the repr, which lands in tracebacks: both may hold passwords.
    device: int | Annotated[str, Field(min_length=1)] | None = None
    url: str | None = Field(default=None, repr=False)
    pipeline: str | None = Field(default=None, min_length=1, repr=False)
    user: str | None = None
    password_env: str | None = None
    """The variable of the environment that holds the password."""
    width: _Pixels | None = None
    height: _Pixels | None = None
    rate_hz: _Hz | None = None
    fourcc: Annotated[str, Field(pattern=r"^[ -~]{4}$")] | None = None
    exposure_ms: Annotated[float, Field(gt=0, le=10_000)] | Literal["auto"] | None = None
    max_height: _Pixels | None = 480
    max_rate_hz: _Hz | None = None
    root: Path = Path("/")
    """Where `dev` and `sys` are."""
    patience: Patience = Field(default_factory=Patience)

    @model_validator(mode="after")
    def _consistent(self) -> "Camera":
        given = [name for name in ("device", "url", "pipeline") if getattr(self, name) is not None]
        if len(given) != 1:
            got = ", ".join(given) or "none"
            raise ValueError(f"expected one of device, url and pipeline, got {got}")
        takes = {
            "device": {"width", "height", "rate_hz", "fourcc", "exposure_ms"},
            "url": {"user", "password_env"},
            "pipeline": {"width", "height", "rate_hz"},
        }
        asked = {name for names in takes.values() for name in names if getattr(self, name)}
        if surplus := ", ".join(sorted(asked - takes[given[0]])):
            raise ValueError(f"a {given[0]} takes no {surplus}")
        if self.pipeline is not None:
            try:
                shlex.split(self.pipeline)
            except ValueError as error:
                raise ValueError(f"pipeline: {error}") from None
            if self.width is None or self.height is None:
                raise ValueError("a pipeline needs width and height: raw pictures do not say them")
            if self.width * self.height * 3 > PICTURE_BYTES:
                most = PICTURE_BYTES >> 20
                raise ValueError(f"expected pictures of at most {most} MiB from a pipeline")
        if self.password_env is not None and self.user is None:
            raise ValueError("password_env needs user")
        if self.url is not None:
            try:
                address(self.url)
            except ValueError as error:
                raise ValueError(f"url: {error}") from None
        if isinstance(self.device, int) and self.device < 0:
            raise ValueError(f"device: expected 0 or more, got {self.device}")
        return self

    @property
    def live(self) -> bool:
        return True

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        return (StreamInfo(self.stream, "vision"),)

    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncGenerator[Isolated, None]:
        async with isolated(self, clock, self.patience, PICTURE_BYTES) as samples:
            yield samples

    def drive(self, port: Port) -> None:
        """Raises `SourceLost` with a line that begins with the stream."""
        try:
            self._drive(port)
        except SourceLost as error:
            raise SourceLost(f"{self.stream}: {error}") from None

    def _drive(self, port: Port) -> None:
        node = None if self.device is None else find(self.device, self.root)
        frames, stamps = self.frames(node)
        port.opened(frames.what)
        growth = Growth()
        with Newest(frames, self.max_rate_hz, stamps) as newest:
            while True:
                taken = newest.take(_LOOK_S)
                growth.check(port.now_ns(), own_bytes)
                # A camera that is gone can go on "delivering" its last picture (opencv#14044).
                if node is not None and not node.present:
                    raise SourceLost(f"{node.path} {node.name}".rstrip() + " was unplugged")
                if taken is not None:
                    self._hand_over(port, taken, frames.order)

    def frames(self, node: Node | None) -> tuple[Frames, Stamps]:
        """Open it, and say how its pictures are stamped. Raises `SourceLost`."""
        # The program looks at the age of the last picture; a time-out is for what it cannot see.
        read_s = self.patience.stall_s + 1
        if node is not None:
            wish = Wish(self.width, self.height, self.rate_hz, self.fourcc, self.exposure_ms)
            return open_node(node, wish, read_s), DriverClock()
        if self.url is not None:
            where = self._address(self.url)
            frames = open_address(where, _ANSWER * self.patience.open_s, read_s)
            return frames, RtpClock() if where.url.lower().startswith("rtsp") else Grabbed()
        return Pipeline(
            self.pipeline or "", self.width or 0, self.height or 0, self.rate_hz
        ), Grabbed()

    def _address(self, url: str) -> Address:
        password = None
        if self.password_env is not None:
            password = os.environ.get(self.password_env)
            if password is None:
                raise SourceLost(f"password_env: the environment has no {self.password_env}")
        return address(url, self.user, password)

    def _hand_over(self, port: Port, taken: Taken, order: Literal["RGB", "BGR"]) -> None:
        if taken.stale:
            port.lost(self.stream, "stale", taken.stale)
        picture = taken.picture
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            came = "x".join(map(str, picture.shape))
            raise SourceLost(f"expected a picture in colour, got {picture.dtype} {came}")
        height, width = reduced(picture.shape[0], picture.shape[1], self.max_height)
        if not 0 < height * width * 3 <= PICTURE_BYTES:
            raise SourceLost(
                f"expected at most {PICTURE_BYTES >> 20} MiB a picture, got {width}x{height}"
            )
        if room := port.room(self.stream, (height, width, 3), "uint8"):
            write(picture, order, room.array)
            port.picture(self.stream, room, taken.t_ns, taken.period_ns, clock=taken.clock)


def reduced(height: int, width: int, max_height: int | None) -> tuple[int, int]:
    """The size (height, width) at which a picture is handed over; the ratio stays."""
    if max_height is None or height <= max_height:
        return height, width
    return max_height, max(1, round(width * max_height / height))


def write(picture: NDArray[Any], order: Literal["RGB", "BGR"], into: NDArray[Any]) -> None:
    """Reduce `picture` uint8 (H, W, 3) to the size of `into`, and give it its order, RGB."""
    import cv2

    height, width, _ = into.shape
    if picture.shape != into.shape:
        # Averages: a picture that is only picked from shows patterns that are not there.
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    if order == "BGR":
        cv2.cvtColor(picture, cv2.COLOR_BGR2RGB, dst=into)
    else:
        np.copyto(into, picture)
