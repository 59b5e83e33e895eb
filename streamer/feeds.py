"""From sources to ticks: live, where newest wins, and from files, where nothing is lost."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing

from streamer.channels import Account, Mailbox, Pipe
from streamer.clock import ReplayClock
from streamer.events import Arrived, Ended, Event, Passed
from streamer.merge import merge
from streamer.plan import Plan
from streamer.protocols import Clock, Source, Tap
from streamer.supervise import Ledgers, supervised
from streamer.ticks import TickJoin
from streamer.types import Condition, Sample, SourceState, SourceStatus, Tick, Truth

Report = Callable[[SourceStatus | Truth], Awaitable[None]]

BATCH_TICKS = 4
"""The most ticks encoded together in a live run. Several close at once when a stream falls
silent; more than this is a machine that was asleep, and only the newest are worth having."""


class LiveFeed:
    """Devices side by side, each supervised; whole ticks are dropped rather than lag."""

    def __init__(
        self,
        sources: Sequence[Source],
        join: TickJoin,
        plan: Plan,
        clock: Clock,
        report: Report,
        taps: Sequence[Tap] = (),
    ) -> None:
        self.channel: Mailbox[Tick] = Mailbox(BATCH_TICKS)
        self._sources, self._join, self._plan = sources, join, plan
        self._clock, self._report, self._taps = clock, report, taps
        self._ledgers = {source.streams[0].name: Ledgers() for source in sources}

    @property
    def made(self) -> dict[str, Account]:
        """What the devices made and what became of it on the way here, of streams that count."""
        return {
            stream: account
            for ledgers in self._ledgers.values()
            for stream, account in ledgers.totals.items()
        }

    async def run(self) -> None:
        """Until every source has ended; devices do not, so until cancelled."""
        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(self._advance(), name="advance")
            feeds = [
                group.create_task(self._feed(source), name=f"source {source.streams[0].name}")
                for source in self._sources
            ]
            await asyncio.wait(feeds)
            ticker.cancel()

    async def drain(self) -> None:
        """The sources have stopped: close the last windows."""
        self.channel.append(self._take(Ended(self._clock.now_ns(), tuple(self._join.windowers))))
        self.channel.close()

    async def _feed(self, source: Source) -> None:
        names = [info.name for info in source.streams]
        samples = supervised(source, self._clock, self._report, ledgers=self._ledgers[names[0]])
        async with aclosing(samples):
            async for sample in samples:
                if isinstance(sample, Truth):
                    await self._report(sample)
                    continue
                # Inline on purpose: a hop to another task per small block costs real time.
                self._offer(self._take(Arrived(self._clock.now_ns(), sample)))
        self._offer(self._take(Ended(self._clock.now_ns(), tuple(names))))

    async def _advance(self) -> None:
        """Let silence pass the time. A tenth of a hop is finer than anybody can notice."""
        while True:
            now = self._clock.now_ns()
            self._offer(self._take(Passed(now)))
            await self._clock.sleep_until(now + self._plan.hop_ns // 10)

    def _take(self, event: Event) -> list[Tick]:
        ticks = self._join.take(event)
        for tap in self._taps:
            tap.heard(event, ticks)
        return ticks

    def _offer(self, ticks: Sequence[Tick]) -> None:
        if ticks:
            for displaced in self.channel.put(ticks):
                self._join.lost(displaced, "overload")


class FileFeed:
    """Files and logs merged by time; the channel makes them wait for the encoder."""

    def __init__(
        self,
        sources: Sequence[Source],
        join: TickJoin,
        plan: Plan,
        clock: Clock,
        report: Report,
        taps: Sequence[Tap] = (),
    ) -> None:
        del plan  # the join knows all of it that matters here
        self.channel: Pipe[Tick] = Pipe(capacity=1)
        self._sources, self._join = sources, join
        self._clock, self._report, self._taps = clock, report, taps
        self._closed: deque[Tick] = deque()

    async def run(self) -> None:
        """Until every file has been read. Raises `SourceLost`."""
        async with AsyncExitStack() as stack:
            opened: list[AsyncIterator[Sample | Truth | Condition | Event]] = []
            for source in self._sources:
                opened.append(await stack.enter_async_context(source.open(self._clock)))
                await say(self._report, source, "online", "", self._clock)
            merged = merge(opened)
            async with aclosing(merged):
                async for index, item in merged:
                    if item is None:
                        source = self._sources[index]
                        names = tuple(info.name for info in source.streams)
                        await self._take(Ended(self._clock.now_ns(), names))
                        await say(self._report, source, "offline", "ended", self._clock)
                    elif isinstance(item, Truth):
                        await self._report(item)
                    elif isinstance(item, Sample):
                        await self._reach(item.t_ns)
                        await self._take(Arrived(self._clock.now_ns(), item, live=False))
                    else:
                        await self._reach(item.now_ns)
                        await self._take(item)

    async def _reach(self, t_ns: int) -> None:
        """Behind the merge: one clock paces all that is replayed together."""
        if isinstance(self._clock, ReplayClock):
            await self._clock.reach(t_ns)

    async def drain(self) -> None:
        """The sources have stopped: close the last windows. Cancelled, it counts what is left."""
        try:
            await self._take(Ended(self._clock.now_ns(), tuple(self._join.windowers)))
        finally:
            if self._closed:
                self.channel.account.produced += len(self._closed)
                self.channel.account.drop("stopped", len(self._closed))
                self._closed.clear()
        await self.channel.close()

    async def _take(self, event: Event) -> None:
        """Hand closed ticks on. One that is waiting when the run is stopped stays in the list."""
        for tap in self._taps:
            await tap.room()
        ticks = self._join.take(event)
        self._closed += ticks
        for tap in self._taps:
            tap.heard(event, ticks)
        while self._closed:
            await self.channel.put(self._closed[0])
            self._closed.popleft()


async def say(report: Report, source: Source, state: SourceState, why: str, clock: Clock) -> None:
    """Report one state for all streams of a source."""
    for info in source.streams:
        await report(SourceStatus(info.name, info.modality, state, why, clock.now_ns()))
