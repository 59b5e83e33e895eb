"""The engine: sources -> windows -> encoder -> labels, fusion -> sinks.

Consumers are outside and producers inside, so that shutdown is the nesting: the sources stop,
the last windows close, the encoder drains, the sinks close. Live runs drop whole ticks rather
than lag; runs from files block and lose nothing.
"""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Literal

from streamer.channels import Account, Closed
from streamer.clock import ReplayClock, SystemClock, monotonic_ns
from streamer.encoding import Encoding, Labeler
from streamer.feeds import FileFeed, LiveFeed, say
from streamer.metrics import Latencies, Rates, memory_mb
from streamer.plan import Plan
from streamer.protocols import Clock, OpenEncoder, OpenSink, Source, Tap
from streamer.states import SourceStates
from streamer.ticks import make_join
from streamer.types import (
    Embedding,
    Health,
    Message,
    SourceStatus,
    Truth,
)

log = logging.getLogger(__name__)


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
        taps: Sequence[Tap] = (),
    ) -> None:
        self.live = any(source.live for source in sources)
        self.embeddings = Account()
        """Delivered means given to every sink; what became of it there, the sinks tell."""
        self.truths = Account()
        """What sources said there is to perceive; delivered means the same."""
        self.states = SourceStates(i.name for source in sources for i in source.streams)
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
        self._join = make_join((i for source in sources for i in source.streams), plan)
        kind = LiveFeed if self.live else FileFeed
        self._feed = kind(sources, self._join, plan, self._clock, self._say, taps)
        self._ended: set[str] = set()
        self._sample_rates = Rates(self._clock.now_ns())
        self._embedding_rates = Rates(self._clock.now_ns())

    @property
    def ticks(self) -> Account:
        return self._feed.channel.account

    async def run(self, stop: asyncio.Event) -> None:
        """Run until every source has ended or `stop` is set, then drain what is under way.

        After `stop`, a sink or an encoder that makes no progress for `drain_s` is not waited for;
        what it held is dropped as `stopped`.
        """
        device = ThreadPoolExecutor(1, thread_name_prefix="encoder")
        idle = False
        try:
            async with asyncio.TaskGroup() as group:
                encode = group.create_task(self._encode_all(device), name="encode")
                health = group.create_task(self._health(), name="health")
                feed = group.create_task(self._feed.run(), name="feed")
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
            _, waiting = await asyncio.wait(waiting, timeout=self._plan.drain_s)
        if waiting:
            log.warning(
                "stopping: nothing moved for %g s, what is under way is dropped", self._plan.drain_s
            )
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)

    async def _drain(self) -> None:
        """What the sources gave is encoded before the run ends."""
        await self._feed.drain()
        for source in self._sources:
            if source.streams[0].name not in self._ended:
                # Past `_say`: the report tells how the sources were until then.
                await say(self._publish, source, "offline", "stopped", self._clock)

    # -- consumer ----------------------------------------------------------------------------

    async def _encode_all(self, device: ThreadPoolExecutor) -> None:
        channel = self._feed.channel
        loop = asyncio.get_running_loop()
        try:
            while True:
                ticks = await channel.get()
                began_ns = monotonic_ns()
                # Shielded: a thread cannot be cancelled, and its result is not to be lost track of.
                embeddings = await asyncio.shield(
                    loop.run_in_executor(device, self._encoding.run, ticks)
                )
                self._measure(embeddings, monotonic_ns() - began_ns)
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

    def _measure(self, embeddings: Sequence[Embedding], took_ns: int) -> None:
        """How long the stages took, once a tick. The clock of a log knows nothing of that."""
        if isinstance(self._clock, ReplayClock):
            self.latencies["encode"].add(took_ns)
            return
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
            if not isinstance(self._clock, ReplayClock):
                self.latencies["closed_to_published"].add(now - ledger.closed_ns)
        for sink in self.sinks:
            await sink.publish(message)

    async def _say(self, message: SourceStatus | Truth) -> None:
        """What sources say of themselves, and of the world."""
        if isinstance(message, SourceStatus):
            if message.why == "ended":
                self._ended.add(message.stream)
            self.states.note(message)
            await self._publish(message)
            return
        self.truths.produced += 1
        try:
            await self._publish(message)
        except asyncio.CancelledError:
            # A run that is stopped does not wait for a sink that takes nothing.
            self.truths.drop("stopped")
            raise
        self.truths.delivered += 1

    # -- what is said about the run ----------------------------------------------------------

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
        """JSON-ready counts, latencies and losses by cause.

        `made`, of streams whose device is counted, is what it made; what it delivered is what
        `samples` counts as produced.
        """
        made = self._feed.made if isinstance(self._feed, LiveFeed) else {}
        return {
            "streams": {
                name: ({"made": made[name].report()} if name in made else {})
                | {
                    "samples": windower.account.report(),
                    "backward": windower.backward,
                    "absent": dict(self._join.absent[name]),
                    "embeddings": self.published.get(name, 0),
                }
                for name, windower in self._join.windowers.items()
            },
            "sources": self.states.report(),
            "fused": self.published.get("fused", 0),
            "embeddings": self.embeddings.report(),
            "truths": self.truths.report(),
            "ticks": self.ticks.report(),
            "latency": {stage: latest.report() for stage, latest in self.latencies.items()},
        }
