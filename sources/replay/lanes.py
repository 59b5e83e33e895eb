"""From what messages say to samples of one stream, each sort of data in its own way. Pure.

Stamps that repeat or go back are passed on: the windows decide. They are counted in `problems`.
"""

from collections import Counter, deque
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from sources.inertial import BLOCK_NS, Cutter
from sources.replay.messages.sound import Sound
from sources.sixaxes import Axes, SixAxes
from streamer.types import FILE_CLOCK, NS_PER_S, AudioBlock, Deferred, ImuBlock, Modality, Sample

_STEPS = 31
_LONE_NS = NS_PER_S // 10
"""How long a picture stands that is the only one."""
_TOUCH_NS = NS_PER_S // 10
"""Stamps of sound may jitter by this; more is a hole, or a clock that was set."""
_WAITING = 2000


class Lane(Protocol):
    def flush(self) -> Sequence[Sample]:
        """What still waits, at the end of the log."""
        ...


class _Steps:
    """The median of the last steps between stamps; remembers oddities."""

    def __init__(self, problems: Counter[str], stream: str) -> None:
        self._problems, self._stream = problems, stream
        self._steps: deque[int] = deque(maxlen=_STEPS)
        self._last_ns: int | None = None

    def take(self, t_ns: int) -> None:
        step = None if self._last_ns is None else t_ns - self._last_ns
        self._last_ns = t_ns
        if step is None:
            return
        if step > 0:
            self._steps.append(step)
        else:
            what = "repeats" if step == 0 else "goes back"
            self._problems[f"{self._stream}: a stamp that {what}"] += 1

    @property
    def median_ns(self) -> int | None:
        return sorted(self._steps)[len(self._steps) // 2] if self._steps else None


class PictureLane:
    """A picture stands for the median step of the stream; the first waits for the second to tell.

    With a `rate_hz` it stands for one period of it.
    """

    def __init__(
        self, stream: str, modality: Modality, rate_hz: float | None, problems: Counter[str]
    ) -> None:
        self._stream = stream
        self._modality: Modality = modality
        self._period_ns = round(NS_PER_S / rate_hz) if rate_hz else None
        self._steps = _Steps(problems, stream)
        self._held: tuple[int, Deferred] | None = None

    def take(self, t_ns: int, picture: Deferred) -> list[Sample]:
        self._steps.take(t_ns)
        if self._period_ns or self._steps.median_ns:
            return [*self.flush(), self._sample(t_ns, picture)]
        before = self.flush()
        self._held = t_ns, picture
        return before

    def flush(self) -> list[Sample]:
        if self._held is None:
            return []
        (t_ns, picture), self._held = self._held, None
        return [self._sample(t_ns, picture)]

    def _sample(self, t_ns: int, picture: Deferred) -> Sample:
        stands_ns = self._period_ns or self._steps.median_ns or _LONE_NS
        return Sample(self._stream, self._modality, t_ns, stands_ns, picture, FILE_CLOCK)


class SoundLane:
    """Blocks that tile: the first stamp and the number of samples say when each was heard."""

    def __init__(self, stream: str, problems: Counter[str]) -> None:
        self._stream, self._problems = stream, problems
        self._anchor_ns: int | None = None
        self._rate_hz = 0
        self._heard = 0

    def take(self, t_ns: int, sound: Sound) -> list[Sample]:
        """`t_ns`: the start of the block, as its message has it."""
        if not len(sound.samples):
            return []
        expected_ns = self._at(self._heard)
        if expected_ns is None or sound.rate_hz != self._rate_hz:
            self._restart(t_ns, sound.rate_hz)
        elif abs(t_ns - expected_ns) > _TOUCH_NS:
            self._problems[f"{self._stream}: sound that does not follow on"] += 1
            self._restart(t_ns, sound.rate_hz)
        start_ns = self._at(self._heard) or 0
        self._heard += len(sound.samples)
        length_ns = (self._at(self._heard) or 0) - start_ns
        block = AudioBlock(sound.samples, sound.rate_hz)
        return [Sample(self._stream, "audio", start_ns, length_ns, block, FILE_CLOCK)]

    def flush(self) -> list[Sample]:
        return []

    def _restart(self, t_ns: int, rate_hz: int) -> None:
        self._anchor_ns, self._rate_hz, self._heard = t_ns, rate_hz, 0

    def _at(self, samples: int) -> int | None:
        if self._anchor_ns is None:
            return None
        return self._anchor_ns + samples * NS_PER_S // self._rate_hz


class MotionLane:
    """Readings of six axes, in blocks of about 100 ms."""

    def __init__(self, stream: str, problems: Counter[str]) -> None:
        self._cutter = Cutter(stream)
        self._steps = _Steps(problems, stream)
        self._t_ns: list[int] = []
        self._values: list[Axes] = []
        self._rates: list[Axes] = []

    def take(self, t_ns: int, acceleration: Axes, rate: Axes) -> list[Sample]:
        """m/s^2 and rad/s."""
        self._steps.take(t_ns)
        self._t_ns.append(t_ns)
        self._values.append(acceleration)
        self._rates.append(rate)
        if 0 <= t_ns - self._t_ns[0] < BLOCK_NS and len(self._t_ns) < _WAITING:
            return []
        return self._cut()

    def flush(self) -> list[Sample]:
        return [*self._cut(), *self._cutter.flush(self._steps.median_ns)]

    def _cut(self) -> list[Sample]:
        if not self._t_ns:
            return []
        values = np.concatenate([self._values, self._rates], axis=1).astype(np.float32)
        block = ImuBlock(np.array(self._t_ns, np.int64), values)
        self._t_ns, self._values, self._rates = [], [], []
        return list(self._cutter.push(block, self._steps.median_ns))


class JoinedLane:
    """A gyroscope and an accelerometer with topics of their own, joined at the gyro's stamps."""

    def __init__(self, stream: str, problems: Counter[str]) -> None:
        self._stream, self._problems = stream, problems
        self._joined = SixAxes(_WAITING, ties=False)
        self._motion = MotionLane(stream, problems)

    def gyro(self, t_ns: int, rate: Axes) -> list[Sample]:
        ready = self._joined.gyro(t_ns, t_ns, rate)
        return [s for r in ready for s in self._motion.take(r.host_ns, r.acceleration, r.rate)]

    def accel(self, t_ns: int, acceleration: Axes) -> list[Sample]:
        ready = self._joined.accel(t_ns, acceleration)
        return [s for r in ready for s in self._motion.take(r.host_ns, r.acceleration, r.rate)]

    def flush(self) -> list[Sample]:
        self._joined.end()
        for cause, count in self._joined.lost.items():
            self._problems[f"{self._stream}: {cause} readings"] += count
        return self._motion.flush()
