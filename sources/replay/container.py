"""What an MCAP file holds, chunk by chunk, read from whatever of it is whole.

Untrusted: every length is checked against what is there before anything of that length is made. A
file that was cut off or damaged gives what comes before, and `problems` counts what was found.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias

import zstandard
from mcap import records as r
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode

from sources.replay.causes import Causes
from sources.replay.records import (
    HEAD,
    LARGEST_CHUNK,
    LARGEST_TEXTS,
    bounded,
    records,
    short,
    spec_of,
    unpacked,
)
from streamer.errors import SourceLost
from streamer.logfile import ChannelSpec, Schema

MAGIC = b"\x89MCAP0\r\n"
LARGEST_RECORD = 1 << 30
LARGEST_SUMMARY = 1 << 26
"""The index of a file of some hundred gigabytes; beyond, it is read without one."""
LOOSE_MESSAGES = 1000
"""Messages outside of chunks that are given together."""
MOST_MESSAGES = 1 << 19
"""Of a chunk that are given together: a chunk of empty messages has millions."""
LATEST_NS = (1 << 62) - 1
"""Stamps beyond, in the year 2116, are lies, and no sum of two within leaves 64 bits."""

_KINDS: dict[int, str] = {
    Opcode.HEADER: "header",
    Opcode.SCHEMA: "schema",
    Opcode.CHANNEL: "channel",
    Opcode.MESSAGE: "message",
    Opcode.CHUNK: "chunk",
    Opcode.ATTACHMENT: "attachment",
    Opcode.METADATA: "metadata",
}

_MESSAGE = struct.Struct("<HIQQ")
_FOOTER_BYTES = HEAD.size + 20 + len(MAGIC)


class Message(NamedTuple):
    channel: ChannelSpec
    log_ns: int
    publish_ns: int
    sequence: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Chunk:
    """Messages in the order of the file, and where the record that held them begins."""

    offset: int
    messages: list[Message]


@dataclass(frozen=True, slots=True)
class Metadata:
    name: str
    data: dict[str, str]


@dataclass(frozen=True, slots=True)
class Attachment:
    name: str
    media_type: str
    data: bytes
    log_ns: int = 0
    created_ns: int = 0


Part: TypeAlias = Chunk | Metadata | Attachment


@dataclass(slots=True)
class Index:
    """What the end of a file says is in it, where it has such an end."""

    chunks: list[r.ChunkIndex] = field(default_factory=list[r.ChunkIndex])
    metadata: list[r.MetadataIndex] = field(default_factory=list[r.MetadataIndex])
    channels: dict[int, ChannelSpec] = field(default_factory=dict[int, ChannelSpec])
    statistics: r.Statistics | None = None


class McapLog:
    """One file, open. Channels become known as they are met, or from the index."""

    def __init__(self, path: Path) -> None:
        """Raises `SourceLost` for a file that cannot be opened or is no MCAP."""
        self.path = path
        self._causes = Causes()
        self.problems = self._causes.counts
        self.channels: dict[int, ChannelSpec] = {}
        self.whole = False
        """The last `parts` came to the end of the data, and everything was as it should be."""
        self.position = 0
        """How far the last `parts` has read; behind its end, what it could not read."""
        self.profile = self.library = ""
        """What the file says of itself in its first record, once `parts` has met that."""
        self._ends_at: tuple[int, int] | None = None
        """Where the last `parts` found the end of the data, and the checksum it has there."""
        self._schemas: dict[int, Schema] = {}
        self._texts = 0
        self._indexed: tuple[Index | None] | None = None
        self._opening: dict[str, dict[str, str]] | None = None
        try:
            self._file: BinaryIO = path.open("rb")
        except OSError as error:
            raise SourceLost(f"{path}: cannot be read: {error.strerror}") from None
        try:
            self.size = path.stat().st_size
            found = self._file.read(len(MAGIC))
        except OSError as error:
            self._file.close()
            raise SourceLost(f"{path}: cannot be read: {error.strerror}") from None
        if found != MAGIC:
            self._file.close()
            raise SourceLost(f"{path}: expected an MCAP file, it begins with {found!r}")

    def close(self) -> None:
        self._file.close()

    def sealed(self) -> bool:
        """Nothing in the file is beyond what a checksum covers, behind the data neither.

        Asked for after `parts` came to its end: that is what goes over the data.
        """
        tail = self._tail()
        if not self.whole or self._ends_at is None or tail is None:
            return False
        at, data_crc = self._ends_at
        start, _, crc = struct.unpack_from("<QQI", tail, HEAD.size)
        return bool(data_crc and crc) and start == at and self.index() is not None

    @property
    def closed(self) -> bool:
        """The file has the end of one that was closed."""
        return self._tail() is not None

    def _tail(self) -> bytes | None:
        if self.size < len(MAGIC) + _FOOTER_BYTES:
            return None
        try:
            self._file.seek(self.size - _FOOTER_BYTES)
            tail = self._file.read(_FOOTER_BYTES)
        except OSError:  # a card that is dying: who reads it all says where
            return None
        return tail if tail[-len(MAGIC) :] == MAGIC else None

    def index(self) -> Index | None:
        """None where the file has no usable end: it was cut off, or written without one."""
        if self._indexed is None:
            try:
                self._indexed = (self._index(),)
            except (McapError, ValueError, struct.error, OSError):
                # What is damaged here is found again, and counted, by who reads it all.
                self._indexed = (None,)
        return self._indexed[0]

    def _index(self) -> Index | None:
        tail = self._tail()
        if tail is None:
            return None
        opcode, length = HEAD.unpack_from(tail)
        if opcode != Opcode.FOOTER or length != 20:
            return None
        start, offsets, crc = struct.unpack_from("<QQI", tail, HEAD.size)
        end = self.size - _FOOTER_BYTES
        if not len(MAGIC) <= start <= end or end - start > LARGEST_SUMMARY:
            return None
        self._file.seek(start)
        summary = self._file.read(end - start)
        if crc and zlib.crc32(tail[: HEAD.size + 16], zlib.crc32(summary)) != crc:
            return None
        del offsets
        found = Index()
        schemas: dict[int, Schema] = {}
        for opcode, at, length in records(summary):
            record = ReadDataStream(BytesIO(summary[at : at + length]))
            if opcode == Opcode.SCHEMA:
                schema = r.Schema.read(record)
                schemas[schema.id] = Schema(schema.name, schema.encoding, schema.data)
            elif opcode == Opcode.CHANNEL:
                channel = r.Channel.read(record)
                found.channels[channel.id] = spec_of(channel, schemas)
            elif opcode == Opcode.CHUNK_INDEX:
                chunk = r.ChunkIndex.read(record)
                if len(MAGIC) <= chunk.chunk_start_offset < start:
                    found.chunks.append(chunk)
            elif opcode == Opcode.METADATA_INDEX:
                found.metadata.append(r.MetadataIndex.read(record))
            elif opcode == Opcode.STATISTICS:
                found.statistics = r.Statistics.read(record)
        return found

    def opening(self, name: str) -> dict[str, str] | None:
        """The last metadata of that name before the first messages; by the index, of all."""
        if self.index() is not None:
            return self.metadata(name)
        if self._opening is None:
            before = takewhile(lambda part: not isinstance(part, Chunk), self.parts())
            self._opening = {p.name: p.data for p in before if isinstance(p, Metadata)}
        return self._opening.get(name)

    def metadata(self, name: str) -> dict[str, str] | None:
        """The last metadata of that name, by the index where there is one; else all is read."""
        index = self.index()
        if index is None:
            found = [p.data for p in self.parts() if isinstance(p, Metadata) and p.name == name]
            return found[-1] if found else None
        for entry in reversed(index.metadata):
            if entry.name == name and entry.offset < self.size and entry.length <= LARGEST_TEXTS:
                try:
                    self._file.seek(entry.offset)
                    record = self._file.read(entry.length)
                    return r.Metadata.read(ReadDataStream(BytesIO(record[HEAD.size :]))).metadata
                except (McapError, UnicodeDecodeError, struct.error, OSError):
                    return None
        return None

    def parts(self, start: int = len(MAGIC)) -> Iterator[Part]:
        """Everything from the record at byte `start` on. Ends early where the file does."""
        self.whole = False
        self._causes.clear()
        self._ends_at = None
        crc = zlib.crc32(MAGIC)
        position = start
        loose: list[Message] = []
        loose_at = start
        self._file.seek(start)
        while True:
            self.position = position
            head = self._read(HEAD.size, position)
            if head is None:
                break
            if len(head) < HEAD.size:
                self._causes.add("cut off", f"at byte {position}")
                break
            opcode, length = HEAD.unpack(head)
            if length > min(LARGEST_RECORD, self.size - position - HEAD.size):
                self._causes.add("cut off or damaged", f"at byte {position}")
                break
            body = self._read(length, position)
            if body is None:
                break
            if opcode == Opcode.DATA_END:
                self._end(body, position, crc if start == len(MAGIC) else None)
                self.position = self.size
                break
            crc = zlib.crc32(body, zlib.crc32(head, crc)) if start == len(MAGIC) else 0
            if loose and (opcode != Opcode.MESSAGE or len(loose) >= LOOSE_MESSAGES):
                yield Chunk(loose_at, loose)
                loose = []
            if opcode == Opcode.MESSAGE and not loose:
                loose_at = position
            for part in self._parts(opcode, body, position):
                if opcode == Opcode.MESSAGE and isinstance(part, Chunk):
                    loose += part.messages
                else:
                    yield part
            position += HEAD.size + length
        if loose:
            yield Chunk(loose_at, loose)

    def _read(self, size: int, position: int) -> bytes | None:
        """None where the disk does not give it: what comes before is not lost for that."""
        try:
            return self._file.read(size)
        except OSError as error:
            self._causes.add("cannot be read", f"at byte {position}: {error.strerror}")
            return None

    def _end(self, body: bytes, position: int, crc: int | None) -> None:
        expected = int.from_bytes(body[:4], "little")
        self._ends_at = position + HEAD.size + len(body), expected
        if len(body) < 4:  # the format lets later versions write more
            self._causes.add("damaged record", f"at byte {position}")
        if crc is not None and expected and expected != crc:
            self._causes.add("checksum of the data is wrong")
        self.whole = not self.problems

    def _parts(self, opcode: int, body: bytes, position: int) -> Iterator[Part]:
        """What one record is. Nothing of one that is damaged, and what follows may be whole."""
        try:
            if opcode == Opcode.CHUNK:
                for messages in self._chunk(body):
                    yield Chunk(position, messages)
            elif opcode == Opcode.MESSAGE:
                message = self._message(body, 0, len(body))
                if message is not None:
                    yield Chunk(position, [message])
            elif opcode == Opcode.METADATA:
                bounded(body)
                metadata = r.Metadata.read(ReadDataStream(BytesIO(body)))
                yield Metadata(metadata.name, metadata.metadata)
            elif opcode == Opcode.ATTACHMENT:
                found = r.Attachment.read(ReadDataStream(BytesIO(body)))
                yield Attachment(
                    found.name, found.media_type, found.data, found.log_time, found.create_time
                )
            else:
                self._define(opcode, body)
        except (
            McapError,
            ValueError,
            struct.error,
            RuntimeError,  # lz4's
            EOFError,
            zstandard.ZstdError,
        ) as error:
            kind = _KINDS.get(opcode, "record")
            self._causes.add(f"damaged {kind}", f"at byte {position}: {short(error)}")

    def _define(self, opcode: int, body: bytes) -> None:
        if opcode == Opcode.HEADER:
            bounded(body)
            header = r.Header.read(ReadDataStream(BytesIO(body)))
            self.profile, self.library = header.profile, header.library
        elif opcode == Opcode.SCHEMA:
            schema = r.Schema.read(ReadDataStream(BytesIO(body)))
            found = Schema(schema.name, schema.encoding, schema.data)
            if self._schemas.get(schema.id) != found:
                self._remember(body)
                self._schemas[schema.id] = found
        elif opcode == Opcode.CHANNEL and int.from_bytes(body[:2], "little") not in self.channels:
            self._remember(body)
            channel = r.Channel.read(ReadDataStream(BytesIO(body)))
            self.channels[channel.id] = spec_of(channel, self._schemas)

    def _remember(self, body: bytes) -> None:
        """Raises ValueError where all that must be kept of a file becomes too much."""
        self._texts += len(body)
        if self._texts > LARGEST_TEXTS:
            raise ValueError(f"more than {LARGEST_TEXTS} bytes of channels and schemas")

    def _chunk(self, body: bytes) -> Iterator[list[Message]]:
        _, _, size, crc, name_length = struct.unpack_from("<QQQII", body)
        at = 32 + name_length
        if size > LARGEST_CHUNK or at + 8 > len(body):
            raise ValueError(f"a chunk of {size} bytes")
        (packed_length,) = struct.unpack_from("<Q", body, at)
        packed = memoryview(body)[at + 8 : at + 8 + packed_length]
        data = unpacked(body[32:at].decode(), packed, size)
        if len(data) != size:
            raise ValueError(f"a chunk of {size} bytes has {len(data)}")
        if crc and zlib.crc32(data) != crc:
            raise ValueError("checksum of a chunk is wrong")
        messages: list[Message] = []
        message_opcode = int(Opcode.MESSAGE)
        for opcode, start, length in records(data):
            if opcode == message_opcode:
                message = self._message(data, start, length)
                if message is not None:
                    messages.append(message)
                if len(messages) >= MOST_MESSAGES:
                    yield messages
                    messages = []
            else:
                self._define(opcode, data[start : start + length])
        if messages:
            yield messages

    def _message(self, data: bytes, start: int, length: int) -> Message | None:
        if length < _MESSAGE.size:
            raise ValueError(f"a message of {length} bytes")
        number, sequence, log_ns, publish_ns = _MESSAGE.unpack_from(data, start)
        channel = self.channels.get(number)
        if channel is None:
            self._causes.add("messages of a channel that is not described", f"channel {number}")
            return None
        if max(log_ns, publish_ns) > LATEST_NS:
            self._causes.add("messages with an impossible stamp", f"{max(log_ns, publish_ns)} ns")
            return None
        payload = data[start + _MESSAGE.size : start + length]
        return Message(channel, log_ns, publish_ns, sequence, payload)
