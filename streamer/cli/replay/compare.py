"""Whether a replay made what was recorded: windows exactly, embeddings by cosine. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sources.recording.digest import RunningDigest, TickDigest
from streamer.cli.times import date
from streamer.types import Embedding, Vector

_HEX = 8


class Windows:
    """Takes the replay's ticks in their order, and holds them against the `stored` ones."""

    def __init__(self, stored: Iterator[TickDigest]) -> None:
        self.agreed = 0
        """Windows that are the same, up to the first difference."""
        self.first = ""
        """The first difference; "" while there is none."""
        self.running = RunningDigest()
        self._stored = stored
        self._next = next(stored, None)
        self._beyond = ""

    def add(self, tick: TickDigest) -> None:
        self.running.add(tick)
        if self.first or self._beyond:
            return
        if self._next is None:
            # A log that was cut off has told of no windows beyond its end.
            self._beyond = _difference(tick.end_ns, {}, tick.windows)
            return
        if self._next.end_ns != tick.end_ns:
            missing = self._next.end_ns < tick.end_ns
            one = self._next if missing else tick
            recorded, replayed = (one.windows, {}) if missing else ({}, one.windows)
            self.first = _difference(one.end_ns, recorded, replayed)
            return
        self.first = _difference(tick.end_ns, self._next.windows, tick.windows)
        if not self.first:
            self.agreed += len(tick.windows)
            self._next = next(self._stored, None)

    def finish(self, *, whole: bool) -> None:
        """The replay is over. `whole`: all that was recorded has been told."""
        if self.first:
            return
        if self._next is not None:
            self.first = _difference(self._next.end_ns, self._next.windows, {})
        elif whole:
            self.first = self._beyond


def _difference(end_ns: int, recorded: Mapping[str, str], replayed: Mapping[str, str]) -> str:
    for stream in sorted({*recorded, *replayed}):
        a, b = recorded.get(stream), replayed.get(stream)
        if a != b:
            was = "not recorded" if a is None else f"recorded {a[:_HEX]}"
            now = "not replayed" if b is None else f"replayed {b[:_HEX]}"
            return f"{stream} window ending {date(end_ns)} ({was}, {now})"
    return ""


class Stored(NamedTuple):
    """A vector of the recorded run. None: what is in its place is none."""

    end_ns: int
    stream: str
    vector: Vector | None


@dataclass(slots=True)
class Cosines:
    """Takes the replay's embeddings tick by tick, and holds them against the `stored` ones.

    What began before `from_ns` saw more while it was recorded, and is not compared.
    """

    stored: Iterator[Stored]
    from_ns: int = 0
    compared: int = 0
    partial: int = 0
    missing: int = 0
    """Of the replay, that the recorded run did not make: it had no time, or no such stream."""
    lowest: float = 1.0
    first: str = ""
    _held: dict[str, Vector | None] | None = None
    _end_ns: int = -1
    _next: Stored | None = None

    def add(self, embedding: Embedding, at_least: float) -> None:
        self._advance(embedding.span.end_ns)
        held = self._held or {}
        if embedding.stream not in held:
            self.missing += 1
            return
        if embedding.span.start_ns < self.from_ns:
            self.partial += 1
            return
        cosine = _cosine(held[embedding.stream], embedding.vector)
        self.compared += 1
        self.lowest = min(self.lowest, cosine)
        if cosine < at_least and not self.first:
            self.first = (
                f"{embedding.stream} embedding ending {date(embedding.span.end_ns)} "
                f"(cosine {cosine:.5f}, expected at least {at_least:g})"
            )

    def _advance(self, end_ns: int) -> None:
        """Hold what is stored for the tick that ends then. Both come in order of time."""
        if end_ns != self._end_ns:
            self._held, self._end_ns = {}, end_ns
            while True:
                found = self._next or next(self.stored, None)
                self._next = None
                if found is None:
                    return
                if found.end_ns > end_ns:
                    self._next = found
                    return
                if found.end_ns == end_ns:
                    self._held[found.stream] = found.vector


def _cosine(a: Vector | None, b: Vector) -> float:
    """Below any threshold for what is no vector of that space."""
    return -1.0 if a is None or a.shape != b.shape else float(np.dot(a, b))
