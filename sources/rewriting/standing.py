"""What stood published when a part of a log begins: the model, and the states of the sources."""

from pathlib import Path

from sources.recording.format import OWN_TOPICS
from sources.recording.note import Note
from sources.replay.container import MAGIC, Chunk, McapLog

_STATES = "status", "meta"


def standing(path: Path, before_ns: int) -> list[Note]:
    """The last of each state before a time, told again at that time. Raises `SourceLost`.

    By the index a few chunks are read for it; without one, all of the file.
    """
    log = McapLog(path)
    try:
        found: dict[str, Note] = {}
        for place in _places(log, before_ns):
            for part in log.parts(place):
                for message in part.messages if isinstance(part, Chunk) else ():
                    if is_state(message.channel.topic) and message.log_ns < before_ns:
                        note = Note(message.channel, before_ns, message.payload)
                        found[message.channel.topic] = note
                if place != len(MAGIC):
                    break
        return list(found.values())
    finally:
        log.close()


def _places(log: McapLog, before_ns: int) -> list[int]:
    """Of the last chunk with each state; the beginning, to read on from, where none are known."""
    index = log.index()
    if index is None or not index.chunks:
        return [len(MAGIC)]
    log.channels.update(index.channels)
    places: set[int] = set()
    for number in [n for n, channel in index.channels.items() if is_state(channel.topic)]:
        holding = [
            chunk.chunk_start_offset
            for chunk in index.chunks
            if number in chunk.message_index_offsets and chunk.message_start_time < before_ns
        ]
        if holding:
            places.add(max(holding))
    return sorted(places)


def is_state(topic: str) -> bool:
    """Retained: only the last of it counts, and it counts until the next."""
    return topic.startswith(OWN_TOPICS) and topic.rsplit("/", 1)[-1] in _STATES
