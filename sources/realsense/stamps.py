"""From the stamps of a RealSense's frames to CLOCK_MONOTONIC. Pure but for the clock it is given.

A frame says itself which clock stamped it: `hardware_clock` counts from the device's start,
`system_time` is the host's UTC when the frame came in, `global_time` the device's clock that the
library has mapped to the host's UTC. It may change from one frame to the next.
"""

from collections.abc import Callable

from sources.clockmap import STEP_NS, ClockMap
from streamer.clock import utc_since_monotonic_ns
from streamer.types import ClockCard

ANCHOR_NS = 1_000_000
"""UTC is corrected by and by: it is anchored again when it has moved by more than this."""

_HARDWARE = "hardware_clock"


class Stamps:
    """Of one stream. `played`: out of a file, so that UTC there is that of the recording.

    `steps` counts stamps that could not be: the system's time was set, or the device's.
    """

    def __init__(
        self, played: bool, utc: Callable[[], tuple[int, int]] = utc_since_monotonic_ns
    ) -> None:
        self._played, self._utc = played, utc
        self._suffix = ", played" if played else ""
        self._maps: dict[str, ClockMap] = {}
        self._steps = 0
        self._anchor: tuple[int, int] | None = None
        self.card = ClockCard("realsense", STEP_NS)

    @property
    def steps(self) -> int:
        return self._steps + sum(clock.steps for clock in self._maps.values())

    def to_host(self, domain: str, stamp_ns: int, arrival_ns: int) -> int:
        """When it was, never after its arrival; `card` tells how well that is known."""
        if self._played or domain == _HARDWARE:
            name = f"realsense {domain}{self._suffix}"
            clock = self._maps.setdefault(domain, ClockMap(name))
            t_ns = clock.to_host(stamp_ns, arrival_ns)
            self.card = clock.card
            return t_ns
        return self._from_utc(domain, stamp_ns, arrival_ns)

    def _from_utc(self, domain: str, stamp_ns: int, arrival_ns: int) -> int:
        offset_ns, error_ns = self._utc()
        if self._anchor is None or abs(offset_ns - self._anchor[0]) > ANCHOR_NS:
            self._anchor = (offset_ns, error_ns + ANCHOR_NS)
        offset_ns, error_ns = self._anchor
        t_ns = stamp_ns - offset_ns
        if not -STEP_NS <= t_ns - arrival_ns <= STEP_NS:
            # The library goes on with the UTC of before for a while after that has been set.
            self._steps += 1
            self.card = ClockCard("realsense arrival", STEP_NS)
            return arrival_ns
        # Of the library's own mapping, `global_time`, nobody tells the error.
        self.card = ClockCard(f"realsense {domain}", error_ns, -offset_ns)
        return min(t_ns, arrival_ns)
