"""ROS 1 bags (version 2.0), read from whatever of them is whole.

`rosbags` goes by the index at the end of a bag. It refuses one that was never closed or was cut
off, which is how bags look after a crash, and trusts the lengths in the file. So the records are
walked here: they are few kinds, each with its length in front. The lists of times behind each
chunk are used where they are whole; a chunk without one is looked into.
"""

import heapq
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from sources.replay.bag_records import (
    BAG,
    CHUNK,
    CHUNK_INFO,
    CONNECTION,
    INDEX,
    MESSAGE,
    U32,
    U64,
    Record,
    fields_of,
    records,
    time_ns,
)
from sources.replay.container import Message
from sources.replay.unpack import unpacked
from streamer.errors import SourceLost
from streamer.logfile import ChannelSpec, Schema

LARGEST_HEADER = 1 << 24
"""Bytes of a record's fields. That of a connection repeats a text or two."""
LARGEST_CHUNK = 1 << 29
"""Uncompressed. A chunk holds at least one message, however large; others are 768 KiB."""
LARGEST_HELD = 1 << 29
"""Bytes of messages that wait for chunks which overlap with theirs in time."""

_MAGIC = re.compile(rb"#ROSBAG V(\d{1,3})\.(\d{1,3})\n")
_LONGEST_MAGIC = 20


@dataclass(slots=True)
class _Chunk:
    """Where the packed bytes lie, and what is known of the messages in them."""

    offset: int
    packed: int
    size: int
    compression: str
    start_ns: int | None = None
    end_ns: int | None = None
    counts: Counter[int] = field(default_factory=Counter[int])

    def holds(self, t_ns: int, connection: int) -> None:
        self.start_ns = t_ns if self.start_ns is None else min(self.start_ns, t_ns)
        self.end_ns = t_ns if self.end_ns is None else max(self.end_ns, t_ns)
        self.counts[connection] += 1


