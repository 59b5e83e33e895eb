"""What a run published, read from its log without its sensors.

A recorder puts it into chunks of its own, which the index at the end of a file finds. A file that
was cut off has none, and is read as a whole.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sources.recording.about import About, parse
from sources.recording.format import CONFIG, JOURNAL, SESSION
from sources.recording.journal import Journal, Took, decode
from sources.replay.container import Chunk, McapLog, Message, Metadata
from streamer.errors import SourceLost


class Notes:
    """One log of ours, open. `problems` counts what the last reading could not read, by cause."""

    def __init__(self, path: Path) -> None:
        """Raises `SourceLost` for what is no log of ours."""
        self.problems: Counter[str] = Counter()
        self._log = McapLog(path)
        self._size = path.stat().st_size
        try:
            self.about, self.began_ns = self._beginning()
        except ValueError as error:
            self._log.close()
            raise SourceLost(f"{path}: {error}") from None
        """`began_ns`: when the first thing happened that the log knows of, on the run's clock."""

    def close(self) -> None:
        self._log.close()

    def messages(self, *roots: str) -> Iterator[Message]:
        """Those of topics that begin with one of `roots`, in the order of the file."""
        self.problems.clear()
        for chunk in self._chunks(roots):
            yield from (m for m in chunk.messages if m.channel.topic.startswith(roots))

    def _chunks(self, roots: tuple[str, ...]) -> Iterator[Chunk]:
        index = self._log.index()
        if index is None:
            for part in self._log.parts():
                if isinstance(part, Chunk):
                    yield part
            self.problems.update(self._log.problems)
            return
        self._log.channels.update(index.channels)
        wanted = {n for n, spec in index.channels.items() if spec.topic.startswith(roots)}
        offsets = {
            chunk.chunk_start_offset
            for chunk in index.chunks
            # Files of other writers may not say what a chunk holds.
            if not chunk.message_index_offsets or wanted & chunk.message_index_offsets.keys()
        }
        for offset in sorted(offset for offset in offsets if offset < self._size):
            part = next(self._log.parts(offset), None)
            self.problems.update(self._log.problems)
            if isinstance(part, Chunk):
                yield part

    def _beginning(self) -> tuple[About, int]:
        """What the log says of the run, and when it began. Raises ValueError."""
        told: dict[str, dict[str, str]] = {}
        for part in self._log.parts():
            if isinstance(part, Metadata):
                told.setdefault(part.name, part.data)
            elif isinstance(part, Chunk):
                if SESSION not in told:
                    break
                journals = [m.payload for m in part.messages if m.channel.topic == JOURNAL]
                if not journals:
                    continue
                about = parse(told[SESSION], told.get(CONFIG, {}).get("yaml", ""))
                return about, _first_ns(decode(journals[0]), about)
        raise ValueError("an MCAP file, but nothing that this program recorded")


def _first_ns(journal: Journal, about: About) -> int:
    if not journal.entries:
        return about.started_ns
    first = journal.entries[0]
    # The clock of a run from files says nothing about its samples.
    if isinstance(first, Took) and not journal.live:
        return first.t_ns
    return first.now_ns
