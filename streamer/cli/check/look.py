"""A look at a source: does it open, what comes, how often, how late."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from streamer.cli.check.timing import Timing
from streamer.clock import SystemClock
from streamer.errors import SourceLost
from streamer.protocols import Clock, Source
from streamer.supervise import Accounted
from streamer.types import NS_PER_S, AudioBlock, Condition, ImuBlock, Sample, pixels

HIGHEST_HZ = {"vision": 1e4, "depth": 1e4, "thermal": 1e4, "audio": 1e6, "imu": 1e5}
"""No sensor of a robot is faster; a higher rate means that stamps are read in the wrong unit."""

OPEN_S, FILE_S = 12.0, 30.0
"""How long a device may take until its first sample, and a file until what was asked for."""

_BLOCKS = 100_000
"""Of which it is kept what they stand for: more than come in a minute."""

NEAR = 0.8, 1.25
"""What a rate may be of the declared one."""


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
    loud: bool = False
    produced: int | None = None
    dropped: dict[str, int] = field(default_factory=dict[str, int])
    timing: Timing = field(default_factory=Timing)
    _blocks: deque[tuple[int, int]] = field(
        default_factory=lambda: deque[tuple[int, int]](maxlen=_BLOCKS)
    )
    """Of readings: how many, and the nanoseconds for which they stand."""

    @property
    def verdict(self) -> str:
        """`ok`, or what is wrong in one line."""
        return self.fault or self.concern or "ok"

    @property
    def fault(self) -> str:
        """Why nothing can be done with it; empty if something can."""
        if self.why or not self.samples:
            return self.why or "no sample came"
        highest_hz = HIGHEST_HZ[self.modality]
        if self.rate_hz > highest_hz:
            return f"{self.rate_hz:.3g} Hz is not possible: are the units of its time right?"
        return self.timing.fault

    @property
    def concern(self) -> str:
        """What is not as it should be, though it delivers; empty if all is."""
        if self.live and self.modality == "audio" and not self.loud:
            return "silent: nothing but zeros: is it muted?"
        if self.live and not NEAR[0] <= self.rate_hz / self.declared_hz <= NEAR[1]:
            lost = "".join(f", {count} {cause}" for cause, count in self.dropped.items())
            said = "by its blocks" if self.modality == "imu" else "declared"
            return f"wrong rate: {self.rate_hz:.3g} Hz, {self.declared_hz:.3g} Hz {said}{lost}"
        return self.timing.concern

    @property
    def live(self) -> bool:
        """Whether it came as time passed. A file may hold silence, and holes."""
        return self.timing.here_ns > 0

    @property
    def rate_hz(self) -> float:
        """Pictures, sound samples or readings a second of its own time."""
        span_ns = self.end_ns - self.first_ns
        return self.readings * NS_PER_S / span_ns if span_ns > 0 else 0.0

    @property
    def declared_hz(self) -> float:
        """The rate at which the samples would follow each other without a gap.

        Of readings, that of the block of the median one: where no rate was declared, the first
        blocks stand for what the device seemed to do when it was started.
        """
        if self._blocks:
            counts, covered_ns = np.array(self._blocks).T
            order = np.argsort(counts / covered_ns)
            before = np.cumsum(counts[order])
            middle = order[np.searchsorted(before, before[-1] / 2)]
            return float(counts[middle] * NS_PER_S / covered_ns[middle])
        return self.readings * NS_PER_S / max(1, self.covered_ns)

    @property
    def bytes_per_s(self) -> float:
        """What a second of it takes in memory, decoded."""
        return self.rate_hz * self.reading_bytes

    def add(self, sample: Sample, now_ns: int | None = None) -> None:
        """`now_ns`, on the clock of its stamps: when it came. None if it is of a file."""
        if not self.samples:
            self.first_ns = sample.t_ns
            self.what, self.reading_bytes = _describe(sample)
        self.samples += 1
        self.end_ns = max(self.end_ns, sample.end_ns)
        self.covered_ns += sample.duration_ns
        self.readings += _readings(sample)
        if isinstance(sample.data, ImuBlock):
            self._blocks.append((_readings(sample), max(1, sample.duration_ns)))
        if isinstance(sample.data, AudioBlock):
            self.loud = self.loud or bool(np.any(sample.data.samples))
        self.timing.add(sample, now_ns)

    def note(self, condition: Condition) -> None:
        self.why = condition.why if condition.state == "stalled" else ""

    def stopped(self, now_ns: int) -> None:
        """Nobody looks any more: was it still there?"""
        if silent_ns := self.timing.silent_ns(now_ns):
            self.why = self.why or f"stalled: nothing for the last {silent_ns / NS_PER_S:.1f} s"

    def report(self) -> dict[str, Any]:
        span_s = (self.end_ns - self.first_ns) / NS_PER_S
        ages_ms = self.timing.ages_ms
        return {
            "modality": self.modality,
            "verdict": self.verdict,
            "samples": self.samples,
            "rate_hz": round(self.rate_hz, 2),
            "coverage": round(min(1.0, self.covered_ns / NS_PER_S / span_s), 3) if span_s else 0.0,
            "jitter_ms": self.timing.jitter_ms,
            "age_ms": ages_ms and {"p50": ages_ms[0], "p99": ages_ms[1]},
            "produced": self.produced,
            "dropped": self.dropped,
            "what": self.what,
        }


async def look_at(source: Source, seconds: float, limit_s: float | None = None) -> list[Look]:
    """Read until `seconds` of every stream have come, but no longer than `limit_s` of wall time.

    Live, these are seconds of the clock from the first sample of each; of a file, of its own
    time. By default as much more as a device takes to open, and half a minute for files.
    """
    if limit_s is None:
        limit_s = seconds + (OPEN_S if source.live else FILE_S)
    clock = SystemClock()
    looks = {info.name: Look(info.name, info.modality) for info in source.streams}
    enough_ns = int(seconds * NS_PER_S)

    def enough() -> bool:
        return all(
            (each.timing.here_ns if source.live else each.end_ns - each.first_ns) >= enough_ns
            for each in looks.values()
        )

    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(_read(source, clock, looks, enough), limit_s)
    except SourceLost as error:
        for look in looks.values():
            look.why = str(error)
    for look in looks.values() if source.live else ():
        look.stopped(clock.now_ns())
    return list(looks.values())


async def _read(
    source: Source, clock: Clock, looks: dict[str, Look], enough: Callable[[], bool]
) -> None:
    async with source.open(clock) as samples:
        try:
            async for item in samples:
                if isinstance(item, Sample):
                    looks[item.stream].add(item, clock.now_ns() if source.live else None)
                    if enough():
                        return
                elif isinstance(item, Condition):
                    looks[item.stream].note(item)
        finally:
            # Before it is closed: what is left behind then is nobody's loss.
            for stream, account in (
                samples.accounts.items() if isinstance(samples, Accounted) else ()
            ):
                looks[stream].produced = account.produced
                looks[stream].dropped = account.dropped


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
