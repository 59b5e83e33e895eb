"""Two live sensors as one: the acceleration at the instants of the angular rate. Pure."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

_HOLE_NS = 100_000_000
"""Accelerations further apart than this say nothing about the time between."""

_MOST = 4096
"""Readings that wait for an acceleration; a sensor that is silent makes nobody hoard."""


class AccelAtGyro:
    """Interpolates linearly between accelerations; each stamp rises within its sensor.

    An angular rate waits until an acceleration of its instant or later is there. `lost` counts
    those that cannot get one: older than all, in a hole, or waiting for too long.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._accel: deque[tuple[int, NDArray[np.float64]]] = deque(maxlen=_MOST)
        self._gyro: deque[tuple[int, NDArray[np.float64]]] = deque()

    def accel(self, t_ns: int, values: NDArray[np.float64]) -> None:
        """(3,)"""
        self._accel.append((t_ns, values))

    def gyro(self, t_ns: int, values: NDArray[np.float64]) -> None:
        """(3,)"""
        self._gyro.append((t_ns, values))
        if len(self._gyro) > _MOST:
            self._gyro.popleft()
            self.lost += 1

    def ready(self) -> list[tuple[int, NDArray[np.float64]]]:
        """What is complete, oldest first: (6,) at the stamps of the angular rate."""
        joined: list[tuple[int, NDArray[np.float64]]] = []
        while self._gyro and self._accel and self._gyro[0][0] <= self._accel[-1][0]:
            t_ns, rate = self._gyro.popleft()
            while len(self._accel) > 1 and self._accel[1][0] <= t_ns:
                self._accel.popleft()
            before_ns, before = self._accel[0]
            if before_ns == t_ns:
                joined.append((t_ns, np.concatenate([before, rate])))
                continue
            after_ns, after = self._accel[1] if before_ns < t_ns else (before_ns, before)
            if before_ns > t_ns or after_ns - before_ns > _HOLE_NS:
                self.lost += 1
                continue
            share = (t_ns - before_ns) / (after_ns - before_ns)
            joined.append((t_ns, np.concatenate([before + share * (after - before), rate])))
        return joined
