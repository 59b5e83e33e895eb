"""ROS 1 bags (version 2.0), read from whatever of them is whole.

`rosbags` goes by the index at the end of a bag. It refuses one that was never closed or was cut
off, which is how bags look after a crash, and trusts the lengths in the file. So the records are
walked here: they are few kinds, each with its length in front. The lists of times behind each
chunk are used where they are whole; a chunk without one is looked into.
"""

import heapq
import re
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from sources.replay.container import Message
from sources.replay.unpack import unpacked
from streamer.errors import SourceLost
from streamer.logfile import ChannelSpec, Schema
from streamer.types import NS_PER_S

LARGEST_HEADER = 1 << 24
"""Bytes of a record's fields. That of a connection repeats a text or two."""
LARGEST_CHUNK = 1 << 29
"""Uncompressed. A chunk holds at least one message, however large; others are 768 KiB."""
LARGEST_HELD = 1 << 29
"""Bytes of messages that wait for chunks which overlap with theirs in time."""

_MESSAGE, _BAG, _INDEX, _CHUNK, _CHUNK_INFO, _CONNECTION = 2, 3, 4, 5, 6, 7
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_TIME = struct.Struct("<II")
_MAGIC = re.compile(rb"#ROSBAG V(\d{1,3})\.(\d{1,3})\n")
_LONGEST_MAGIC = 20

Fields = dict[bytes, bytes]


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
            left = 0 if record is None else self._size - record[1]
            if record is None or record[2] > left:
                self.problems[f"cut off or damaged at byte {at}"] += 1
                if record is not None and _opcode(record[0]) == _CHUNK:
                    self._chunk(record[0], record[1], left)
                at = self._next_chunk(at, index_at)
                continue
            fields, start, length = record
            opcode = _opcode(fields)
            if opcode == _CHUNK:
                latest = self._chunk(fields, start, length)
            elif opcode == _INDEX and latest is not None and length <= LARGEST_CHUNK:
                self._times(fields, self._read(start, length), latest)
            elif opcode == _CONNECTION and length <= LARGEST_HEADER:
                self._connection(fields, self._read(start, length))
            elif opcode == _BAG:
                if fields.get(b"encryptor"):
                    raise SourceLost(f"{self.path}: an encrypted bag, which cannot be read")
                index_at = _number(fields, b"index_pos", _U64)
            elif opcode != _CHUNK_INFO:
                self.problems["records of an unknown kind"] += 1
            at = start + length
        self._look_inside()

    def _next_chunk(self, after: int, at: int) -> int:
        """Where a chunk behind byte `after` begins, by the index at the end; else the end.

        Damage to one length would cost all that follows.
        """
        found = [at] if after < at else []
        while after < at and (record := self._record(at)) is not None:
            if _opcode(record[0]) == _CHUNK_INFO:
                found.append(_number(record[0], b"chunk_pos", _U64))
            at = record[1] + record[2]
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

    def _record(self, at: int) -> tuple[Fields, int, int] | None:
        """Fields, where the data begins, how long it says it is. None where there is no such."""
        (length,) = _U32.unpack(self._read(at, 4).ljust(4, b"\xff"))
        if length > min(LARGEST_HEADER, self._size - at - 8):
            return None
        header = self._read(at + 4, length + 4)
        fields = _fields(header[:length])
        if fields is None or len(header) < length + 4:
            return None
        return fields, at + 8 + length, _U32.unpack_from(header, length)[0]

    def _read(self, at: int, length: int) -> bytes:
        self._file.seek(at)
        return self._file.read(length)

    def _chunk(self, fields: Fields, start: int, length: int) -> _Chunk:
        size = _number(fields, b"size")
        compression = fields.get(b"compression", b"").decode(errors="replace")
        chunk = _Chunk(start, length, size, compression)
        if not 0 <= size <= LARGEST_CHUNK or length > LARGEST_CHUNK:
            self.problems[f"chunks without a size, or larger than {LARGEST_CHUNK} bytes"] += 1
        else:
            self._chunks.append(chunk)
        return chunk

    def _times(self, fields: Fields, data: bytes, chunk: _Chunk) -> None:
        """When the messages of one connection in this chunk were recorded."""
        connection = _number(fields, b"conn")
        for at in range(0, len(data) - 11, 12):
            seconds, nanoseconds = _TIME.unpack_from(data, at)
            chunk.holds(seconds * NS_PER_S + nanoseconds, connection)

    def _connection(self, fields: Fields, data: bytes) -> None:
        told = _fields(data)
        if told is None:
            self.problems["connections that are damaged"] += 1
            return
        name = told.get(b"type", b"").decode(errors="replace")
        schema = Schema(name, "ros1msg", told.get(b"message_definition", b""))
        topic = fields.get(b"topic", b"").decode(errors="replace")
        number = _number(fields, b"conn")
        if number not in self._channels:
            self._channels[number] = ChannelSpec(topic, "ros1", schema)

    def _messages(self, chunk: _Chunk, note: bool = False) -> Iterator[tuple[int, Message]]:
        """Each with its place in the chunk. `note`: nothing is known of what the chunk holds."""
        try:
            packed = self._read(chunk.offset, chunk.packed)
            data, whole = unpacked(chunk.compression, packed, chunk.size)
        except ValueError as error:
            self.problems[f"damaged chunk at byte {chunk.offset}: {error}"[:120]] += 1
            return
        except OSError as error:
            raise SourceLost(f"{self.path}: cannot be read: {error.strerror}") from None
        whole = whole and len(data) == chunk.size
        if not whole:
            self.problems[f"damaged chunk at byte {chunk.offset}"] += 1
        at = 0
        while at + 8 <= len(data):
            (length,) = _U32.unpack_from(data, at)
            start = at + 8 + length
            if start > len(data):
                break
            (size,) = _U32.unpack_from(data, start - 4)
            fields = _fields(data[at + 4 : start - 4])
            if fields is None or start + size > len(data):
                break
            opcode = _opcode(fields)
            if opcode == _CONNECTION:
                self._connection(fields, data[start : start + size])
            elif opcode == _MESSAGE:
                number, stamp = _number(fields, b"conn"), fields.get(b"time", b"")
                channel = self._channels.get(number)
                if channel is None or len(stamp) != _TIME.size:
                    self.problems["messages of a connection that is not described"] += 1
                else:
                    seconds, nanoseconds = _TIME.unpack(stamp)
                    t_ns = seconds * NS_PER_S + nanoseconds
                    if note:
                        chunk.holds(t_ns, number)
                    yield at, Message(channel, t_ns, t_ns, 0, data[start : start + size])
            at = start + size
        if at < len(data) and whole:
            self.problems[f"damaged record in the chunk at byte {chunk.offset}"] += 1


def _fields(header: bytes) -> Fields | None:
    """None for what is no list of `name=value`."""
    fields: Fields = {}
    at = 0
    while at < len(header):
        if at + 4 > len(header):
            return None
        (length,) = _U32.unpack_from(header, at)
        at += 4
        name, equals, value = header[at : at + length].partition(b"=")
        if length > len(header) - at or not equals:
            return None
        fields[name] = value
        at += length
    return fields


def _opcode(fields: Fields) -> int:
    value = fields.get(b"op", b"")
    return value[0] if len(value) == 1 else -1


def _number(fields: Fields, name: bytes, kind: struct.Struct = _U32) -> int:
    """-1 where it is missing: no connection has that number."""
    value = fields.get(name, b"")
    return kind.unpack(value)[0] if len(value) == kind.size else -1
