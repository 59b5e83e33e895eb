"""The engine: sources -> windows -> encoder -> labels, fusion -> sinks.

Consumers are outside and producers inside, so that shutdown is the nesting: the sources stop,
the last windows close, the encoder drains, the sinks close. Live runs drop whole ticks rather
than lag; runs from files block and lose nothing.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from streamer.channels import Account, Closed, Mailbox, Pipe
from streamer.clock import SystemClock
from streamer.encoding import Encoding, Labeler
from streamer.merge import merge
from streamer.metrics import Latencies, Rates, add_counts, memory_mb
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
        self.published: dict[str, int] = {}
        self.latest: dict[str, Embedding] = {}
        self.latencies = {stage: Latencies() for stage in ("wait", "encode", "closed_to_published")}
        self._plan, self._sources, self._sinks = plan, sources, sinks
        self._clock = clock or SystemClock()
        self._encoding = Encoding(
            encoder, labeler, self._clock, plan.weights if plan.fused else None
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
        self._absent: dict[str, dict[str, int]] = {}
        self._sample_rates = Rates(self._clock.now_ns())
        self._embedding_rates = Rates(self._clock.now_ns())

    @property
    def ticks(self) -> Account:
        return self._mailbox.account if self.live else self._pipe.account

    async def run(self, stop: asyncio.Event) -> None:
        """Run until every source has ended or `stop` is set, then drain what is under way."""
        with ThreadPoolExecutor(1, thread_name_prefix="encoder") as device:
            async with asyncio.TaskGroup() as group:
                encode = group.create_task(self._encode_all(device), name="encode")
                health = group.create_task(self._health(), name="health")
                feed = group.create_task(
                    self._feed_live() if self.live else self._feed_files(), name="feed"
                )
                stopper = group.create_task(_cancel_when(stop, feed), name="stop")
                await asyncio.wait([feed])
                stopper.cancel()
                await self._drain()
                await asyncio.wait([encode])
                health.cancel()
        await self._say_health()

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
            patience_ends_ns = 0
            merged = merge(opened)
            async with aclosing(merged):
                async for index, sample in merged:
                    if sample is None:
                        source = self._sources[index]
                        ticks = join.finish([s.name for s in source.streams], clock.now_ns())
                        await self._say("offline", source, "ended")
                    else:
                        ticks = join.push(sample, clock.now_ns(), live=False)
                        if sample.t_ns >= patience_ends_ns:
                            patience_ends_ns = sample.t_ns + self._plan.hop_ns
                            ticks += join.raise_watermark(
                                sample.t_ns - FILE_PATIENCE_NS, clock.now_ns()
                            )
                    for tick in ticks:
                        await self._pipe.put(tick)

    async def _drain(self) -> None:
        rest = self._join.finish(self._join.windowers, self._clock.now_ns())
        if self.live:
            self._offer(rest)
            self._mailbox.close()
        else:
            for tick in rest:
                await self._pipe.put(tick)
            await self._pipe.close()

    # -- consumer ----------------------------------------------------------------------------

    async def _encode_all(self, device: ThreadPoolExecutor) -> None:
        channel = self._mailbox if self.live else self._pipe
        loop = asyncio.get_running_loop()
        while True:
            try:
                ticks = await channel.get()
            except Closed:
                return
            for embedding in await loop.run_in_executor(device, self._encoding.run, ticks):
                await self._publish(embedding)
            for tick in ticks:
                for stream, cause in tick.absent.items():
                    add_counts(self._absent.setdefault(stream, {}), [(cause, 1)])

    async def _publish(self, message: Message) -> None:
        if isinstance(message, Embedding):
            now = self._clock.now_ns()
            ledger = replace(message.ledger, published_ns=now)
            message = replace(message, ledger=ledger)
            self.published[message.stream] = self.published.get(message.stream, 0) + 1
            self.latest[message.stream] = message
            self.latencies["wait"].add(ledger.encode_started_ns - ledger.closed_ns)
            self.latencies["encode"].add(ledger.encoded_ns - ledger.encode_started_ns)
            self.latencies["closed_to_published"].add(now - ledger.closed_ns)
        for sink in self._sinks:
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
        newest = {name: windower.newest_end_ns for name, windower in windowers.items()}
        ages = {name: round((now - t) / 1e6, 1) for name, t in newest.items() if t is not None}
        return self.report() | {
            "samples_hz": self._sample_rates.since_last(taken, now),
            "embeddings_hz": self._embedding_rates.since_last(self.published, now),
            # The clock of a file is not this one.
            "ages_ms": ages if self.live else {},
            "memory_mb": memory_mb(),
            "sinks": [sink.report() for sink in self._sinks],
        }

    def report(self) -> dict[str, Any]:
        """JSON-ready counts, latencies and losses by cause."""
        return {
            "streams": {
                name: {
                    "samples": windower.account.report(),
                    "backward": windower.backward,
                    "absent": dict(self._absent.get(name, {})),
                    "embeddings": self.published.get(name, 0),
                }
                for name, windower in self._join.windowers.items()
            },
            "fused": self.published.get("fused", 0),
            "ticks": self.ticks.report(),
            "latency": {stage: latest.report() for stage, latest in self.latencies.items()},
        }


async def _cancel_when(stop: asyncio.Event, task: asyncio.Task[None]) -> None:
    await stop.wait()
    task.cancel()
