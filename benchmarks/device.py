"""A device of no library that hands over one thing at a rate: what isolation is measured on."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from sources.isolated.port import Port
from sources.isolated.process import Isolated, isolated
from sources.isolated.watch import Patience
from streamer.protocols import Clock
from streamer.types import NS_PER_S, Modality, StreamInfo


class Device(BaseModel):
    """Hands over `shape` of `dtype`, or `shape[0]` samples, `rate_hz` times a second."""

    stream: str
    modality: Modality
    rate_hz: float
    shape: tuple[int, ...]
    dtype: Literal["uint8", "uint16", "float32"] = "float32"

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        return (StreamInfo(self.stream, self.modality),)

    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncGenerator[Isolated, None]:
        async with isolated(self, clock, Patience(repeat_s=None), 1 << 20) as samples:
            yield samples

    def drive(self, port: Port) -> None:
        picture = np.random.default_rng(0).integers(0, 255, self.shape).astype(self.dtype)
        period_ns = round(NS_PER_S / self.rate_hz)
        due_ns = port.now_ns()
        while True:
            due_ns += period_ns
            time.sleep(max(0, due_ns - port.now_ns()) / 1e9)
            self._hand_over(port, picture, period_ns)

    def _hand_over(self, port: Port, picture: NDArray[Any], period_ns: int) -> None:
        now_ns = port.now_ns()
        if self.modality == "audio":
            port.sound(self.stream, now_ns - period_ns, picture, 16_000)
        elif self.modality == "imu":
            step_ns = period_ns // len(picture)
            t_ns = now_ns - period_ns + step_ns * np.arange(len(picture), dtype=np.int64)
            port.motion(self.stream, t_ns, picture, step_ns)
        elif room := port.room(self.stream, self.shape, self.dtype):
            np.copyto(room.array, picture)
            port.picture(self.stream, room, now_ns, period_ns, scale=self._scale)

    @property
    def _scale(self) -> float | None:
        return 0.001 if self.dtype == "uint16" else None
