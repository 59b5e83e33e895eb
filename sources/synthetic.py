"""A live source without hardware: test pictures, tones and motion at sensor rates.

It exists to measure and to try the program; it shows nothing that a model could know.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from streamer.protocols import Clock
from streamer.types import (
    NS_PER_S,
    AudioBlock,
    Data,
    ImuBlock,
    Modality,
    Sample,
    StreamInfo,
)


class SyntheticSource(BaseModel):
    """One stream in real time. `rate_hz`: pictures a second, or sound or inertial samples.

    Sound and inertial samples come in blocks of `block`. A block that is late is sent at once, so
    the rate holds over time.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["synthetic"] = "synthetic"
    stream: str
    modality: Modality
    rate_hz: Annotated[int, Field(ge=1, le=192_000)]
    block: Annotated[int, Field(ge=1, le=65_536)] = 1
    height: Annotated[int, Field(ge=1, le=8192)] = 480
    width: Annotated[int, Field(ge=1, le=8192)] = 640

    @property
    def live(self) -> bool:
        return True

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        return (StreamInfo(self.stream, self.modality),)

    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncGenerator[AsyncIterator[Sample], None]:
        samples = self._samples(clock)
        async with aclosing(samples):
            yield samples

    async def _samples(self, clock: Clock) -> AsyncGenerator[Sample, None]:
        start_ns = clock.now_ns()
        first = 0
        while True:
            t_ns, end_ns = (
                start_ns + n * NS_PER_S // self.rate_hz for n in (first, first + self.block)
            )
            await clock.sleep_until(end_ns)
            data = self._data(first, start_ns)
            yield Sample(self.stream, self.modality, t_ns, end_ns - t_ns, data)
            first += self.block

    def _data(self, first: int, start_ns: int) -> Data:
        if self.modality in ("audio", "imu"):
            n = np.arange(first, first + self.block, dtype=np.int64)
            angle = 2 * np.pi * (n % self.rate_hz) / self.rate_hz
            if self.modality == "audio":
                return AudioBlock((np.sin(440 * angle) / 2).astype(np.float32), self.rate_hz)
            values = np.zeros((self.block, 6), np.float32)
            values[:, 2] = 9.81
            values[:, 5] = np.sin(angle)
            return ImuBlock(start_ns + n * NS_PER_S // self.rate_hz, values)
        # Brightness ramps from side to side and moves with time.
        ramp = (np.arange(self.width) + first) % 256
        if self.modality == "vision":
            return np.broadcast_to(
                ramp.astype(np.uint8)[None, :, None], (self.height, self.width, 3)
            )
        return np.broadcast_to(ramp.astype(np.float32) / 64 + 1, (self.height, self.width))
