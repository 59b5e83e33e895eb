"""Gyro and accelerometer as readings of six axes. Pure.

The two sensors have rates and stamps of their own. The gyro is the time base; the acceleration at
its stamps lies on straight lines between the accelerometer's readings.
"""

from collections import Counter, deque
from typing import NamedTuple, TypeAlias

from streamer.types import NS_PER_S

Axes: TypeAlias = tuple[float, float, float]

GAP_NS = NS_PER_S // 10
"""No acceleration is made up between readings farther apart; the slowest sensor has 63 a second."""

STEP_NS = NS_PER_S // 2
"""A stamp that is so much earlier comes from a clock that was set, or from its counter that ran
over: the hardware clock of a D400 does every 71 minutes."""

WAITING = 512
"""Readings of one sensor that wait for the other: more than a second of the fastest."""


class Reading(NamedTuple):
    """One reading of six axes: m/s^2 with gravity, then rad/s. `host_ns` came with the gyro's."""

    host_ns: int
    acceleration: Axes
    rate: Axes


class _Gyro(NamedTuple):
    stamp_ns: int
    host_ns: int
    rate: Axes


class Merge:
    """Takes both in the order in which they come. `lost` counts readings that became nothing:
    `unordered` and `repeated` stamps of either, and gyro readings without acceleration on both
    sides, `unpaired`."""

    def __init__(self) -> None:
        self.lost: Counter[str] = Counter()
        self._gyros: deque[_Gyro] = deque()
        self._accels: deque[tuple[int, Axes]] = deque(maxlen=WAITING)
        self._last_gyro_ns: int | None = None
        self._last_accel_ns: int | None = None

    def gyro(self, stamp_ns: int, host_ns: int, rate: Axes) -> list[Reading]:
        """`stamp_ns` on the clock that the accelerometer's stamps are of, `host_ns` passes by."""
        if not self._follows(stamp_ns, self._last_gyro_ns):
            return []
        self._last_gyro_ns = stamp_ns
        self._gyros.append(_Gyro(stamp_ns, host_ns, rate))
        if len(self._gyros) > WAITING:
            self._gyros.popleft()
            self.lost["unpaired"] += 1
        return self._ready()

    def accel(self, stamp_ns: int, acceleration: Axes) -> list[Reading]:
        if not self._follows(stamp_ns, self._last_accel_ns):
            return []
        self._last_accel_ns = stamp_ns
        self._accels.append((stamp_ns, acceleration))
        return self._ready()

    def end(self) -> None:
        """Nothing follows: what still waits is lost."""
        self.lost["unpaired"] += len(self._gyros)
        self._gyros.clear()
        self._accels.clear()
        self._last_gyro_ns = self._last_accel_ns = None

    def _follows(self, stamp_ns: int, last_ns: int | None) -> bool:
        if last_ns is None or stamp_ns > last_ns:
            return True
        if last_ns - stamp_ns > STEP_NS:
            self.end()
            return True
        self.lost["repeated" if stamp_ns == last_ns else "unordered"] += 1
        return False

    def _ready(self) -> list[Reading]:
        ready: list[Reading] = []
        while self._gyros and self._accels:
            stamp_ns = self._gyros[0].stamp_ns
            while len(self._accels) > 1 and self._accels[1][0] <= stamp_ns:
                self._accels.popleft()
            if self._accels[0][0] < stamp_ns and len(self._accels) == 1:
                break  # until the next acceleration
            gyro = self._gyros.popleft()
            acceleration = self._at(stamp_ns)
            if acceleration is None:
                self.lost["unpaired"] += 1
            else:
                ready.append(Reading(gyro.host_ns, acceleration, gyro.rate))
        return ready

    def _at(self, stamp_ns: int) -> Axes | None:
        before_ns, before = self._accels[0]
        if before_ns == stamp_ns:
            return before
        if before_ns > stamp_ns:
            return None
        after_ns, after = self._accels[1]
        if after_ns - before_ns > GAP_NS:
            return None
        share = (stamp_ns - before_ns) / (after_ns - before_ns)
        x, y, z = (a + (b - a) * share for a, b in zip(before, after, strict=True))
        return x, y, z
