"""One file of a flight recorder: chunks of its ring, from some time before a trigger on."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from sources.recording.about import About
from sources.recording.format import TRIGGER
from sources.recording.note import Note
from sources.recording.packed import Packed, unpack
from sources.recording.parts import PartReport
from sources.recording.recording import Recording
from streamer.logfile import LogFile
from streamer.types import Modality

MOST_NAMED = 100
"""Triggers that a file names."""
ASK_CHUNKS = 4
"""How often it is asked whether the disk has room."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something happened that is worth keeping, at `at_ns` on the run's clock."""

    cause: str
    at_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class Fresh:
    """A file to be written, which may have about `room` bytes.

    `spare`, asked now and then: whether the disk may still be written to, which others fill too.
    """

    file: LogFile
    room: int
    spare: Callable[[], bool] = lambda: True


class Excerpt:
    """Lasts until `until_ns`, which further triggers put off. Raises OSError as its file does.

    Its windows and their digest begin with its own first event, as those of any log.
    """

    def __init__(self, fresh: Fresh, about: About, first: int, from_ns: int, until_ns: int) -> None:
        self.fresh, self.until_ns = fresh, until_ns
        self._next = first
        self._modalities: dict[str, Modality] = {i.name: i.modality for i in about.streams}
        self._recording = Recording(fresh.file, replace(about, started_ns=from_ns))
        self._named = 0
        self._crowded = False

    @property
    def report(self) -> PartReport:
        recording = self._recording
        return PartReport(str(recording.path), recording.bytes_written, recording.chunks)

    @property
    def full(self) -> bool:
        return self._crowded or self.fresh.file.bytes_written > self.fresh.room

    def name_trigger(self, mark: Mark, more: dict[str, str]) -> None:
        self._named += 1
        if self._named <= MOST_NAMED:
            told = {"cause": mark.cause, "at_ns": str(mark.at_ns), **more}
            self.fresh.file.metadata(TRIGGER, told)

    def note(self, note: Note) -> None:
        self._recording.note(note.channel, note.log_ns, note.payload)

    def due(self, chunks: Iterable[Packed]) -> list[Packed]:
        """Those of `chunks` that it does not have yet."""
        return [chunk for chunk in chunks if chunk.number >= self._next]

    def put(self, chunk: Packed) -> None:
        unpacked = unpack(chunk, self._modalities)
        for event in unpacked.events:
            self._recording.take(event)
        for note in unpacked.notes:
            self.note(note)
        for stream, causes in unpacked.lost.items():
            for cause, count in causes.items():
                self._recording.lose(stream, cause, count)
        self._recording.close_chunk()
        self._next = chunk.number + 1
        if chunk.number % ASK_CHUNKS == 0:
            self._crowded = not self.fresh.spare()

    def finish(self) -> PartReport:
        self._recording.finish()
        running = self._recording.running
        return replace(self.report, windows=running.hexdigest(), ticks=running.ticks)
