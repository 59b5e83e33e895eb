"""What a log of ours holds beside what happened: what was published, and what was left out."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from sources.recording.format import JOURNAL, OWN_TOPICS, WINDOWS
from sources.recording.journal import Journal, Left, Took, decode
from sources.recording.recorder import Note
from sources.replay.container import MAGIC, Chunk, McapLog
from streamer.types import NS_PER_S

PUBLISHED_NS = 10 * NS_PER_S
"""How far behind its time something that was published may lie: an encoder may be slow."""
_STATES = "status", "meta"

Beside: TypeAlias = Note | Left


def beside(
    path: Path, from_ns: int | None = None, to_ns: int | None = None
) -> Iterator[tuple[int, Beside]]:
    """With the time, on the run's clock, that the log had reached; in the order of the file.

    What was published counts by its own time. Of the model and the states of the sources that
    stood when `from_ns` was reached, the last is given at that time. Raises `SourceLost`.
    """
    log = McapLog(path)
    try:
        stood = {} if from_ns is None else _standing(log, from_ns)
        reached_ns = 0
        for part in log.parts(_start(log, from_ns)):
            if not isinstance(part, Chunk):
                continue
            journal = _journal(part)
            reached_ns = _reached(journal, reached_ns)
            for message in part.messages:
                topic, log_ns = message.channel.topic, message.log_ns
                if not topic.startswith(OWN_TOPICS) or topic in (JOURNAL, WINDOWS):
                    continue
                if from_ns is not None and log_ns < from_ns:
                    if _is_state(topic):
                        stood[topic] = Note(message.channel, from_ns, message.payload)
                elif to_ns is None or log_ns < to_ns:
                    yield from ((reached_ns, note) for note in stood.values())
                    stood.clear()
                    yield reached_ns, Note(message.channel, log_ns, message.payload)
            if from_ns is not None and reached_ns < from_ns:
                continue
            yield from ((reached_ns, note) for note in stood.values())
            stood.clear()
            if to_ns is None or reached_ns < to_ns:
                yield from ((reached_ns, left) for left in _left(journal))
            elif reached_ns >= to_ns + PUBLISHED_NS:
                return
    finally:
        log.close()


def _journal(chunk: Chunk) -> Journal:
    """Damaged ones are counted by who reads what happened."""
    for message in chunk.messages:
        if message.channel.topic == JOURNAL:
            try:
                return decode(message.payload)
            except ValueError:
                break
    return Journal(live=True)


def _reached(journal: Journal, before_ns: int) -> int:
    """As the events have it: the clock of a run from files says nothing about its samples."""
    for entry in journal.entries:
        if journal.live:
            before_ns = max(before_ns, entry.now_ns)
        elif isinstance(entry, Took):
            before_ns = max(before_ns, entry.t_ns + entry.duration_ns)
    return before_ns


def _left(journal: Journal) -> Iterator[Left]:
    for stream, causes in journal.lost.items():
        yield from (Left(stream, cause, count) for cause, count in causes.items())


def _start(log: McapLog, from_ns: int | None) -> int:
    """The first byte that can matter: by the index, where there is one."""
    index = log.index() if from_ns is not None else None
    if index is None or from_ns is None:
        return len(MAGIC)
    log.channels.update(index.channels)
    later = (c.chunk_start_offset for c in index.chunks if c.message_end_time >= from_ns)
    return min(later, default=len(MAGIC))


def _standing(log: McapLog, before_ns: int) -> dict[str, Note]:
    """The last of each state before a time: a few chunks are read. Without an index, none."""
    index = log.index()
    if index is None:
        return {}
    log.channels.update(index.channels)
    places: set[int] = set()
    for number in [n for n, channel in index.channels.items() if _is_state(channel.topic)]:
        holding = [
            chunk.chunk_start_offset
            for chunk in index.chunks
            if number in chunk.message_index_offsets and chunk.message_start_time < before_ns
        ]
        if holding:
            places.add(max(holding))
    found: dict[str, Note] = {}
    for place in sorted(places):
        part = next(log.parts(place), None)
        for message in part.messages if isinstance(part, Chunk) else ():
            if _is_state(message.channel.topic) and message.log_ns < before_ns:
                found[message.channel.topic] = Note(message.channel, before_ns, message.payload)
    return found


def _is_state(topic: str) -> bool:
    """Retained: only the last of it counts, and it counts until the next."""
    return topic.startswith(OWN_TOPICS) and topic.rsplit("/", 1)[-1] in _STATES
