"""The engine: sources -> windows -> encoder -> labels, fusion -> sinks.

Consumers are outside and producers inside, so that shutdown is the nesting: the sources stop,
the last windows close, the encoder drains, the sinks close. Live runs drop whole ticks rather
than lag; runs from files block and lose nothing.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from streamer.channels import Account, Closed, Mailbox, Pipe
from streamer.clock import SystemClock
from streamer.encoding import Encoding, Labeler
from streamer.merge import merge
from streamer.metrics import Latencies, Rates, memory_mb
from streamer.protocols import Clock, OpenEncoder, OpenSink, Source
from streamer.supervise import supervised
from streamer.ticks import TickJoin
from streamer.types import (
    NS_PER_S,
    Embedding,
    Health,
    Message,
    Sample,
    SourceState,
    SourceStatus,
    Tick,
)
from streamer.windows import WindowSpec

log = logging.getLogger(__name__)

FILE_PATIENCE_NS = 10 * NS_PER_S
"""How far, in event time, a stream of a file run may fall behind the others before they stop
waiting for it: more than containers interleave, and the bound of what is held meanwhile."""

BATCH_TICKS = 4
"""The most ticks encoded together in a live run. Several close at once when a stream falls
silent; more than this is a machine that was asleep, and only the newest are worth having."""

DRAIN_S = 20.0
"""How long a stopped run waits for an encoder or a sink that makes no progress."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does, all times in nanoseconds. `lengths_ns` and `weights` are by modality."""

    hop_ns: int
    lengths_ns: Mapping[str, int]
    lateness_ns: int
    idle_ns: int
    min_coverage: float
    weights: Mapping[str, float] = field(default_factory=dict[str, float])
    fused: bool = True
    fused_labels: bool = True
    """False where modalities are scored against different label sets, which have no sum."""
    health_ns: int = 5 * NS_PER_S


