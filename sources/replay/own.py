"""Our own logs: what happened in a run, in the order in which it happened."""

from collections import Counter, deque
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TypeAlias

from sources.recording.about import About, parse
from sources.recording.film import KEY_NS
from sources.recording.format import CONFIG, JOURNAL, OWN_TOPICS, SESSION, TRUTH, WINDOWS
from sources.recording.journal import Journal, Left, Took, decode
from sources.recording.note import Note
from sources.replay import decode as samples
from sources.replay.causes import MOST_CAUSES, Causes
from sources.replay.container import MAGIC, Chunk, McapLog, Message
from sources.replay.truth import truth
from streamer.errors import SourceLost
from streamer.events import Arrived, Ended, Event, Passed
from streamer.types import NS_PER_S, Modality, Sample, StreamInfo, Truth
from streamer.windows import LEAP_NS

PUBLISHED_NS = 10 * NS_PER_S
"""How far behind its time something that was published may lie: an encoder may be slow."""

VIDEO = "foxglove.CompressedVideo"

_Placed: TypeAlias = tuple[int, Message]
_Told: TypeAlias = tuple[int, Truth]


class _Pace:
    """How far the time of a log has come that has no clock: as its stamps go, but for lies."""

    def __init__(self) -> None:
        self.latest_ns = 0
        self._suspect_ns: int | None = None

    def step(self, t_ns: int) -> int:
        """A leap ahead is believed when the next stamp confirms it, as it is for windows."""
        suspect_ns, self._suspect_ns = self._suspect_ns, None
        if self.latest_ns and t_ns > self.latest_ns + LEAP_NS:
            if suspect_ns is None or t_ns < suspect_ns - LEAP_NS:
                self._suspect_ns = t_ns
                return self.latest_ns
            if t_ns > suspect_ns + LEAP_NS:
                self._suspect_ns, t_ns = t_ns, suspect_ns
        return max(self.latest_ns, t_ns)


