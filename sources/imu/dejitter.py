"""Stamps as regular as the device that took the readings. Pure.

A reading is taken on the beat of the device and is stamped late: by a queue, a bus, a clock that
counts milliseconds. The earliest stamps are the best, so the beat is laid along them.
"""

from collections import deque

_BEATS = 257
_FEWEST = 17
"""Stamps between which the period is measured."""

_CREEP = 64
"""A beat that is too early by declared rate or drift catches up by this part of it a reading."""

MAX_PERIODS = 0.75
"""By how much of a period a stamp of the device's own clock moves at most: less than a missing
reading moves it."""


class Dejitter:
    """Moves stamps back onto the beat, each by at most `bound_ns`, and never forward.

    A stamp later than that is no jitter: there is a gap, and the beat starts anew behind it.
    `clocked`: the stamps are of the device's clock, so that one missing reading shows; the bound is
    then `MAX_PERIODS` if that is less. Stamps of arrival cannot tell a gap shorter than the bound
    from a late delivery. Without `period_ns` the period is measured.
    """

    def __init__(self, bound_ns: int, period_ns: int | None, *, clocked: bool) -> None:
        self._bound_ns, self._declared_ns, self._clocked = bound_ns, period_ns, clocked
        self._recent: deque[int] = deque(maxlen=_BEATS)
        self._last_ns: int | None = None

    @property
    def period_ns(self) -> int | None:
        """The device's, declared or measured; None while it is not known."""
        if self._declared_ns is not None:
            return self._declared_ns
        if len(self._recent) < _FEWEST:
            return None
        return (self._recent[-1] - self._recent[0]) // (len(self._recent) - 1) or None

    @property
    def bound_ns(self) -> int:
        """How far the next stamp is moved at most."""
        period_ns = self.period_ns
        if not self._clocked or period_ns is None:
            return self._bound_ns
        return min(self._bound_ns, int(MAX_PERIODS * period_ns))

    def smooth(self, t_ns: int) -> int:
        """When the reading was taken; `t_ns` not before that of the reading before.

        Results do not fall either, and lie in `t_ns - bound_ns .. t_ns`.
        """
        smoothed_ns = self._smoothed(t_ns)
        self._recent.append(t_ns)
        self._last_ns = smoothed_ns
        return smoothed_ns

    def _smoothed(self, t_ns: int) -> int:
        period_ns = self.period_ns
        if self._last_ns is None or period_ns is None:
            return t_ns
        late_ns = t_ns - (self._last_ns + period_ns)
        if late_ns <= 0:
            return t_ns
        if late_ns > self.bound_ns:
            if late_ns > self._bound_ns + _FEWEST * period_ns:
                self._recent.clear()  # a rate is not measured across a pause
            return t_ns
        return t_ns - late_ns + late_ns // _CREEP