class BagLog:
    """One bag, open. The times of its messages are those at which they were recorded."""

    def __init__(self, path: Path) -> None:
        """Raises `SourceLost` for a file that cannot be opened or is no bag of version 2.0."""
        self.path = path
        self.problems: Counter[str] = Counter()
        self._channels: dict[int, ChannelSpec] = {}
        self._chunks: list[_Chunk] = []
        try:
            self._file: BinaryIO = path.open("rb")
        except OSError as error:
            raise SourceLost(f"{path}: cannot be read: {error.strerror}") from None
        try:
            self._size = path.stat().st_size
            self._scan(self._begin())
        except SourceLost:
            self._file.close()
            raise
        except OSError as error:
            self._file.close()
            raise SourceLost(f"{path}: cannot be read: {error.strerror}") from None
        self._found = Counter(self.problems)

    def close(self) -> None:
        self._file.close()

    @property
    def compression(self) -> str:
        return ", ".join(sorted({chunk.compression for chunk in self._chunks}))

    @property
    def start_ns(self) -> int | None:
        return min((c.start_ns for c in self._chunks if c.start_ns is not None), default=None)

    @property
    def end_ns(self) -> int | None:
        return max((c.end_ns for c in self._chunks if c.end_ns is not None), default=None)

    def topics(self) -> Mapping[ChannelSpec, int]:
        counts = sum((chunk.counts for chunk in self._chunks), Counter[int]())
        found: Counter[ChannelSpec] = Counter()
        for number, channel in self._channels.items():
            found[channel] += counts[number]
        return found

    def messages(self, from_ns: int | None = None) -> Iterator[Message]:
        """Sorted across chunks: they may overlap, or lie in any order."""
        self.problems.clear()
        self.problems.update(self._found)
        waiting: list[tuple[int, int, int, Message]] = []
        held = 0
        known = [chunk for chunk in self._chunks if chunk.start_ns is not None]
        for chunk in sorted(known, key=lambda c: (c.start_ns or 0, c.offset)):
            if from_ns is not None and (chunk.end_ns or 0) < from_ns:
                continue
            while waiting and (waiting[0][0] < (chunk.start_ns or 0) or held > LARGEST_HELD):
                message = heapq.heappop(waiting)[-1]
                held -= len(message.payload)
                yield message
            for at, message in self._messages(chunk):
                if from_ns is None or message.log_ns >= from_ns:
                    heapq.heappush(waiting, (message.log_ns, chunk.offset, at, message))
                    held += len(message.payload)
        while waiting:
            yield heapq.heappop(waiting)[-1]

    def _begin(self) -> int:
        """The first byte behind the line that says what this is."""
        found = self._file.read(_LONGEST_MAGIC)
        magic = _MAGIC.match(found)
        if magic is None:
            what = f"it begins with {found!r}" if found else "it is empty"
            raise SourceLost(f"{self.path}: expected a ROS bag, {what}")
        version = b".".join(magic.groups()).decode()
        if version != "2.0":
            raise SourceLost(f"{self.path}: expected a ROS bag of version 2.0, got {version}")
        return magic.end()

    def _scan(self, at: int) -> None:
        """What the file holds: chunks and connections, without unpacking where that is told."""
        latest: _Chunk | None = None
        index_at = self._size
        while at < self._size:
            record = self._record(at)
            left = 0 if record is None else self._size - record.start
            if record is None or record.length > left:
                self.problems[f"cut off or damaged at byte {at}"] += 1
                if record is not None and record.opcode == CHUNK:
                    self._chunk(record, left)
                at = self._next_chunk(at, index_at)
                continue
            start, length = record.start, record.length
            if record.opcode == CHUNK:
                latest = self._chunk(record, length)
            elif record.opcode == INDEX and latest is not None and length <= LARGEST_CHUNK:
                data, connection = self._read(start, length), record.number(b"conn")
                for place in range(0, length - 11, 12):
                    latest.holds(time_ns(data, place), connection)
            elif record.opcode == CONNECTION and length <= LARGEST_HEADER:
                self._connection(record, self._read(start, length))
            elif record.opcode == BAG:
                if record.fields.get(b"encryptor"):
                    raise SourceLost(f"{self.path}: an encrypted bag, which cannot be read")
                index_at = record.number(b"index_pos", U64)
            elif record.opcode not in {CHUNK_INFO, INDEX}:
                self.problems["records of an unknown kind"] += 1
            at = start + length
        self._look_inside()

    def _next_chunk(self, after: int, at: int) -> int:
        """Where a chunk behind byte `after` begins, by the index at the end; else the end.

        Damage to one length would cost all that follows.
        """
        found = [at] if after < at else []
        while after < at and (record := self._record(at)) is not None:
            if record.opcode == CHUNK_INFO:
                found.append(record.number(b"chunk_pos", U64))
            at = record.start + record.length
        return min((place for place in found if place > after), default=self._size)

    def _look_inside(self) -> None:
        """For what the rest of the file did not tell."""
        for chunk in self._chunks:
            # What stands behind a cut is missing, and the list of times with it.
            if not chunk.counts:
                for _ in self._messages(chunk, note=True):
                    pass
            elif not chunk.counts.keys() <= self._channels.keys():
                for _ in self._messages(chunk):
                    pass

    def _record(self, at: int) -> Record | None:
        """None where there is no such."""
        (length,) = U32.unpack(self._read(at, 4).ljust(4, b"\xff"))
        if length > min(LARGEST_HEADER, self._size - at - 8):
            return None
        header = self._read(at + 4, length + 4)
        fields = fields_of(header[:length])
        if fields is None or len(header) < length + 4:
            return None
        return Record(fields, at + 8 + length, U32.unpack_from(header, length)[0])

    def _read(self, at: int, length: int) -> bytes:
        try:
            self._file.seek(at)
            return self._file.read(length)
        except OSError as error:
            raise SourceLost(f"{self.path}: cannot be read: {error.strerror}") from None

    def _chunk(self, record: Record, length: int) -> _Chunk:
        size = record.number(b"size")
        chunk = _Chunk(record.start, length, size, record.text(b"compression"))
        if not 0 <= size <= LARGEST_CHUNK or length > LARGEST_CHUNK:
            self.problems[f"chunks without a size, or larger than {LARGEST_CHUNK} bytes"] += 1
        else:
            self._chunks.append(chunk)
        return chunk

    def _connection(self, record: Record, data: bytes) -> None:
        told = fields_of(data)
        number = record.number(b"conn")
        if told is None:
            self.problems["connections that are damaged"] += 1
        elif number not in self._channels:
            name = told.get(b"type", b"").decode(errors="replace")
            schema = Schema(name, "ros1msg", told.get(b"message_definition", b""))
            self._channels[number] = ChannelSpec(record.text(b"topic"), "ros1", schema)

    def _messages(self, chunk: _Chunk, note: bool = False) -> Iterator[tuple[int, Message]]:
        """Each with its place in the chunk. `note`: nothing is known of what the chunk holds."""
        try:
            packed = self._read(chunk.offset, chunk.packed)
            data, whole = unpacked(chunk.compression, packed, chunk.size)
        except ValueError as error:
            self.problems[f"damaged chunk at byte {chunk.offset}: {error}"[:120]] += 1
            return
        end = 0
        for at, record in records(data):
            end = record.start + record.length
            body = data[record.start : end]
            if record.opcode == CONNECTION:
                self._connection(record, body)
            elif record.opcode == MESSAGE:
                number, t_ns = record.number(b"conn"), record.t_ns
                channel = self._channels.get(number)
                if channel is None or t_ns is None:
                    self.problems["messages of a connection that is not described"] += 1
                    continue
                if note:
                    chunk.holds(t_ns, number)
                yield at, Message(channel, t_ns, t_ns, 0, body)
        if not whole or len(data) != chunk.size or end != len(data):
            self.problems[f"damaged chunk at byte {chunk.offset}"] += 1
