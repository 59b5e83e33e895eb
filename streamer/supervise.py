"""Keeps a live source running: reopens it when it is lost, with jittered backoff and a budget."""

import logging
import random
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from streamer.channels import Account
from streamer.errors import SourceLost, SourceStalled
from streamer.protocols import Clock, Source
from streamer.types import (
    NS_PER_S,
    Condition,
    Counts,
    Modality,
    Sample,
    SourceState,
    SourceStatus,
    StreamInfo,
    Truth,
)

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
        cap_s: float = 3.0,
        budget: int = 12,
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


@runtime_checkable
class Accounted(Protocol):
    """An open source that counts what its device made, by stream."""

    @property
    def accounts(self) -> Mapping[str, Account]: ...


class Ledgers:
    """What the devices of a source made and what became of it, over all its openings.

    Streams whose source does not count are not in it.
    """

    def __init__(self) -> None:
        self._before: dict[str, Account] = {}
        self._open: Mapping[str, Account] = {}

    def begin(self, samples: object) -> None:
        self._open = samples.accounts if isinstance(samples, Accounted) else {}

    def end(self) -> None:
        """The source was closed; what it counted is kept."""
        for stream, account in self._open.items():
            self._before.setdefault(stream, Account()).add(account)
        self._open = {}

    @property
    def totals(self) -> dict[str, Account]:
        totals = {stream: Account() for stream in {**self._before, **self._open}}
        for accounts in (self._before, self._open):
            for stream, account in accounts.items():
                totals[stream].add(account)
        return totals

    def dropped(self, stream: str) -> Counts:
        total = self.totals.get(stream)
        return total.dropped if total else {}


DROPS_NS = 5 * NS_PER_S
"""New drops are told with the next state, or after this long."""


async def supervised(
    source: Source,
    clock: Clock,
    report: Report,
    *,
    backoff: Backoff | None = None,
    ledgers: Ledgers | None = None,
) -> AsyncGenerator[Sample | Truth, None]:
    """What `source` yields, reopened when it is lost, until it ends by itself.

    A source that ends without an error (a file) is not reopened. States go to `report` when they
    change, and drops some time after. Close the iterator (`contextlib.aclosing`) to stop it.
    """
    backoff = backoff or Backoff()
    ledgers = ledgers or Ledgers()
    restarts = 0
    states = _States(source.streams, clock, report, ledgers)
    while True:
        try:
            async with source.open(clock) as samples:
                ledgers.begin(samples)
                try:
                    async for item in samples:
                        if isinstance(item, Sample):
                            if states.unseen:
                                await states.seen(item, restarts)
                                backoff.worked()
                            states.last_ns[item.stream] = item.t_ns
                            await states.tell_drops(restarts)
                            yield item
                        elif isinstance(item, Truth):
                            # Says nothing about a sensor.
                            yield item
                        elif isinstance(item, Condition):
                            await states.changed(item, restarts)
                except SourceLost as error:
                    # Told before the device is closed, which takes a while when it hangs.
                    await states.lost(error, restarts)
                    raise
        except SourceLost as error:
            if not source.live:
                raise  # a file that cannot be read will not become readable
            delay_s = backoff.lost(clock.now_ns(), random.random())  # noqa: S311 - jitter
            await states.lost(error, restarts)
            restarts += 1
            await clock.sleep_until(clock.now_ns() + int(delay_s * NS_PER_S))
        else:
            await states.all("offline", "ended", restarts)
            return
        finally:
            ledgers.end()


class _States:
    """What was last said of each stream of one source."""

    def __init__(
        self, streams: Sequence[StreamInfo], clock: Clock, report: Report, ledgers: Ledgers
    ) -> None:
        self._modality: dict[str, Modality] = {s.name: s.modality for s in streams}
        self._clock, self._report, self._ledgers = clock, report, ledgers
        self._lost_before = False
        self._said: dict[str, SourceStatus] = {}
        self._looked_ns = clock.now_ns()
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

    async def changed(self, condition: Condition, restarts: int) -> None:
        # Online for a reason is a remark of a source that was never away.
        remark = condition.state == "online" and condition.why
        level = logging.INFO if remark else logging.WARNING
        log.log(level, "stream %s is %s %s", condition.stream, condition.state, condition.why)
        await self._say(condition.stream, condition.state, condition.why, restarts)

    async def tell_drops(self, restarts: int) -> None:
        """Say again what was said, where drops have been added since."""
        now_ns = self._clock.now_ns()
        if now_ns - self._looked_ns < DROPS_NS:
            return
        self._looked_ns = now_ns
        for stream, said in list(self._said.items()):
            if self._ledgers.dropped(stream) != said.dropped:
                await self._say(stream, said.state, said.why, restarts)

    async def lost(self, error: SourceLost, restarts: int) -> None:
        state: SourceState = "stalled" if isinstance(error, SourceStalled) else "offline"
        why = str(error)
        if not why.startswith(tuple(f"{stream}: " for stream in self._modality)):
            # What was raised far from the configuration knows a device, and not whose it is.
            why = f"{next(iter(self._modality))}: {why}"
        if await self.all(state, why, restarts):
            log.warning("source lost, will be reopened: %s", why)

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
        status = SourceStatus(
            stream=stream,
            modality=self._modality[stream],
            state=state,
            why=why,
            since_ns=self._clock.now_ns(),
            last_capture_ns=self.last_ns[stream],
            restarts=restarts,
            dropped=self._ledgers.dropped(stream),
        )
        self._said[stream] = status
        await self._report(status)