class OwnLog:
    """A log that this program recorded. `problems` counts what could not be read, by cause."""

    def __init__(self, path: Path, log: McapLog | None = None) -> None:
        """Takes over `log`, where it is open. Raises `SourceLost` for what is no log of ours."""
        self._log = McapLog(path) if log is None else log
        session = self._log.opening(SESSION)
        if session is None:
            self._log.close()
            raise SourceLost(f"{path}: an MCAP file, but not recorded by this program")
        try:
            self.about: About = parse(session, (self._log.opening(CONFIG) or {}).get("yaml", ""))
        except ValueError as error:
            self._log.close()
            raise SourceLost(f"{path}: {error}") from None
        self._causes = Causes()
        self.problems = self._causes.counts
        self.lost: Counter[tuple[str, str]] = Counter()
        """What the recorder left out of what the last reading read, by stream and cause."""

    def close(self) -> None:
        self._log.close()

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        return self.about.streams

    @property
    def end_ns(self) -> int | None:
        """When the last thing in it happened, by the index; None where there is none."""
        index = self._log.index()
        if index is None:
            return None
        return max((chunk.message_end_time for chunk in index.chunks), default=None)

    @property
    def whole(self) -> bool:
        """The last reading came to the end, and everything was as it should be."""
        return self._log.whole and not self.problems

    def events(
        self,
        streams: Collection[str] | None = None,
        from_ns: int | None = None,
        to_ns: int | None = None,
    ) -> Iterator[Event | Truth]:
        """What happened from `from_ns` up to `to_ns` (on the run's clock), to `streams` only."""
        for item in self.items(streams, from_ns, to_ns, notes=False):
            if not isinstance(item, Note | Left):
                yield item

    def items(
        self,
        streams: Collection[str] | None = None,
        from_ns: int | None = None,
        to_ns: int | None = None,
        *,
        notes: bool = True,
    ) -> Iterator[Event | Truth | Note | Left]:
        """Events, and behind those of each chunk what the recorder left out during it.

        With `notes`, what was published of that time too, truth among it in its bytes. It lies some
        way behind its time: so much is read beyond `to_ns`. Without, truth is in its place.
        """
        self._causes.clear()
        self.lost.clear()
        films = samples.Films()
        latest_ns, over = 0, False
        pace = _Pace()
        for part in self._log.parts(self._start(from_ns)):
            if not isinstance(part, Chunk):
                continue
            journal, waiting, published, truths = self._sorted(part)
            was_over = over
            if notes:
                truths.clear()
            for event in self._happened(
                journal, waiting, truths, films, streams, pace, from_ns or 0
            ):
                if isinstance(event, Truth):
                    span = event.span
                    if span.end_ns > (from_ns or 0) and (to_ns is None or span.start_ns < to_ns):
                        yield event
                    continue
                latest_ns = max(latest_ns, event.now_ns)
                over = over or (to_ns is not None and event.now_ns >= to_ns)
                if not over and (from_ns is None or event.now_ns >= from_ns):
                    yield event
            if notes:
                for note in published:
                    if (from_ns or 0) <= note.log_ns and (to_ns is None or note.log_ns < to_ns):
                        yield note
            # Those of the chunk in which the end lies are of what was read, as far as is known.
            if not was_over and (from_ns is None or latest_ns >= from_ns):
                yield from self._left(journal)
            if over and (not notes or latest_ns >= (to_ns or 0) + PUBLISHED_NS):
                break
        self.problems.update(self._log.problems)

    def _happened(
        self,
        journal: Journal,
        waiting: dict[str, deque[_Placed]],
        truths: deque[_Told],
        films: samples.Films,
        streams: Collection[str] | None,
        pace: "_Pace",
        from_ns: int,
    ) -> Iterator[Event | Truth]:
        """The events of one chunk. `pace`: of those before it."""
        modalities: dict[str, Modality] = {i.name: i.modality for i in self.about.streams}
        wanted = {name for name in modalities if streams is None or name in streams}
        for entry in journal.entries:
            if isinstance(entry, Took):
                mine = waiting.get(entry.stream, deque())
                took = [mine.popleft() for _ in range(min(entry.messages, len(mine)))]
                while took and truths and truths[0][0] < took[0][0]:
                    yield truths.popleft()[1]
                if entry.stream not in wanted:
                    continue
                try:
                    if len(took) < entry.messages or not took:
                        raise ValueError("messages are missing")
                    messages = [message for _, message in took]
                    one: Sample = samples.sample(entry, modalities[entry.stream], messages, films)
                except ValueError as error:
                    # What comes before is read for the sake of video, and may not have begun.
                    if entry.now_ns >= from_ns:
                        cause = f"{entry.stream}: samples cannot be read"
                        self._causes.add(cause, str(error)[:100])
                    continue
                # The clock of a run from files says nothing about its samples.
                now_ns = entry.now_ns if journal.live else pace.step(one.t_ns)
                event: Event = Arrived(now_ns, one, journal.live)
            elif isinstance(entry, Passed):
                event = entry
            else:
                ended = tuple(stream for stream in entry.streams if stream in wanted)
                if not ended:
                    continue
                event = Ended(entry.now_ns if journal.live else pace.latest_ns, ended)
            pace.latest_ns = max(pace.latest_ns, event.now_ns)
            yield event
        for _, told in truths:
            yield told

    def _left(self, journal: Journal) -> Iterator[Left]:
        for stream, causes in journal.lost.items():
            for cause, count in causes.items():
                if len(self.lost) < MOST_CAUSES:
                    self.lost[stream, cause] += count
                yield Left(stream, cause, count)

    def _start(self, from_ns: int | None) -> int:
        """The first byte that can matter: by the index, where there is one."""
        index = self._log.index() if from_ns is not None else None
        if index is None or from_ns is None:
            return len(MAGIC)
        self._log.channels.update(index.channels)
        if any(c.schema and c.schema.name == VIDEO for c in index.channels.values()):
            from_ns -= 2 * KEY_NS
        # A sample arrives after it was taken, and the journal has its own time as its last one.
        later = [c for c in index.chunks if c.message_end_time >= from_ns]
        return min((c.chunk_start_offset for c in later), default=len(MAGIC))

    def _sorted(
        self, chunk: Chunk
    ) -> tuple[Journal, dict[str, deque[_Placed]], list[Note], deque[_Told]]:
        """The journal; where in the chunk the messages of each stream are; what was published, and
        where the truth among that is."""
        journal = Journal(live=self.about.live)
        waiting: dict[str, deque[_Placed]] = {}
        notes: list[Note] = []
        truths: deque[_Told] = deque()
        for place, message in enumerate(chunk.messages):
            topic = message.channel.topic
            if not topic.startswith(OWN_TOPICS):
                stream = dict(message.channel.metadata).get("stream", "")
                waiting.setdefault(stream, deque()).append((place, message))
            elif topic == JOURNAL:
                try:
                    journal = decode(message.payload)
                except ValueError as error:
                    self._causes.add("journals cannot be read", str(error)[:100])
            elif topic != WINDOWS:
                notes.append(Note(message.channel, message.log_ns, message.payload))
                if topic.startswith(TRUTH):
                    try:
                        truths.append((place, truth(message)))
                    except ValueError as error:
                        self._causes.add("truths cannot be read", str(error)[:100])
        return journal, waiting, notes, truths
