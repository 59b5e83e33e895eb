"""How often pictures come, and how many of them are wanted. Pure."""

from collections import deque

from streamer.types import NS_PER_S

_INTERVALS = 16
_RATES_HZ = (1.0, 240.0)
_UNKNOWN_HZ = 30.0


class Pace:
    """Picks pictures so that they come at `max_hz` on average; None picks all.

    A camera of 30 Hz at 20 gives two of three. What is not picked was not wanted: it is no loss.
    """

    def __init__(self, max_hz: float | None) -> None:
        self._period_ns = 0 if max_hz is None else round(NS_PER_S / max_hz)
        self._due_ns: int | None = None

    def wanted(self, t_ns: int) -> bool:
        if self._due_ns is None:
            self._due_ns = t_ns
        # Half a period early is on time: a camera at the very rate has jitter, too.
        if t_ns < self._due_ns - self._period_ns // 2:
            return False
        self._due_ns = max(t_ns, self._due_ns) + self._period_ns
        return True


class Period:
    """The mean distance of the last pictures. Cameras halve their rate in the dark, and say
    nonsense of it (90000, 0): what they say only holds until enough have come."""

    def __init__(self, said_hz: float) -> None:
        sensible = _RATES_HZ[0] <= said_hz <= _RATES_HZ[1]
        self.ns = round(NS_PER_S / (said_hz if sensible else _UNKNOWN_HZ))
        self._stamps: deque[int] = deque(maxlen=_INTERVALS + 1)

    def note(self, t_ns: int) -> None:
        """A picture was taken, later than the one before."""
        self._stamps.append(t_ns)
        if len(self._stamps) > _INTERVALS // 2:
            self.ns = (self._stamps[-1] - self._stamps[0]) // (len(self._stamps) - 1)
