"""Gyro and accelerometer as readings of six axes. Pure.

The two sensors have rates and stamps of their own. The gyro is the time base; the acceleration at
its stamps lies on straight lines between the accelerometer's readings.
"""

from collections import Counter, deque
from typing import NamedTuple, TypeAlias

from streamer.types import NS_PER_S

Axes: TypeAlias = tuple[float, float, float]

GAP_NS = NS_PER_S // 10
"""No acceleration is made up between readings farther apart: they say nothing about that time."""

STEP_NS = NS_PER_S // 2
"""A stamp that is so much earlier comes from a clock that was set, or from its counter that ran
over: the hardware clock of a D400 does every 71 minutes."""


class Reading(NamedTuple):
    """One reading of six axes: m/s^2 with gravity, then rad/s. `host_ns` came with the gyro's."""

    host_ns: int
    acceleration: Axes
    rate: Axes


class _Gyro(NamedTuple):
    stamp_ns: int
    host_ns: int
    rate: Axes


class SixAxes:
    """Takes both in the order in which they come; a gyro reading waits until an acceleration of its
    instant or later is there. At most `waiting` of either do: a silent sensor makes nobody hoard.

    `ties`: readings of one stamp are different readings, as where several are stamped when they
    arrive; otherwise the later ones are the first again. `lost` counts readings that became
    nothing: `unordered` and `repeated` stamps of either, and gyro readings without acceleration on
    both sides, `unpaired`.
    """

    def __init__(self, waiting: int, *, ties: bool) -> None:
        self.lost: Counter[str] = Counter()
        self._waiting, self._ties = waiting, ties
        self._gyros: deque[_Gyro] = deque()
        self._accels: deque[tuple[int, Axes]] = deque(maxlen=waiting)
        self._last_gyro_ns: int | None = None
        self._last_accel_ns: int | None = None

    def gyro(self, stamp_ns: int, host_ns: int, rate: Axes) -> list[Reading]:
        """What is now complete, oldest first. `stamp_ns` on the clock that the accelerometer's
        stamps are of, `host_ns` passes by."""
        if not self._follows(stamp_ns, self._last_gyro_ns):
            return []
        self._last_gyro_ns = stamp_ns
        self._gyros.append(_Gyro(stamp_ns, host_ns, rate))
        if len(self._gyros) > self._waiting:
            self._gyros.popleft()
            self.lost["unpaired"] += 1
        return self._ready()

    def accel(self, stamp_ns: int, acceleration: Axes) -> list[Reading]:
        """What is now complete, oldest first."""
        if not self._follows(stamp_ns, self._last_accel_ns):
            return []
        self._last_accel_ns = stamp_ns
        self._accels.append((stamp_ns, acceleration))
        return self._ready()

    def end(self) -> None:
        """Nothing follows: what still waits is lost."""
        if self._gyros:
            self.lost["unpaired"] += len(self._gyros)
        self._gyros.clear()
        self._accels.clear()
        self._last_gyro_ns = self._last_accel_ns = None

    def _follows(self, stamp_ns: int, last_ns: int | None) -> bool:
        if last_ns is None or stamp_ns > last_ns or (self._ties and stamp_ns == last_ns):
            return True
        if last_ns - stamp_ns > STEP_NS:
            self.end()
            return True
        self.lost["repeated" if stamp_ns == last_ns else "unordered"] += 1
        return False

    def _ready(self) -> list[Reading]:
        ready: list[Reading] = []
        gyros, accels = self._gyros, self._accels
        while gyros and accels:
            stamp_ns, host_ns, rate = gyros[0]
            while len(accels) > 1 and accels[1][0] <= stamp_ns:
                accels.popleft()
            if accels[0][0] < stamp_ns and len(accels) == 1:
                break  # until the next acceleration
            gyros.popleft()
            acceleration = self._at(stamp_ns)
            if acceleration is None:
                self.lost["unpaired"] += 1
            else:
                ready.append(Reading(host_ns, acceleration, rate))
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
        (x, y, z), (to_x, to_y, to_z) = before, after
        return x + (to_x - x) * share, y + (to_y - y) * share, z + (to_z - z) * share
