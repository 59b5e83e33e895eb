"""When the samples of one stream were taken, and when they came. Pure."""

from collections import deque
from collections.abc import Iterable

import numpy as np

from streamer.types import NS_PER_S, AudioBlock, ImuBlock, Sample

_KEPT = 100_000
"""More than any sensor says in a minute; the newest stay."""

AHEAD_NS = NS_PER_S
"""Windows reject a stamp that is further in the future, whatever it holds."""

LATE_NS = NS_PER_S
"""A sample that comes later than this has waited in somebody's buffer."""

SILENT_NS = 3 * NS_PER_S // 2
"""No live stream is silent for longer, unless three of its own periods are."""

PACES = 0.67, 1.5
"""Own time a second of the clock: outside of these, stamps are in a wrong unit."""


class Timing:
    """`add` gets the samples in the order in which they came, `now_ns` None for those of a file."""

    def __init__(self) -> None:
        self.backward = 0
        """Samples that begin before the one before them."""
        self.ahead = 0
        """Samples that claim to be of the future, beyond what windows take."""
        self._steps_ns: deque[int] = deque(maxlen=_KEPT)
        self._ages_ns: deque[int] = deque(maxlen=_KEPT)
        self._came_ns: tuple[int, int] | None = None
        self._taken_ns: tuple[int, int] | None = None
        self._before: Sample | None = None

    def add(self, sample: Sample, now_ns: int | None) -> None:
        if self._before is not None:
            self._steps_ns.extend(_steps(self._before, sample))
            self.backward += sample.t_ns < self._before.t_ns
        elif isinstance(sample.data, ImuBlock):
            self._steps_ns.extend(np.diff(sample.data.t_ns).tolist())
        self._before = sample
        if now_ns is None:
            return
        age_ns = now_ns - _last_ns(sample)
        self._ages_ns.append(age_ns)
        self.ahead += sample.t_ns > now_ns + AHEAD_NS
        first_ns = self._came_ns[0] if self._came_ns else now_ns
        self._came_ns = first_ns, now_ns
        self._taken_ns = (self._taken_ns[0] if self._taken_ns else sample.t_ns), sample.t_ns

    @property
    def here_ns(self) -> int:
        """Between the first arrival and the newest."""
        return self._came_ns[1] - self._came_ns[0] if self._came_ns else 0

    def silent_ns(self, now_ns: int) -> int:
        """How long nothing has come, where that is longer than it should be; else 0."""
        if self._came_ns is None or self._before is None:
            return 0
        silent_ns = now_ns - self._came_ns[1]
        return silent_ns if silent_ns > max(SILENT_NS, 3 * self._before.duration_ns) else 0

    @property
    def jitter_ms(self) -> float | None:
        """How far the stamps of 99 of 100 samples at most are from being evenly spaced.

        Pictures and readings: their distance against the median distance. Sound: the distance of
        a block from the end of the one before.
        """
        if not self._steps_ns:
            return None
        steps = np.array(self._steps_ns)
        return _percentile(np.abs(steps - np.median(steps)), 99)

    @property
    def ages_ms(self) -> tuple[float, float] | None:
        """Half and 99 of 100 samples came at most so long after the last of them was taken."""
        if not self._ages_ns:
            return None
        return _percentile(self._ages_ns, 50), _percentile(self._ages_ns, 99)

    @property
    def fault(self) -> str:
        """What makes the stamps useless; empty if nothing does."""
        if self.ahead:
            far_s = -min(self._ages_ns) / NS_PER_S
            return (
                f"{self.ahead} stamps lie in the future, by up to {far_s:.1f} s: is its clock set?"
            )
        pace = self._pace
        if pace is not None and not PACES[0] <= pace <= PACES[1]:
            return f"its time passes {pace:.3g} times as fast as the clock: is its unit right?"
        return ""

    @property
    def concern(self) -> str:
        """What costs windows; empty if nothing does."""
        if self.backward:
            return f"stamps went back {self.backward} times"
        ages = self.ages_ms
        if ages is not None and ages[0] * 1e6 > LATE_NS:
            return f"comes {ages[0] / 1e3:.1f} s after it was taken: is something buffering?"
        return ""

    @property
    def _pace(self) -> float | None:
        if self._taken_ns is None or self.here_ns < NS_PER_S // 2:
            return None
        return (self._taken_ns[1] - self._taken_ns[0]) / self.here_ns


def _steps(before: Sample, sample: Sample) -> list[int]:
    """Nanoseconds that are the same again and again where a sensor is steady."""
    if isinstance(sample.data, AudioBlock):
        return [sample.t_ns - before.end_ns]
    if isinstance(sample.data, ImuBlock):
        return np.diff(sample.data.t_ns, prepend=_last_ns(before)).tolist()
    return [sample.t_ns - before.t_ns]


def _last_ns(sample: Sample) -> int:
    """When the last of it was taken. A picture is of an instant, whatever it stands for."""
    if isinstance(sample.data, AudioBlock):
        return sample.end_ns
    if isinstance(sample.data, ImuBlock):
        return int(sample.data.t_ns[-1])
    return sample.t_ns


def _percentile(values_ns: Iterable[int], share: int) -> float:
    return round(float(np.percentile(np.fromiter(values_ns, float), share)) / 1e6, 3)
