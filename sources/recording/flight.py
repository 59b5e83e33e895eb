"""A flight recorder: the last seconds in memory, and in a file once there is a reason.

Armed, it keeps a ring. A trigger begins a file with the ring in it, which goes on until nothing
has triggered for a while. Synchronous, like `Recording`, whose place it takes in the recorder's
thread; its time is the run's clock in the events.

What goes into a file goes through the ring as well, chunk by chunk. So the ring is full again when
the next trigger comes, and a look-back of half a minute is written in pieces, while new samples
are taken between them.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from sources.recording.about import About
from sources.recording.encode import Pictures
from sources.recording.excerpt import Excerpt, Fresh, Mark
from sources.recording.note import Note
from sources.recording.packed import Packed, Packer
from sources.recording.parts import CHUNK_BYTES, CHUNK_NS, PartReport
from sources.recording.ring import Ring
from streamer.events import Event
from streamer.logfile import ChannelSpec
from streamer.types import NS_PER_S

log = logging.getLogger(__name__)

HEARD_NS = 2 * NS_PER_S
"""How long after its time a trigger may be heard: a label is there when its window was encoded.
The ring holds so much more than the look-back."""
PACE = 8
"""Chunks of the look-back that are written for each that is new."""
MOST_TOLD = 100
"""Files, and failures, that a report names."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A file ends `after_ns` after the last trigger, and `longest_ns` after its first at the
    latest."""

    before_ns: int
    after_ns: int
    longest_ns: int
    ring_bytes: int


class Flight:
    """`fresh(at_ns)` makes the file of a trigger. Where it raises OSError, or the disk does later,
    that file is given up, and the ring stays armed.

    `settled` is called when what was taken so far is in the ring.
    """

    def __init__(
        self,
        about: About,
        fresh: Callable[[int], Fresh],
        bounds: Bounds,
        settled: Callable[[], None],
        pictures: Pictures = "jpeg",
        quality: int = 90,
    ) -> None:
        self.state: Literal["armed", "recording"] = "armed"
        self.why = ""
        """What became of the last file, if it was not what was asked for."""
        self.triggers = 0
        self.failed: tuple[str, ...] = ()
        """Why there is no file, or one that was cut short, for each that should be; the newest."""
        self._about, self._fresh, self._bounds = about, fresh, bounds
        self._settled = settled
        self._files: tuple[PartReport, ...] = ()
        self._packer = Packer(pictures, quality)
        self._ring = Ring(bounds.before_ns + HEARD_NS, bounds.ring_bytes)
        self._states: dict[ChannelSpec, Note] = {}
        self._excerpt: Excerpt | None = None
        self._limit_ns = 0

    def take(self, event: Event) -> None:
        self._packer.take(event)

    def note(self, note: Note) -> None:
        self._packer.note(note)

    def lose(self, stream: str, cause: str, count: int) -> None:
        """Something that the ring should hold, and does not."""
        self._packer.lose(stream, cause, count)

    @property
    def reports(self) -> tuple[PartReport, ...]:
        """Of the newest files, in their order."""
        return (*self._files, *([self._excerpt.report] if self._excerpt else []))

    def report(self) -> dict[str, object]:
        """JSON-ready."""
        return {"triggers": self.triggers, "failed": self.failed, "ring_bytes": self.ring_bytes}

    @property
    def ring_bytes(self) -> int:
        return self._ring.nbytes

    @property
    def due_s(self) -> float:
        """Nothing is due by itself: its time is in the events, of which there are many."""
        return CHUNK_NS / NS_PER_S

    def pace(self) -> None:
        """Close the chunk if it is time. Ask after everything taken."""
        if self._packer.lasted_ns >= CHUNK_NS or self._packer.nbytes >= CHUNK_BYTES:
            self._close_chunk()

    def trigger(self, mark: Mark) -> None:
        self.triggers += 1
        if self._excerpt is not None and mark.at_ns > self._excerpt.until_ns:
            # The file ends before it, and only has not come to its end yet.
            self._catch_up()
        if self._excerpt is None:
            self._close_chunk()
            self._begin(mark)
        else:
            self._extend(self._excerpt, mark)

    def finish(self) -> None:
        """The run ends. So does a file that is being written."""
        self._catch_up()
        if self._excerpt is not None:
            self._end(self._excerpt)

    def abandon(self) -> None:
        """Leave what is whole; never raises."""
        if self._excerpt is not None:
            self._excerpt.fresh.file.abandon()

    # -- its chunks and files ------------------------------------------------------------------

    def _close_chunk(self) -> None:
        chunk = self._packer.close()
        if chunk is None:
            return
        self._settled()
        went = self._ring.push(chunk)
        # What leaves the ring is the oldest: it is written first, however much that is.
        self._write((*went, *self._ring), max(PACE, len(went)))
        for gone in went:
            self._remember(self._states, gone)

    def _begin(self, mark: Mark) -> None:
        since_ns = mark.at_ns - self._bounds.before_ns
        states = dict(self._states)
        first, from_ns = self._packer.number, mark.at_ns
        for chunk in self._ring:
            if chunk.to_ns >= since_ns:
                first, from_ns = chunk.number, chunk.from_ns
                break
            self._remember(states, chunk)
        self._limit_ns = mark.at_ns + self._bounds.longest_ns
        until_ns = min(mark.at_ns + self._bounds.after_ns, self._limit_ns)
        look_back_s = max(0, mark.at_ns - from_ns) / NS_PER_S
        missing = self._ring.missing(since_ns)
        told = {
            "look_back_s": f"{look_back_s:.3f}",
            **{f"missing.{stream}": str(count) for stream, count in missing.items()},
        }
        try:
            fresh = self._fresh(mark.at_ns)
        except OSError as error:
            self._failed(f"no file was begun: {_words(error)}")
            return
        try:
            excerpt = Excerpt(fresh, self._about, first, from_ns, until_ns)
            excerpt.name_trigger(mark, told)
            for note in states.values():
                excerpt.note(note)
        except OSError as error:
            self._give_up(fresh, error)
            return
        log.info("flight recording %s: %s", fresh.file.path, mark.cause)
        self._excerpt, self.state, self.why = excerpt, "recording", ""
        self._write(self._ring, PACE)

    def _extend(self, excerpt: Excerpt, mark: Mark) -> None:
        until_ns = min(mark.at_ns + self._bounds.after_ns, self._limit_ns)
        excerpt.until_ns = max(excerpt.until_ns, until_ns)
        try:
            excerpt.name_trigger(mark, {})
        except OSError as error:
            self._give_up(excerpt.fresh, error)

    def _write(self, chunks: Iterable[Packed], most: int) -> None:
        """The oldest `most` of those that the file does not have."""
        excerpt = self._excerpt
        if excerpt is None:
            return
        for chunk in excerpt.due(chunks)[:most]:
            try:
                excerpt.put(chunk)
            except OSError as error:
                self._give_up(excerpt.fresh, error)
                return
            if chunk.to_ns >= excerpt.until_ns or excerpt.full:
                self._end(excerpt)
                return

    def _catch_up(self) -> None:
        self._close_chunk()
        self._write(self._ring, len(self._ring))

    def _end(self, excerpt: Excerpt) -> None:
        full = excerpt.full
        try:
            report = excerpt.finish()
        except OSError as error:
            self._give_up(excerpt.fresh, error)
            return
        log.info("flight recorded %s: %.1f MB", report.path, report.bytes / 1e6)
        self._files = (*self._files, report)[-MOST_TOLD:]
        self._excerpt, self.state = None, "armed"
        self.why = f"{report.path}: ended early, there is no room for more" if full else ""

    def _give_up(self, fresh: Fresh, error: OSError) -> None:
        """Let go of a file, which is whole up to its last chunk."""
        fresh.file.abandon()
        self._failed(f"{fresh.file.path} is cut short: {_words(error)}")

    def _failed(self, why: str) -> None:
        self.failed = (*self.failed, why)[-MOST_TOLD:]
        if why != self.why:
            log.warning("flight recording: %s", why)
        self._excerpt, self.state, self.why = None, "armed", why

    @staticmethod
    def _remember(states: dict[ChannelSpec, Note], chunk: Packed) -> None:
        states.update({note.channel: note for note in chunk.states})


def _words(error: OSError) -> str:
    return error.strerror or str(error)