class Pipeline:
    """One run. `report()` may be asked for at any time; the counts always add up."""

    def __init__(
        self,
        plan: Plan,
        sources: Sequence[Source],
        encoder: OpenEncoder,
        sinks: Sequence[OpenSink],
        *,
        labeler: Labeler | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.live = any(source.live for source in sources)
        self.embeddings = Account()
        """Delivered means given to every sink; what became of it there, the sinks tell."""
        self.published: dict[str, int] = {}
        self.latest: dict[str, Embedding] = {}
        self.latencies = {stage: Latencies() for stage in ("wait", "encode", "closed_to_published")}
        self._plan, self._sources, self.sinks = plan, sources, sinks
        self._clock = clock or SystemClock()
        self._encoding = Encoding(
            encoder,
            labeler,
            self._clock,
            plan.weights if plan.fused else None,
            fused_labels=plan.fused_labels,
        )
        self._join = TickJoin(
            [
                WindowSpec(
                    info.name,
                    info.modality,
                    plan.lengths_ns[info.modality],
                    plan.hop_ns,
                    plan.lateness_ns,
                )
                for source in sources
                for info in source.streams
            ],
            plan.min_coverage,
            plan.idle_ns,
        )
        self._mailbox: Mailbox[Tick] = Mailbox(BATCH_TICKS)
        self._pipe: Pipe[Tick] = Pipe(capacity=1)
        self._closed: deque[Tick] = deque()
        self._ended: set[str] = set()
        self._sample_rates = Rates(self._clock.now_ns())
        self._embedding_rates = Rates(self._clock.now_ns())

    @property
    def ticks(self) -> Account:
        return self._mailbox.account if self.live else self._pipe.account

    async def run(self, stop: asyncio.Event) -> None:
        """Run until every source has ended or `stop` is set, then drain what is under way.

        After `stop`, a sink or an encoder that makes no progress for `DRAIN_S` is not waited for;
        what it held is dropped as `stopped`.
        """
        device = ThreadPoolExecutor(1, thread_name_prefix="encoder")
        idle = False
        try:
            async with asyncio.TaskGroup() as group:
                encode = group.create_task(self._encode_all(device), name="encode")
                health = group.create_task(self._health(), name="health")
                feed = group.create_task(
                    self._feed_live() if self.live else self._feed_files(), name="feed"
                )
                stopped = group.create_task(stop.wait(), name="stop")
                await asyncio.wait([feed, stopped], return_when=asyncio.FIRST_COMPLETED)
                feed.cancel()
                await asyncio.wait([feed])
                drain = group.create_task(self._drain(), name="drain")
                await self._finish([drain, encode], stopped)
                health.cancel()
                stopped.cancel()
                idle = not encode.cancelled()
        finally:
            # A device that is still busy is not waited for: that would block the event loop, and
            # with it the signal that ends the program at once.
            device.shutdown(wait=idle, cancel_futures=True)

    async def _finish(
        self, tasks: Sequence[asyncio.Task[None]], stopped: asyncio.Task[Literal[True]]
    ) -> None:
        """Wait for `tasks`: for ever, unless the run is asked to stop and nothing moves."""
        waiting = set(tasks)
        while waiting and not stopped.done():
            await asyncio.wait({*waiting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            waiting = {task for task in waiting if not task.done()}
        moved = -1
        while waiting and moved != self._moved:
            moved = self._moved
            _, waiting = await asyncio.wait(waiting, timeout=DRAIN_S)
        if waiting:
            log.warning("stopping: nothing moved for %g s, what is under way is dropped", DRAIN_S)
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)

    # -- producers ---------------------------------------------------------------------------

    async def _feed_live(self) -> None:
        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(self._advance(), name="advance")
            feeds = [
                group.create_task(self._feed(source), name=f"source {source.streams[0].name}")
                for source in self._sources
            ]
            await asyncio.wait(feeds)
            ticker.cancel()

    async def _feed(self, source: Source) -> None:
        names = [info.name for info in source.streams]
        samples = supervised(source, self._clock, self._publish)
        async with aclosing(samples):
            async for sample in samples:
                # Inline on purpose: a hop to another task per small block costs real time.
                self._offer(self._join.push(sample, self._clock.now_ns()))
        self._offer(self._join.finish(names, self._clock.now_ns()))

    async def _advance(self) -> None:
        """Let silence pass the time. A tenth of a hop is finer than anybody can notice."""
        while True:
            now = self._clock.now_ns()
            self._offer(self._join.advance(now))
            await self._clock.sleep_until(now + self._plan.hop_ns // 10)

    def _offer(self, ticks: Sequence[Tick]) -> None:
        if ticks:
            for displaced in self._mailbox.put(ticks):
                self._join.lost(displaced, "overload")

    async def _feed_files(self) -> None:
        join, clock = self._join, self._clock
        async with AsyncExitStack() as stack:
            opened: list[AsyncIterator[Sample]] = []
            for source in self._sources:
                opened.append(await stack.enter_async_context(source.open(clock)))
                await self._say("online", source)
            patience_ends_ns = -(2**63)
            merged = merge(opened)
            async with aclosing(merged):
                async for index, sample in merged:
                    if sample is None:
                        source = self._sources[index]
                        ticks = join.finish([s.name for s in source.streams], clock.now_ns())
                        await self._say("offline", source, "ended")
                    else:
                        ticks = join.push(sample, clock.now_ns(), live=False)
                        # Not the sample's own stamp, which may be a leap that is not believed.
                        reached = join.windowers[sample.stream].seen_until_ns
                        if reached is not None and reached >= patience_ends_ns:
                            patience_ends_ns = reached + self._plan.hop_ns
                            ticks += join.raise_watermark(
                                reached - FILE_PATIENCE_NS, clock.now_ns()
                            )
                    self._closed += ticks
                    await self._put_closed()

    async def _put_closed(self) -> None:
        """Hand closed ticks on. One that is waiting when the run is stopped stays in the list."""
        while self._closed:
            await self._pipe.put(self._closed[0])
            self._closed.popleft()

    async def _drain(self) -> None:
        """Close the last windows; what the sources gave is encoded before the run ends."""
        for source in self._sources:
            if source.streams[0].name not in self._ended:
                await self._say("offline", source, "stopped")
        rest = self._join.finish(self._join.windowers, self._clock.now_ns())
        if self.live:
            self._mailbox.append(rest)
            self._mailbox.close()
        else:
            self._closed += rest
            await self._put_closed()
            await self._pipe.close()

    # -- consumer ----------------------------------------------------------------------------

    async def _encode_all(self, device: ThreadPoolExecutor) -> None:
        channel = self._mailbox if self.live else self._pipe
        loop = asyncio.get_running_loop()
        try:
            while True:
                ticks = await channel.get()
                # Shielded: a thread cannot be cancelled, and its result is not to be lost track of.
                embeddings = await asyncio.shield(
                    loop.run_in_executor(device, self._encoding.run, ticks)
                )
                self._measure(embeddings)
                self.embeddings.produced += len(embeddings)
                for embedding in embeddings:
                    await self._publish(embedding)
                    self.embeddings.delivered += 1
        except Closed:
            await self._say_health()
        finally:
            channel.discard("stopped")
            if self.embeddings.pending:
                self.embeddings.drop("stopped", self.embeddings.pending)

    def _measure(self, embeddings: Sequence[Embedding]) -> None:
        """How long the stages took, once a tick."""
        for ledger in {e.span.end_ns: e.ledger for e in embeddings}.values():
            self.latencies["wait"].add(ledger.encode_started_ns - ledger.closed_ns)
            self.latencies["encode"].add(ledger.encoded_ns - ledger.encode_started_ns)

    @property
    def _moved(self) -> int:
        """Grows with whatever gets done."""
        return self.embeddings.produced + self.embeddings.delivered + self.ticks.delivered

    async def _publish(self, message: Message) -> None:
        if isinstance(message, Embedding):
            now = self._clock.now_ns()
            ledger = replace(message.ledger, published_ns=now)
            message = replace(message, ledger=ledger)
            self.published[message.stream] = self.published.get(message.stream, 0) + 1
            self.latest[message.stream] = message
            self.latencies["closed_to_published"].add(now - ledger.closed_ns)
        elif isinstance(message, SourceStatus) and message.why == "ended":
            self._ended.add(message.stream)
        for sink in self.sinks:
            await sink.publish(message)

    # -- what is said about the run ----------------------------------------------------------

    async def _say(self, state: SourceState, source: Source, why: str = "") -> None:
        for info in source.streams:
            await self._publish(
                SourceStatus(info.name, info.modality, state, why, self._clock.now_ns())
            )

    async def _health(self) -> None:
        while True:
            await self._clock.sleep_until(self._clock.now_ns() + self._plan.health_ns)
            await self._say_health()

    async def _say_health(self) -> None:
        await self._publish(Health(self._clock.now_ns(), self._health_report()))

    def _health_report(self) -> dict[str, Any]:
        """The report, and what only makes sense while it runs: rates, ages, memory, sinks."""
        now = self._clock.now_ns()
        windowers = self._join.windowers
        taken = {name: windower.account.delivered for name, windower in windowers.items()}
        newest = {name: windower.seen_until_ns for name, windower in windowers.items()}
        ages = {name: round((now - t) / 1e6, 1) for name, t in newest.items() if t is not None}
        return self.report() | {
            "samples_hz": self._sample_rates.since_last(taken, now),
            "embeddings_hz": self._embedding_rates.since_last(self.published, now),
            # The clock of a file is not this one.
            "ages_ms": ages if self.live else {},
            "memory_mb": memory_mb(),
            "sinks": [sink.report() for sink in self.sinks],
        }

    def report(self) -> dict[str, Any]:
        """JSON-ready counts, latencies and losses by cause."""
        return {
            "streams": {
                name: {
                    "samples": windower.account.report(),
                    "backward": windower.backward,
                    "absent": dict(self._join.absent[name]),
                    "embeddings": self.published.get(name, 0),
                }
                for name, windower in self._join.windowers.items()
            },
            "fused": self.published.get("fused", 0),
            "embeddings": self.embeddings.report(),
            "ticks": self.ticks.report(),
            "latency": {stage: latest.report() for stage, latest in self.latencies.items()},
        }
