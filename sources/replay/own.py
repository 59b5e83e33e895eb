"""Our own logs: what happened in a run, in the order in which it happened."""

from collections import Counter, deque
from collections.abc import Collection, Iterator
from pathlib import Path

from sources.recording.about import About, parse
from sources.recording.format import CONFIG, JOURNAL, OWN_TOPICS, SESSION
from sources.recording.journal import Journal, Took, decode
from sources.replay import decode as samples
from sources.replay.container import Chunk, McapLog, Message
from streamer.errors import SourceLost
from streamer.events import Arrived, Ended, Event, Passed
from streamer.types import Modality, Sample, StreamInfo


class OwnLog:
    """A log that this program recorded. `problems` counts what could not be read, by cause."""

    def __init__(self, path: Path) -> None:
        """Raises `SourceLost` for what is no log of ours."""
        self._log = McapLog(path)
        session = self._log.metadata(SESSION)
        if session is None:
            self._log.close()
            raise SourceLost(f"{path}: an MCAP file, but not recorded by this program")
        try:
            self.about: About = parse(session, (self._log.metadata(CONFIG) or {}).get("yaml", ""))
        except ValueError as error:
            self._log.close()
            raise SourceLost(f"{path}: {error}") from None
        self.problems: Counter[str] = Counter()

    def close(self) -> None:
        self._log.close()

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        return self.about.streams

    @property
    def whole(self) -> bool:
        """The last reading came to the end, and everything was as it should be."""
        return self._log.whole and not self.problems

    def events(
        self,
        streams: Collection[str] | None = None,
        from_ns: int | None = None,
        to_ns: int | None = None,
    ) -> Iterator[Event]:
        """What happened from `from_ns` up to `to_ns` (on the run's clock), to `streams` only."""
        self.problems.clear()
        modalities: dict[str, Modality] = {i.name: i.modality for i in self.about.streams}
        wanted = set(modalities if streams is None else streams)
        latest_ns = 0
        for part in self._log.parts(self._start(from_ns)):
            if not isinstance(part, Chunk):
                continue
            journal, waiting = self._sorted(part)
            for entry in journal.entries:
                if isinstance(entry, Took):
                    mine = waiting.get(entry.stream, deque())
                    took = [mine.popleft() for _ in range(min(entry.messages, len(mine)))]
                    if entry.stream not in wanted:
                        continue
                    try:
                        if len(took) < entry.messages or not took:
                            raise ValueError("messages are missing")
                        one: Sample = samples.sample(entry, modalities[entry.stream], took)
                    except ValueError as error:
                        self.problems[f"{entry.stream}: {error}"] += 1
                        continue
                    # The clock of a run from files says nothing about its samples.
                    now_ns = entry.now_ns if journal.live else max(latest_ns, one.end_ns)
                    event: Event = Arrived(now_ns, one, journal.live)
                elif isinstance(entry, Passed):
                    event = entry
                else:
                    event = Ended(
                        entry.now_ns if journal.live else latest_ns,
                        tuple(stream for stream in entry.streams if stream in wanted),
                    )
                latest_ns = max(latest_ns, event.now_ns)
                if from_ns is not None and event.now_ns < from_ns:
                    continue
                if to_ns is not None and event.now_ns >= to_ns:
                    return
                yield event
        self.problems.update(self._log.problems)

    def _start(self, from_ns: int | None) -> int:
        """The first byte that can matter: by the index, where there is one."""
        index = self._log.index() if from_ns is not None else None
        if index is None or from_ns is None:
            return len(b"\x89MCAP0\r\n")
        self._log.channels.update(index.channels)
        # A sample arrives after it was taken, and the journal has its own time as its last one.
        later = [c for c in index.chunks if c.message_end_time >= from_ns]
        return min((c.chunk_start_offset for c in later), default=len(b"\x89MCAP0\r\n"))

    def _sorted(self, chunk: Chunk) -> tuple[Journal, dict[str, deque[Message]]]:
        journal = Journal(live=self.about.live)
        waiting: dict[str, deque[Message]] = {}
        for message in chunk.messages:
            topic = message.channel.topic
            if topic == JOURNAL:
                try:
                    journal = decode(message.payload)
                except ValueError as error:
                    self.problems[str(error)] += 1
            elif not topic.startswith(OWN_TOPICS):
                stream = dict(message.channel.metadata).get("stream", "")
                waiting.setdefault(stream, deque()).append(message)
        return journal, waiting
