"""From a device's own clock to the host's, learnt from when its stamps arrive. Pure.

A delivery is never early: the least of (arrival - stamp) over the last seconds is the offset plus
the shortest delay there is. That delay cannot be known from here; how much longer most deliveries
take can, and it is the error that is published.
"""

from collections import deque
from statistics import median_low

from streamer.types import NS_PER_S, ClockCard

WINDOW_NS = 10 * NS_PER_S
"""The offset is learnt over this long: crystals drift apart by less than 1 ms in it (100 ppm)."""

STEP_NS = NS_PER_S // 2
"""No delivery takes longer than this: a stamp that says so comes from a clock that was set."""

_DELAYS = 257


class ClockMap:
    """Maps the stamps of one device, in the order in which they come, to the host's clock.

    `domain` names the clock on quality cards. `steps` counts how often it was set: the map starts
    anew then.
    """

    def __init__(self, domain: str) -> None:
        self.steps = 0
        self._domain = domain
        self._least: deque[tuple[int, int]] = deque()
        """(arrival, offset), offsets rising: the first is the least of the window."""
        self._offsets: deque[int] = deque(maxlen=_DELAYS)
        self._last: tuple[int, int, int] | None = None
        """Stamp, arrival and mapped time of the one before."""

    def to_host(self, stamp_ns: int, arrival_ns: int) -> int:
        """When it was, on the clock of `arrival_ns`; never after its arrival.

        Stamps that rise give times that rise, except where the device's clock was set.
        """
        offset_ns = arrival_ns - stamp_ns
        if self._last is not None and self._was_set(self._last, stamp_ns, arrival_ns):
            self.steps += 1
            self._least.clear()
            self._offsets.clear()
            self._last = None
        while self._least and self._least[-1][1] >= offset_ns:
            self._least.pop()
        self._least.append((arrival_ns, offset_ns))
        while self._least[0][0] < arrival_ns - WINDOW_NS:
            self._least.popleft()
        self._offsets.append(offset_ns)
        t_ns = stamp_ns + self._least[0][1]
        if self._last is not None and stamp_ns > self._last[0]:
            # The offset was learnt anew and is lower: nothing goes back in time for that.
            t_ns = min(max(t_ns, self._last[2] + 1), arrival_ns)
        self._last = (stamp_ns, arrival_ns, t_ns)
        return t_ns

    @property
    def card(self) -> ClockCard:
        """The clock, the offset to it, and its error: what half of the deliveries are late by."""
        if not self._least:
            return ClockCard(self._domain, STEP_NS)
        offset_ns = self._least[0][1]
        # The median may reach further back than the least, to before the clocks drifted apart.
        error_ns = max(0, median_low(self._offsets) - offset_ns)
        return ClockCard(self._domain, error_ns, offset_ns)

    def _was_set(self, last: tuple[int, int, int], stamp_ns: int, arrival_ns: int) -> bool:
        stamp_before, arrival_before, _ = last
        leap_ns = (stamp_ns - stamp_before) - (arrival_ns - arrival_before)
        return leap_ns > STEP_NS or arrival_ns - (stamp_ns + self._least[0][1]) > STEP_NS
