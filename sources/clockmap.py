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
"""Stamps that come earlier than expected by more than this, or later for longer than this, are of
a clock that was set. A reader that was held up has its backlog in less."""

_DELAYS = 257


class ClockMap:
    """Maps the stamps of one device, in the order in which they come, to the host's clock.

    `domain` names the clock on quality cards. `wrap_ns` is where its counter starts again at 0.
    `steps` counts how often it was set: the map starts anew then. A stamp that falls says so, so
    streams that overtake each other need a map each.
    """

    def __init__(self, domain: str, wrap_ns: int | None = None) -> None:
        self.steps = 0
        self._domain, self._wrap_ns = domain, wrap_ns
        self._least: deque[tuple[int, int]] = deque()
        """(arrival, offset), offsets rising: the first is the least of the window."""
        self._offsets: deque[int] = deque(maxlen=_DELAYS)
        self._last: tuple[int, int, int] | None = None
        """Stamp, arrival and mapped time of the one before."""
        self._late_since_ns: int | None = None

    def to_host(self, stamp_ns: int, arrival_ns: int) -> int:
        """When it was, on the clock of `arrival_ns`; never after its arrival.

        Times never fall. They rise where stamps do, except when several arrive at one instant
        and the clock has just been set, or is new.
        """
        if self._last is not None:
            stamp_ns = self._unwrapped(stamp_ns, arrival_ns, self._last)
            if self._was_set(stamp_ns, arrival_ns, self._last[0]):
                self.steps += 1
                self._least.clear()
                self._offsets.clear()
                self._last = self._late_since_ns = None
        offset_ns = arrival_ns - stamp_ns
        while self._least and self._least[-1][1] >= offset_ns:
            self._least.pop()
        self._least.append((arrival_ns, offset_ns))
        while self._least[0][0] < arrival_ns - WINDOW_NS:
            self._least.popleft()
        self._offsets.append(offset_ns)
        t_ns = stamp_ns + self._least[0][1]
        if self._last is not None:
            # The offset was learnt anew and is lower: nothing goes back in time for that.
            rise = 1 if stamp_ns > self._last[0] else 0
            t_ns = min(max(t_ns, self._last[2] + rise), arrival_ns)
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

    def _unwrapped(self, stamp_ns: int, arrival_ns: int, last: tuple[int, int, int]) -> int:
        """The count that is nearest to what the time since the one before makes likely."""
        if self._wrap_ns is None:
            return stamp_ns
        likely_ns = last[0] + arrival_ns - last[1]
        turns = (likely_ns - stamp_ns + self._wrap_ns // 2) // self._wrap_ns
        return stamp_ns + turns * self._wrap_ns

    def _was_set(self, stamp_ns: int, arrival_ns: int, stamp_before_ns: int) -> bool:
        late_ns = arrival_ns - stamp_ns - self._least[0][1]
        if late_ns <= STEP_NS:
            self._late_since_ns = None
            return stamp_ns < stamp_before_ns or late_ns < -STEP_NS
        # Late by a freeze of this process is soon over; late by a clock that was set stays.
        if self._late_since_ns is None:
            self._late_since_ns = arrival_ns
        return stamp_ns < stamp_before_ns or arrival_ns - self._late_since_ns > STEP_NS
