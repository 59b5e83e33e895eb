"""Half a second of a run, compressed: what a flight recorder keeps of it in memory.

In a chunk the samples are messages and their order is a journal, as in a log, so that what comes
out is what a log of the same moments would give.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import cbor2
import lz4.frame

from sources.recording.encode import Pictures, record
from sources.recording.film import Film
from sources.recording.journal import Journal, Took, decode
from sources.recording.note import Note
from sources.replay import decode as samples
from sources.replay.container import Message
from streamer.events import Arrived, Event
from streamer.logfile import ChannelSpec
from streamer.types import Counts, Modality


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """One chunk, the `number`-th of its run.

    `from_ns` and `to_ns`: the run's clock at its first event and its last.
    `samples`: how many it holds, by stream. `states`: those of its notes of which only the newest
    counts. `data`: all of it, LZ4 of CBOR.
    """

    number: int
    from_ns: int
    to_ns: int
    samples: Counts
    states: tuple[Note, ...]
    channels: tuple[ChannelSpec, ...]
    data: bytes

    @property
    def nbytes(self) -> int:
        return len(self.data) + sum(len(note.payload) for note in self.states)


@dataclass(frozen=True, slots=True, eq=False)
class Unpacked:
    """What happened during one chunk. `lost`: what is missing in it, by stream and cause."""

    events: Iterator[Event]
    notes: list[Note]
    lost: Mapping[str, Mapping[str, int]]


@dataclass(slots=True)
class _Open:
    """The chunk that is being filled. `messages`: channel, log time, sensor time, payload.

    `films`: video begins anew in each chunk, so that a file can begin with any.
    """

    journal: Journal
    channels: dict[ChannelSpec, int] = field(default_factory=dict[ChannelSpec, int])
    messages: list[tuple[int, int, int, bytes]] = field(
        default_factory=list[tuple[int, int, int, bytes]]
    )
    states: list[Note] = field(default_factory=list[Note])
    films: dict[str, Film] = field(default_factory=dict[str, Film])
    samples: dict[str, int] = field(default_factory=dict[str, int])


class Packer:
    """Takes what happens in a live run, and gives it back in chunks."""

    def __init__(self, pictures: Pictures = "jpeg", quality: int = 90) -> None:
        self.nbytes = 0
        """In the open chunk, before compression."""
        self._pictures: Pictures = pictures
        self._quality = quality
        self.number = 0
        """Of the open chunk."""
        self._open = _Open(Journal(live=True))

    @property
    def lasted_ns(self) -> int:
        """Of the run's clock, in the open chunk."""
        entries = self._open.journal.entries
        return entries[-1].now_ns - entries[0].now_ns if entries else 0

    def take(self, event: Event) -> None:
        opened = self._open
        if not isinstance(event, Arrived):
            opened.journal.entries.append(event)
            return
        kept = record(event.sample, self._pictures, self._quality, opened.films)
        for message in kept.messages:
            self._put(kept.channel, message.log_ns, message.sensor_ns, message.payload)
        opened.journal.entries.append(kept.took(event.now_ns))
        stream = event.sample.stream
        opened.samples[stream] = opened.samples.get(stream, 0) + 1

    def note(self, note: Note) -> None:
        self._put(note.channel, note.log_ns, note.log_ns, note.payload)
        if note.state:
            self._open.states.append(note)

    def lose(self, stream: str, cause: str, count: int) -> None:
        causes = self._open.journal.lost.setdefault(stream, {})
        causes[cause] = causes.get(cause, 0) + count

    def close(self) -> Packed | None:
        """The chunk so far; the next one begins. None where nothing happened."""
        opened = self._open
        entries = opened.journal.entries
        if not entries:
            # Notes and losses wait for an event: it has the time.
            return None
        told = [opened.journal.encode(), opened.messages]
        self._open, self.nbytes = _Open(Journal(live=True)), 0
        self.number += 1
        return Packed(
            self.number - 1,
            entries[0].now_ns,
            entries[-1].now_ns,
            opened.samples,
            tuple(opened.states),
            tuple(opened.channels),
            lz4.frame.compress(cbor2.dumps(told)),
        )

    def _put(self, channel: ChannelSpec, log_ns: int, sensor_ns: int, payload: bytes) -> None:
        number = self._open.channels.setdefault(channel, len(self._open.channels))
        self._open.messages.append((number, log_ns, sensor_ns, payload))
        self.nbytes += len(payload)


def unpack(packed: Packed, modalities: Mapping[str, Modality]) -> Unpacked:
    """What the chunk was made of; samples are as a log keeps them."""
    encoded, messages = cbor2.loads(lz4.frame.decompress(packed.data))
    journal = decode(encoded)
    waiting: dict[str, deque[Message]] = {}
    notes: list[Note] = []
    for number, log_ns, sensor_ns, payload in messages:
        channel = packed.channels[number]
        stream = dict(channel.metadata).get("stream")
        if stream is None:
            notes.append(Note(channel, log_ns, payload))
        else:
            mine = waiting.setdefault(stream, deque())
            mine.append(Message(channel, log_ns, sensor_ns, len(mine), payload))
    return Unpacked(_events(journal, waiting, modalities), notes, journal.lost)


def _events(
    journal: Journal, waiting: Mapping[str, deque[Message]], modalities: Mapping[str, Modality]
) -> Iterator[Event]:
    films = samples.Films()
    for entry in journal.entries:
        if isinstance(entry, Took):
            mine = waiting[entry.stream]
            took = [mine.popleft() for _ in range(entry.messages)]
            sample = samples.sample(entry, modalities[entry.stream], took, films)
            yield Arrived(entry.now_ns, sample)
        else:
            yield entry
