"""The files of one recording, one after the other. Each stands for itself, nothing is between them.

Synchronous. Chunks are closed by the host's clock, files by what is in them.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from sources.recording.about import About
from sources.recording.encode import Pictures
from sources.recording.note import Note
from sources.recording.recording import Recording
from streamer.clock import monotonic_ns
from streamer.events import Event
from streamer.logfile import ChannelSpec, LogFile

CHUNK_NS = 500_000_000
CHUNK_BYTES = 4 << 20
MOST_CHUNKS = 100_000
"""Of a file: the index of so many, of any run, is within what readers take, and the writer keeps
it in memory. Seven hours at the least, two chunks every half second."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a file is full: none of these is reached in a file, unless by its first event.

    `bytes` on the disk, where the last chunk counts as not compressed and the index not at all;
    `ns` on the run's clock.
    """

    bytes: int | None = None
    ns: int | None = None
    chunks: int = MOST_CHUNKS


NEVER = Rotation()
"""But for the most chunks."""


@dataclass(frozen=True, slots=True)
class PartReport:
    """`windows`: the digest of its windows, "" of a file that was not closed."""

    path: str
    bytes: int
    chunks: int
    windows: str = ""
    ticks: int = 0


class Parts:
    """Opens the first file when made. Everything raises OSError where the disk does not take it.

    `open_file` opens the next one each time. `settled` is called when what was taken so far would
    survive the end of this process.
    """

    def __init__(
        self,
        open_file: Callable[[], LogFile],
        about: About,
        settled: Callable[[], None],
        pictures: Pictures = "jpeg",
        quality: int = 90,
        rotation: Rotation = NEVER,
    ) -> None:
        self.closed: list[PartReport] = []
        self._open_file, self._about, self._settled = open_file, about, settled
        self._pictures: Pictures = pictures
        self._quality, self._rotation = quality, rotation
        self._name = uuid.uuid4().hex
        self._states: dict[ChannelSpec, Note] = {}
        self._began_ns: int | None = None
        self._recording = self._next(about.started_ns)
        self._due_ns = monotonic_ns() + CHUNK_NS

    @property
    def reports(self) -> tuple[PartReport, ...]:
        """Of all files, in their order."""
        newest = self._newest
        open_one = () if self.closed and self.closed[-1].path == newest.path else (newest,)
        return (*self.closed, *open_one)

    @property
    def _newest(self) -> PartReport:
        recording = self._recording
        return PartReport(str(recording.path), recording.bytes_written, recording.chunks)

    @property
    def due_s(self) -> float:
        """Until the chunk has to be closed; not above 0 when it is time."""
        return (self._due_ns - monotonic_ns()) / 1e9

    def take(self, event: Event) -> None:
        if self._began_ns is None:
            self._began_ns = event.now_ns
        elif self._full(event.now_ns - self._began_ns):
            self._close()
            self._recording = self._next(event.now_ns)
            self._began_ns = event.now_ns
            for note in self._states.values():
                # A reader of this file alone has to know them too.
                self._recording.note(note.channel, note.log_ns, note.payload)
        self._recording.take(event)

    def note(self, note: Note) -> None:
        if note.state:
            self._states[note.channel] = note
        self._recording.note(note.channel, note.log_ns, note.payload)

    def lose(self, stream: str, cause: str, count: int) -> None:
        self._recording.lose(stream, cause, count)

    def pace(self) -> None:
        """Close the chunk if it is time. Ask after everything taken, and when nothing comes."""
        if self.due_s <= 0 or self._recording.chunk_bytes >= CHUNK_BYTES:
            self._recording.close_chunk()
            self._due_ns = monotonic_ns() + CHUNK_NS
            self._settled()

    def finish(self) -> None:
        self._close()

    def abandon(self) -> None:
        """Leave what is whole; never raises. A file that has been closed stays as it is."""
        self._recording.abandon()

    def _full(self, lasted_ns: int) -> bool:
        most, recording = self._rotation, self._recording
        size = recording.bytes_written + recording.chunk_bytes
        return (
            recording.chunks >= most.chunks
            or (most.ns is not None and lasted_ns >= most.ns)
            or (most.bytes is not None and size >= most.bytes)
        )

    def _close(self) -> None:
        recording = self._recording
        recording.finish()
        running = recording.running
        self.closed.append(replace(self._newest, windows=running.hexdigest(), ticks=running.ticks))
        self._settled()

    def _next(self, now_ns: int) -> Recording:
        part = {"recording": self._name, "part": str(len(self.closed))}
        about = replace(self._about, started_ns=now_ns, more={**self._about.more, **part})
        file = self._open_file()
        try:
            return Recording(file, about, self._pictures, self._quality)
        except OSError:
            file.abandon()
            raise
