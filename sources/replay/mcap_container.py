"""An MCAP file of any origin as a container: in order of time, however its chunks lie."""

from collections import Counter
from collections.abc import Iterator, Mapping
from heapq import heappop, heappush
from pathlib import Path
from typing import NamedTuple

from sources.replay.container import Chunk, Index, McapLog, Message
from streamer.logfile import ChannelSpec

HELD_BYTES = 256 << 20
"""Payload that waits to be put in order. Chunks overlap a little; more is a lie or a ruin."""


MANY_MESSAGES = 1 << 19
"""What a part has at the least that may not be all of its chunk."""


class _Extent(NamedTuple):
    """The times of the messages in one part of the file."""

    start_ns: int
    end_ns: int
    offset: int


class McapContainer:
    """By the index, where the file has one that can be used; else everything is read once."""

    def __init__(self, path: Path) -> None:
        """Raises `SourceLost` for a file that cannot be opened or is no MCAP."""
        self._log = McapLog(path)
        self._topics: dict[ChannelSpec, int] = {}
        self._extents: list[_Extent] = []
        self._of_file: Counter[str] = Counter()
        self._of_reading: Counter[str] = Counter()
        index = self._log.index()
        if index is None or not self._indexed(index):
            self._read_once()
        self._extents.sort()

    @property
    def problems(self) -> Counter[str]:
        """Of the file as a whole, and of the last reading."""
        found = Counter(self._of_file)
        for cause, count in self._of_reading.items():
            found[cause] = max(found[cause], count)
        return found

    @property
    def start_ns(self) -> int | None:
        return self._extents[0].start_ns if self._extents else None

    @property
    def end_ns(self) -> int | None:
        return max((extent.end_ns for extent in self._extents), default=None)

    def topics(self) -> Mapping[ChannelSpec, int]:
        return self._topics

    def messages(self, from_ns: int | None = None) -> Iterator[Message]:
        self._of_reading = Counter()
        waiting: list[tuple[int, int, int, Message]] = []
        held = 0
        for extent in self._extents:
            if from_ns is not None and extent.end_ns < from_ns:
                continue
            while waiting and (waiting[0][0] < extent.start_ns or held > HELD_BYTES):
                message = heappop(waiting)[-1]
                held -= len(message.payload)
                yield message
            for number, message in enumerate(self._part(extent.offset)):
                if from_ns is None or message.log_ns >= from_ns:
                    heappush(waiting, (message.log_ns, extent.offset, number, message))
                    held += len(message.payload)
        while waiting:
            yield heappop(waiting)[-1]

    def close(self) -> None:
        self._log.close()

    def _indexed(self, index: Index) -> bool:
        """Take what the index says, if it says enough: all channels and all chunks."""
        told = index.statistics
        if (
            told is None
            or not index.chunks
            or told.chunk_count != len(index.chunks)
            or told.channel_count != len(index.channels)
            or not told.channel_message_counts.keys() <= index.channels.keys()
            or told.message_count != sum(told.channel_message_counts.values())
        ):
            return False
        self._log.channels.update(index.channels)
        for number, spec in index.channels.items():
            count = told.channel_message_counts.get(number, 0)
            self._topics[spec] = self._topics.get(spec, 0) + count
        self._extents = [
            _Extent(c.message_start_time, c.message_end_time, c.chunk_start_offset)
            for c in index.chunks
        ]
        return True

    def _read_once(self) -> None:
        extents: dict[int, _Extent] = {}
        for part in self._log.parts():
            if not isinstance(part, Chunk) or not part.messages:
                continue
            times = [message.log_ns for message in part.messages]
            known = extents.get(part.offset, _Extent(times[0], times[0], part.offset))
            extents[part.offset] = _Extent(
                min(known.start_ns, *times), max(known.end_ns, *times), part.offset
            )
            for message in part.messages:
                self._topics[message.channel] = self._topics.get(message.channel, 0) + 1
        self._extents = list(extents.values())
        self._of_file.update(self._log.problems)
        for spec in self._log.channels.values():
            self._topics.setdefault(spec, 0)

    def _part(self, offset: int) -> Iterator[Message]:
        """The messages that lie at `offset`; none where they are damaged."""
        for part in self._log.parts(offset):
            if not isinstance(part, Chunk):
                continue
            # What follows a damaged chunk has a place of its own.
            if part.offset != offset:
                break
            yield from part.messages
            if len(part.messages) < MANY_MESSAGES:
                break
        self._of_reading.update(self._log.problems)
