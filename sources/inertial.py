"""Inertial readings on their way to samples: two sensors joined, runs cut into blocks. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sources.media.gpmf import Payload
from streamer.types import FILE_CLOCK, NS_PER_S, ImuBlock, Sample

Stamps: TypeAlias = NDArray[np.int64]

BLOCK_NS = NS_PER_S // 10

# Payloads follow each other on the container's clock, which may count milliseconds.
_TOUCH_NS = 2_000_000


def to_samples(
    stream: str, chunks: Iterable[ImuBlock], period_ns: int | None = None
) -> Iterator[Sample]:
    """Cut readings into blocks, as `Cutter` does. `chunks` may be of any length."""
    cutter = Cutter(stream)
    for chunk in chunks:
        yield from cutter.push(chunk, period_ns)
    yield from cutter.flush(period_ns)


class Cutter:
    """Cuts readings into blocks of about 100 ms.

    A block stands for the time up to the next one, so that blocks tile. It ends early, one period
    after its last reading, where the next reading is more than 1.5 periods away (a reading is
    missing) or lies in the past. Readings with equal stamps stay together. The period is the median
    step of the chunk unless given.
    """

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._t_ns: Stamps = np.empty(0, np.int64)
        self._values = np.empty((0, 6), np.float32)
        self._median_ns = NS_PER_S

    def push(self, chunk: ImuBlock, period_ns: int | None = None) -> Iterator[Sample]:
        """Take readings of any number; yield the blocks that are complete."""
        t_ns = np.concatenate([self._t_ns, chunk.t_ns])
        values = np.concatenate([self._values, chunk.values])
        steps = np.diff(t_ns)
        if (steps > 0).any():
            self._median_ns = int(np.median(steps[steps > 0]))
        period = period_ns or self._median_ns
        cuts = _cuts(t_ns, steps, period)
        self._t_ns, self._values = t_ns[cuts[-1] :], values[cuts[-1] :]
        for first, last in pairwise(cuts):
            step = int(steps[last - 1])
            rest = step if 0 < step <= 1.5 * period else period
            yield _sample(self._stream, t_ns[first:last], values[first:last], rest)

    def flush(self, period_ns: int | None = None) -> Iterator[Sample]:
        """The rest."""
        if len(self._t_ns):
            yield _sample(self._stream, self._t_ns, self._values, period_ns or self._median_ns)
        self._t_ns, self._values = self._t_ns[:0], self._values[:0]


def _cuts(t_ns: Stamps, steps: Stamps, period_ns: int) -> list[int]:
    """Where blocks start, 0 first."""
    cuts = [0]
    for at in range(1, len(t_ns)):
        step = int(steps[at - 1])
        full = t_ns[at] - t_ns[cuts[-1]] >= BLOCK_NS
        if full or step < 0 or step > 1.5 * period_ns:
            cuts.append(at)
    return cuts


def _sample(stream: str, t_ns: Stamps, values: NDArray[np.float32], rest_ns: int) -> Sample:
    start_ns, last_ns = int(t_ns[0]), int(t_ns[-1])
    block = ImuBlock(t_ns, values)
    return Sample(stream, "imu", start_ns, last_ns + rest_ns - start_ns, block, FILE_CLOCK)


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """Stamped readings of one sensor: (n,), (n, 3)."""

    t_ns: Stamps
    values: NDArray[np.float64]

    def then(self, other: "_Run") -> "_Run":
        return _Run(
            np.concatenate([self.t_ns, other.t_ns]), np.concatenate([self.values, other.values])
        )

    def after(self, count: int) -> "_Run":
        return _Run(self.t_ns[count:], self.values[count:])


_NOTHING = _Run(np.empty(0, np.int64), np.empty((0, 3)))


class Joiner:
    """Joins an accelerometer and a gyroscope of different rates at the gyroscope's stamps.

    GPMF states no sample times on purpose; the readings of a payload are spread evenly over the
    time that the container gives the payload. (STMP, where present, is the camera's own clock and
    was not meant for this.) Acceleration is interpolated linearly; readings after the last
    acceleration wait for the next payload.
    """

    def __init__(self) -> None:
        self.lost = 0
        """Readings that the running totals say existed and that never came."""
        self._accl = _NOTHING
        self._gyro = _NOTHING
        self._end_ns: int | None = None
        self._paces_ns: dict[str, int] = {}
        self._totals: dict[str, int] = {}

    def push(self, payload: Payload, start_ns: int, end_ns: int) -> Iterator[ImuBlock]:
        """Take the payload of a span of time; yield what is complete, oldest first."""
        if payload.accl is None or payload.gyro is None or not len(payload.accl.values):
            return
        if self._end_ns is not None and abs(start_ns - self._end_ns) > _TOUCH_NS:
            yield from self.flush()  # nothing is interpolated across a hole
        self._count("accl", len(payload.accl.values), payload.accl.total)
        self._count("gyro", len(payload.gyro.values), payload.gyro.total)
        accl, _ = self._spread("accl", payload.accl.values, start_ns, end_ns)
        gyro, self._end_ns = self._spread("gyro", payload.gyro.values, start_ns, end_ns)
        self._accl = self._accl.then(accl)
        self._gyro = self._gyro.then(gyro)
        yield from self._join(int(np.searchsorted(self._gyro.t_ns, self._accl.t_ns[-1], "right")))

    def flush(self) -> Iterator[ImuBlock]:
        """The rest, held at the last acceleration."""
        if len(self._accl.t_ns):
            yield from self._join(len(self._gyro.t_ns))
        self._accl = self._gyro = _NOTHING

    def _join(self, count: int) -> Iterator[ImuBlock]:
        if not count:
            return
        t_ns = self._gyro.t_ns[:count]
        # Counted from the first stamp: a float64 cannot tell nanoseconds since 1970 apart.
        origin = self._accl.t_ns[0]
        accl = [
            np.interp(t_ns - origin, self._accl.t_ns - origin, axis) for axis in self._accl.values.T
        ]
        values = np.column_stack([*accl, self._gyro.values[:count]]).astype(np.float32)
        yield ImuBlock(t_ns, values)
        self._gyro = self._gyro.after(count)
        # The last acceleration at or before the readings to come is still needed.
        older = int(np.searchsorted(self._accl.t_ns, t_ns[-1], "right")) - 1
        self._accl = self._accl.after(max(0, older))

    def _count(self, sensor: str, number: int, total: int | None) -> None:
        if total is None:
            return
        before = self._totals.get(sensor)
        if before is not None and total - before > number:
            self.lost += total - before - number
        self._totals[sensor] = total

    def _spread(
        self, sensor: str, values: NDArray[np.float64], start_ns: int, end_ns: int
    ) -> tuple[_Run, int]:
        """Evenly over the span, and where the readings end.

        The last payload is short and not every container says so: none is slower than the one
        before it by half.
        """
        count = len(values)
        pace_ns = self._paces_ns.get(sensor)
        if pace_ns is not None and end_ns - start_ns > 1.5 * count * pace_ns:
            end_ns = start_ns + count * pace_ns
        elif count:
            self._paces_ns[sensor] = (end_ns - start_ns) // count
        t_ns = start_ns + (end_ns - start_ns) * np.arange(count, dtype=np.int64) // max(1, count)
        return _Run(t_ns, values), end_ns
