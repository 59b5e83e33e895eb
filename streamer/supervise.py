"""Keeps a live source running: reopens it when it is lost, with jittered backoff and a budget."""

import logging
import random
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from streamer.errors import SourceLost
from streamer.protocols import Clock, Source
from streamer.types import NS_PER_S, Modality, Sample, SourceState, SourceStatus, StreamInfo, Truth

log = logging.getLogger(__name__)


class Backoff:
    """When to try again. Pure: the caller brings the time and the chance.

    The delay doubles from `first_s` to `cap_s`, each shortened by up to half at random so that
    several sources on one hub do not come back together. More than `budget` losses within
    `period_s` spend the budget: then one try every `spent_s`, until one works.
    """

    def __init__(
        self,
        first_s: float = 0.25,
        cap_s: float = 5.0,
        budget: int = 5,
        period_s: float = 60.0,
        spent_s: float = 30.0,
    ) -> None:
        self._first_s, self._cap_s = first_s, cap_s
        self._budget, self._period_s, self._spent_s = budget, period_s, spent_s
        self._losses: deque[int] = deque(maxlen=budget + 1)
        self._in_a_row = 0
        self._spent = False

    def lost(self, now_ns: int, chance: float) -> float:
        """Note a loss; return the seconds to wait before the next try. `chance` is in 0..1."""
        self._losses.append(now_ns)
        recent = [t for t in self._losses if now_ns - t < self._period_s * NS_PER_S]
        self._spent = len(recent) > self._budget or (self._spent and self._in_a_row > 0)
        # Bounded, because a device can be away for weeks and powers of two grow fast.
        doublings = min(self._in_a_row, 16)
        self._in_a_row += 1
        if self._spent:
            return self._spent_s
        delay = min(self._cap_s, self._first_s * 2**doublings)
        return delay * (1 - chance / 2)

    def worked(self) -> None:
        """A sample came: the next loss starts again from the first delay."""
        self._in_a_row = 0


Report = Callable[[SourceStatus], Awaitable[None]]


async def supervised(
    source: Source, clock: Clock, report: Report, *, backoff: Backoff | None = None
) -> AsyncGenerator[Sample | Truth, None]:
    """What `source` yields, reopened when it is lost, until it ends by itself.

    A source that ends without an error (a file) is not reopened. States go to `report` when they
    change. Close the iterator (`contextlib.aclosing`) to stop it.
    """
    backoff = backoff or Backoff()
    restarts = 0
    states = _States(source.streams, clock, report)
    while True:
        try:
            async with source.open(clock) as samples:
                async for sample in samples:
                    if isinstance(sample, Truth):
                        # Says nothing about a sensor.
                        yield sample
                        continue
                    if states.unseen:
                        await states.seen(sample, restarts)
                        backoff.worked()
                    states.last_ns[sample.stream] = sample.t_ns
                    yield sample
        except SourceLost as error:
            if not source.live:
                raise  # a file that cannot be read will not become readable
            delay_s = backoff.lost(clock.now_ns(), random.random())  # noqa: S311 - jitter
            if await states.all("offline", str(error), restarts):
                log.warning("source lost, will be reopened: %s", error)
            restarts += 1
            await clock.sleep_until(clock.now_ns() + int(delay_s * NS_PER_S))
        else:
            await states.all("offline", "ended", restarts)
            return


class _States:
    """What was last said of each stream of one source."""

    def __init__(self, streams: Sequence[StreamInfo], clock: Clock, report: Report) -> None:
        self._modality: dict[str, Modality] = {s.name: s.modality for s in streams}
        self._clock, self._report = clock, report
        self._lost_before = False
        self.unseen = set(self._modality)
        self.last_ns = dict.fromkeys(self._modality, 0)

    async def seen(self, sample: Sample, restarts: int) -> None:
        if sample.stream not in self.unseen:
            return
        self.unseen.discard(sample.stream)
        self.last_ns[sample.stream] = sample.t_ns
        if self._lost_before:
            self._lost_before = False
            log.warning("source back: stream %s after %d restarts", sample.stream, restarts)
        await self._say(sample.stream, "online", "", restarts)

    async def all(self, state: SourceState, why: str, restarts: int) -> bool:
        """Say this of every stream. False if nothing was heard since it was said last."""
        news = not self._lost_before or self.unseen != set(self._modality)
        self._lost_before = True
        self.unseen = set(self._modality)
        if news:
            for stream in self._modality:
                await self._say(stream, state, why, restarts)
        return news

    async def _say(self, stream: str, state: SourceState, why: str, restarts: int) -> None:
        await self._report(
            SourceStatus(
                stream=stream,
                modality=self._modality[stream],
                state=state,
                why=why,
                since_ns=self._clock.now_ns(),
                last_capture_ns=self.last_ns[stream],
                restarts=restarts,
            )
        )
