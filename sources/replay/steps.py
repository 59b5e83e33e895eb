"""Where the stamps of a stream leap against the time at which they came. Pure."""

from collections import deque
from dataclasses import dataclass
from statistics import median

STEP_NS = 250_000_000
"""Smaller than this, it is the wait of a busy machine."""
_BEFORE, _CONFIRM = 31, 8
MOST_STEPS = 20


@dataclass(frozen=True, slots=True)
class Step:
    """From `at_ns` on, stamps are `by_ns` later (or earlier, if below 0) than they were."""

    at_ns: int
    by_ns: int


class Steps:
    """Follows the delay between stamp and arrival of one stream.

    A sample that waited comes late, and those behind it catch up: only a delay that stays changed
    is a step of a clock.
    """

    def __init__(self) -> None:
        self.found: list[Step] = []
        self.count = 0
        self._usual: deque[int] = deque(maxlen=_BEFORE)
        self._changed: list[tuple[int, int]] = []

    def add(self, t_ns: int, now_ns: int) -> None:
        delay_ns = now_ns - t_ns
        if len(self._usual) < _CONFIRM:
            self._usual.append(delay_ns)
            return
        usual_ns = int(median(self._usual))
        if abs(delay_ns - usual_ns) < STEP_NS:
            self._usual.append(delay_ns)
            self._changed.clear()
            return
        if self._changed and abs(delay_ns - self._changed[-1][1]) >= STEP_NS:
            self._changed.clear()  # still moving
        self._changed.append((now_ns, delay_ns))
        if len(self._changed) == _CONFIRM:
            by_ns = usual_ns - int(median(delay for _, delay in self._changed))
            self.count += 1
            if len(self.found) < MOST_STEPS:
                self.found.append(Step(self._changed[0][0], by_ns))
            self._usual.clear()
            self._usual.extend(delay for _, delay in self._changed)
            self._changed.clear()
