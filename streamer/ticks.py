"""Joins the windows of all streams that end at one instant of the grid: whole ticks. Pure.

A tick is complete when the watermark of every stream has passed its end. A silent stream holds
nobody: after `idle_ns` without progress its watermark follows the clock, and in live runs none lags
the clock by more than that.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from streamer.events import Arrived, Ended, Event
from streamer.plan import Plan
from streamer.types import NS_PER_S, Sample, StreamInfo, Tick, Window
from streamer.windows import Windower, WindowSpec

FILE_PATIENCE_NS = 10 * NS_PER_S
"""How far, in event time, a stream of a file run may fall behind the others before they stop
waiting for it: more than containers interleave, and the bound of what is held meanwhile."""


class TickJoin:
    """The windowers of a run and the join of what they close, oldest tick first.

    `min_coverage` 0..1: a window with less becomes a tombstone. `idle_ns`: silence after which a
    live stream no longer holds the others. A tick in which no stream has a usable window is not
    made, but counted in `absent`.
    """

    def __init__(self, specs: Sequence[WindowSpec], min_coverage: float, idle_ns: int) -> None:
        self.windowers = {spec.stream: Windower(spec) for spec in specs}
        self.absent: dict[str, dict[str, int]] = {spec.stream: {} for spec in specs}
        """How many ticks each stream had no usable window for, by cause."""
        self._min_coverage = min_coverage
        self._idle_ns = idle_ns
        self._seen_ns: dict[str, int] = {}
        self._pending: dict[int, dict[str, Window]] = {}
        self._ended: set[str] = set()
        self._patience_ends_ns: int | None = None

    def take(self, event: Event) -> list[Tick]:
        """Whatever happens to the windows of a run, live or not, happens here."""
        if isinstance(event, Arrived):
            ticks = self.push(event.sample, event.now_ns, live=event.live)
            if not event.live:
                ticks += self._lose_patience(event.sample.stream, event.now_ns)
            return ticks
        if isinstance(event, Ended):
            return self.finish(event.streams, event.now_ns)
        return self.advance(event.now_ns)

    def push(self, sample: Sample, now_ns: int, *, live: bool = True) -> list[Tick]:
        """Take one sample; return the ticks that became complete. Files pass live=False."""
        windower = self.windowers[sample.stream]
        before = windower.seen_until_ns
        self._add(windower.push(sample, now_ns if live else None))
        if windower.seen_until_ns != before:
            # Only progress counts: a device that repeats one stamp for ever is as good as silent.
            self._seen_ns[sample.stream] = now_ns
        return self._complete(now_ns)

    def advance(self, now_ns: int) -> list[Tick]:
        """Let the clock stand in for silent streams, and bound how far a slow one can lag.

        A stream whose stamps are hours old would otherwise hold the others for hours.
        """
        for stream, windower in self.windowers.items():
            silent = now_ns - self._seen_ns.setdefault(stream, now_ns) >= self._idle_ns
            lag_ns = 0 if silent else self._idle_ns
            self._add(windower.raise_watermark(now_ns - windower.spec.lateness_ns - lag_ns))
        return self._complete(now_ns)

    def raise_watermark(self, t_ns: int, now_ns: int) -> list[Tick]:
        """Stop waiting for anything older than `t_ns` on any stream."""
        for windower in self.windowers.values():
            self._add(windower.raise_watermark(t_ns))
        return self._complete(now_ns)

    def finish(self, streams: Iterable[str], now_ns: int) -> list[Tick]:
        """These streams have ended: their last windows close, and nobody waits for them."""
        for stream in streams:
            self._add(self.windowers[stream].flush())
            self._ended.add(stream)
        return self._complete(now_ns)

    def lost(self, tick: Tick, cause: str) -> None:
        """Note a tick that was dropped before encoding on the streams' next quality cards.

        What its own cards would have told goes there too.
        """
        for window in tick.windows:
            windower = self.windowers[window.stream]
            windower.count(f"window_{cause}", 1)
            windower.hand_on(window.quality)

    def _lose_patience(self, stream: str, now_ns: int) -> list[Tick]:
        """Once a hop, stop waiting for streams of a file run that are too far behind this one."""
        # Not the sample's own stamp, which may be a leap that is not believed.
        windower = self.windowers[stream]
        reached = windower.seen_until_ns
        if reached is None or (
            self._patience_ends_ns is not None and reached < self._patience_ends_ns
        ):
            return []
        self._patience_ends_ns = reached + windower.spec.hop_ns
        return self.raise_watermark(reached - FILE_PATIENCE_NS, now_ns)

    @property
    def watermark_ns(self) -> int | None:
        """The lowest watermark of the streams that still run; None while one has none."""
        marks = [w.watermark_ns for s, w in self.windowers.items() if s not in self._ended]
        known = [mark for mark in marks if mark is not None]
        return min(known) if len(known) == len(marks) and known else None

    def _add(self, windows: Iterable[Window]) -> None:
        for window in windows:
            self._pending.setdefault(window.span.end_ns, {})[window.stream] = window

    def _complete(self, now_ns: int) -> list[Tick]:
        if not self._pending:
            return []
        if len(self._ended) == len(self.windowers):
            ends = sorted(self._pending)
        elif (limit := self.watermark_ns) is not None:
            ends = sorted(end for end in self._pending if end <= limit)
        else:
            return []
        ticks = (self._tick(end, self._pending.pop(end), now_ns) for end in ends)
        return [tick for tick in ticks if tick.windows]

    def _tick(self, end_ns: int, windows: Mapping[str, Window], now_ns: int) -> Tick:
        usable: list[Window] = []
        absent: dict[str, str] = {}
        for stream in self.windowers:
            window = windows.get(stream)
            if window is None:
                absent[stream] = "ended" if stream in self._ended else "empty"
            elif window.quality.coverage < self._min_coverage:
                absent[stream] = "coverage"
                # Nobody will see its card.
                self.windowers[stream].hand_on(window.quality)
            else:
                usable.append(window)
        for stream, cause in absent.items():
            causes = self.absent[stream]
            causes[cause] = causes.get(cause, 0) + 1
        return Tick(end_ns, tuple(usable), MappingProxyType(absent), now_ns)


def make_join(streams: Iterable[StreamInfo], plan: Plan) -> TickJoin:
    """The join of a run over `streams`."""
    specs = [
        WindowSpec(
            info.name, info.modality, plan.lengths_ns[info.modality], plan.hop_ns, plan.lateness_ns
        )
        for info in streams
    ]
    return TickJoin(specs, plan.min_coverage, plan.idle_ns)
