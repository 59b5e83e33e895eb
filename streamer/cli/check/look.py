"""A look at a source: does it open, what comes, how often."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from streamer.clock import SystemClock
from streamer.errors import SourceLost
from streamer.protocols import Source
from streamer.types import NS_PER_S, AudioBlock, ImuBlock, Sample, pixels

HIGHEST_HZ = {"vision": 1e4, "depth": 1e4, "thermal": 1e4, "audio": 1e6, "imu": 1e5}
"""No sensor of a robot is faster; a higher rate means that stamps are read in the wrong unit."""


@dataclass(slots=True)
class Look:
    """What was seen of one stream."""

    stream: str
    modality: str
    samples: int = 0
    first_ns: int = 0
    end_ns: int = 0
    covered_ns: int = 0
    readings: int = 0
    reading_bytes: int = 0
    what: str = ""
    why: str = ""

    @property
    def verdict(self) -> str:
        if self.why or not self.samples:
            return self.why or "no sample came"
        highest_hz = HIGHEST_HZ[self.modality]
        if self.rate_hz > highest_hz:
            return f"{self.rate_hz:.3g} Hz is not possible: are the units of its time right?"
        return "ok"

    @property
    def rate_hz(self) -> float:
        """Pictures, sound samples or readings a second of its own time."""
        span_ns = self.end_ns - self.first_ns
        return self.readings * NS_PER_S / span_ns if span_ns > 0 else 0.0

    @property
    def bytes_per_s(self) -> float:
        """What a second of it takes in memory, decoded."""
        return self.rate_hz * self.reading_bytes

    def add(self, sample: Sample) -> None:
        if not self.samples:
            self.first_ns = sample.t_ns
            self.what, self.reading_bytes = _describe(sample)
        self.samples += 1
        self.end_ns = max(self.end_ns, sample.end_ns)
        self.covered_ns += sample.duration_ns
        self.readings += _readings(sample)

    def report(self) -> dict[str, Any]:
        span_s = (self.end_ns - self.first_ns) / NS_PER_S
        return {
            "modality": self.modality,
            "verdict": self.verdict,
            "samples": self.samples,
            "rate_hz": round(self.rate_hz, 2),
            "coverage": round(min(1.0, self.covered_ns / NS_PER_S / span_s), 3) if span_s else 0.0,
            "what": self.what,
        }


async def look_at(source: Source, seconds: float, limit_s: float | None = None) -> list[Look]:
    """Read until `seconds` of every stream have come, but no longer than `limit_s` of wall time.

    By default `seconds` for what is live and half a minute more for files.
    """
    if limit_s is None:
        limit_s = seconds if source.live else 30 + seconds
    clock = SystemClock()
    looks = {info.name: Look(info.name, info.modality) for info in source.streams}
    enough_ns = int(seconds * NS_PER_S)

    async def read() -> None:
        async with source.open(clock) as samples:
            async for sample in samples:
                if not isinstance(sample, Sample):
                    continue
                look = looks[sample.stream]
                look.add(sample)
                if all(each.end_ns - each.first_ns >= enough_ns for each in looks.values()):
                    return

    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(read(), limit_s)
    except SourceLost as error:
        for look in looks.values():
            look.why = str(error)
    return list(looks.values())


def _describe(sample: Sample) -> tuple[str, int]:
    """What its data are, and the bytes of a picture, sound sample or reading, decoded."""
    data = sample.data
    if isinstance(data, AudioBlock):
        return f"{data.rate_hz} Hz, blocks of {len(data.samples)}", data.samples.itemsize
    if isinstance(data, ImuBlock):
        each = data.t_ns.itemsize + data.values.itemsize * data.values.shape[1]
        return f"6 axes, blocks of {len(data.t_ns)}", each
    picture = pixels(sample)
    return f"{picture.dtype} {'x'.join(map(str, picture.shape))}", picture.nbytes


def _readings(sample: Sample) -> int:
    """Pictures, sound samples or inertial readings."""
    if isinstance(sample.data, AudioBlock):
        return len(sample.data.samples)
    if isinstance(sample.data, ImuBlock):
        return len(sample.data.t_ns)
    return 1
