"""What an MCAP file holds, chunk by chunk, read from whatever of it is whole.

Untrusted: every length is checked against what is there before anything of that length is made. A
file that was cut off or damaged gives what comes before, and `problems` counts what was found.
"""

import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias

import lz4.frame
import zstandard
from mcap import records as r
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode

from streamer.errors import SourceLost
from streamer.logfile import ChannelSpec, Schema

MAGIC = b"\x89MCAP0\r\n"
LARGEST_RECORD = 1 << 30
LARGEST_CHUNK = 1 << 29
"""Uncompressed. Chunks of other programs are megabytes."""
LOOSE_MESSAGES = 1000
"""Messages outside of chunks that are given together."""

_HEAD = struct.Struct("<BQ")
_MESSAGE = struct.Struct("<HIQQ")
_FOOTER_BYTES = _HEAD.size + 20 + len(MAGIC)


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
        self.problems: Counter[str] = Counter()
        self.channels: dict[int, ChannelSpec] = {}
        self.whole = False
        """The last `parts` came to the end of the data, and everything was as it should be."""
        self._schemas: dict[int, Schema] = {}
        self._lost: set[int] = set()
        try:
            self._file: BinaryIO = path.open("rb")
        except OSError as error:
            raise SourceLost(f"{path}: cannot be read: {error.strerror}") from None
        self._size = path.stat().st_size
        found = self._file.read(len(MAGIC))
        if found != MAGIC:
            self._file.close()
            raise SourceLost(f"{path}: expected an MCAP file, it begins with {found!r}")

    def close(self) -> None:
        self._file.close()

    def index(self) -> Index | None:
        """None where the file has no usable end: it was cut off, or written without one."""
        try:
            return self._index()
        except (McapError, ValueError, struct.error, OSError):
            return None

    def _index(self) -> Index | None:
        if self._size < len(MAGIC) + _FOOTER_BYTES:
            return None
        self._file.seek(self._size - _FOOTER_BYTES)
        tail = self._file.read(_FOOTER_BYTES)
        opcode, length = _HEAD.unpack_from(tail)
        if opcode != Opcode.FOOTER or length != 20 or tail[-len(MAGIC) :] != MAGIC:
            return None
        start, offsets, crc = struct.unpack_from("<QQI", tail, _HEAD.size)
        end = self._size - _FOOTER_BYTES
        if not len(MAGIC) <= start <= end or end - start > LARGEST_RECORD:
            return None
        self._file.seek(start)
        summary = self._file.read(end - start)
        if crc and zlib.crc32(tail[: _HEAD.size + 16], zlib.crc32(summary)) != crc:
            return None
        del offsets
        found = Index()
        schemas: dict[int, Schema] = {}
        for opcode, at, length in _records(summary):
            record = ReadDataStream(BytesIO(summary[at : at + length]))
            if opcode == Opcode.SCHEMA:
                schema = r.Schema.read(record)
                schemas[schema.id] = Schema(schema.name, schema.encoding, schema.data)
            elif opcode == Opcode.CHANNEL:
                channel = r.Channel.read(record)
                found.channels[channel.id] = _spec(channel, schemas)
            elif opcode == Opcode.CHUNK_INDEX:
                found.chunks.append(r.ChunkIndex.read(record))
            elif opcode == Opcode.METADATA_INDEX:
                found.metadata.append(r.MetadataIndex.read(record))
            elif opcode == Opcode.STATISTICS:
                found.statistics = r.Statistics.read(record)
        return found

    def metadata(self, name: str) -> dict[str, str] | None:
        """The last metadata of that name, by the index where there is one."""
        index = self.index()
        if index is None:
            found = [p.data for p in self.parts() if isinstance(p, Metadata) and p.name == name]
            return found[-1] if found else None
        for entry in reversed(index.metadata):
            if entry.name == name and entry.length <= min(LARGEST_RECORD, self._size):
                self._file.seek(entry.offset)
                record = self._file.read(entry.length)
                try:
                    return r.Metadata.read(ReadDataStream(BytesIO(record[_HEAD.size :]))).metadata
                except (McapError, UnicodeDecodeError, struct.error):
                    return None
        return None

    def parts(self, start: int = len(MAGIC)) -> Iterator[Part]:
        """Everything from the record at byte `start` on. Ends early where the file does."""
        self.whole = False
        self.problems.clear()
        crc = zlib.crc32(MAGIC)
        position = start
        loose: list[Message] = []
        loose_at = start
        self._file.seek(start)
        while True:
            head = self._file.read(_HEAD.size)
            if len(head) < _HEAD.size:
                self.problems[f"cut off at byte {position}"] += 1
                break
            opcode, length = _HEAD.unpack(head)
            if length > min(LARGEST_RECORD, self._size - position - _HEAD.size):
                self.problems[f"cut off or damaged at byte {position}"] += 1
                break
            body = self._file.read(length)
            if opcode == Opcode.DATA_END:
                self._end(body, crc if start == len(MAGIC) else None)
                break
            crc = zlib.crc32(body, zlib.crc32(head, crc)) if start == len(MAGIC) else 0
            if opcode == Opcode.MESSAGE:
                if not loose:
                    loose_at = position
                loose += self._message(body, 0, length)
            if loose and (opcode != Opcode.MESSAGE or len(loose) >= LOOSE_MESSAGES):
                yield Chunk(loose_at, loose)
                loose = []
            if opcode != Opcode.MESSAGE:
                part = self._part(opcode, body, position)
                if part is not None:
                    yield part
            position += _HEAD.size + length
        if loose:
            yield Chunk(loose_at, loose)

    def _end(self, body: bytes, crc: int | None) -> None:
        expected = int.from_bytes(body[:4], "little")
        if crc is not None and expected and expected != crc:
            self.problems["checksum of the data is wrong"] += 1
        self.whole = not self.problems

    def _part(self, opcode: int, body: bytes, position: int) -> Part | None:
        try:
            if opcode == Opcode.CHUNK:
                return Chunk(position, list(self._chunk(body)))
            if opcode == Opcode.METADATA:
                metadata = r.Metadata.read(ReadDataStream(BytesIO(body)))
                return Metadata(metadata.name, metadata.metadata)
            if opcode == Opcode.ATTACHMENT:
                attachment = r.Attachment.read(ReadDataStream(BytesIO(body)))
                return Attachment(attachment.name, attachment.media_type, attachment.data)
            self._define(opcode, body)
        except (McapError, ValueError, struct.error, RuntimeError, EOFError) as error:
            # lz4 raises RuntimeError. What follows may be whole.
            self.problems[f"damaged record at byte {position}: {_short(error)}"] += 1
        except zstandard.ZstdError as error:
            self.problems[f"damaged record at byte {position}: {_short(error)}"] += 1
        return None

    def _define(self, opcode: int, body: bytes) -> None:
        if opcode == Opcode.SCHEMA:
            schema = r.Schema.read(ReadDataStream(BytesIO(body)))
            self._schemas[schema.id] = Schema(schema.name, schema.encoding, schema.data)
        elif opcode == Opcode.CHANNEL:
            channel = r.Channel.read(ReadDataStream(BytesIO(body)))
            if channel.id not in self.channels:
                self.channels[channel.id] = _spec(channel, self._schemas)

    def _chunk(self, body: bytes) -> Iterator[Message]:
        _, _, size, crc, name_length = struct.unpack_from("<QQQII", body)
        at = 32 + name_length
        if size > LARGEST_CHUNK or at + 8 > len(body):
            raise ValueError(f"a chunk of {size} bytes")
        (packed_length,) = struct.unpack_from("<Q", body, at)
        packed = body[at + 8 : at + 8 + packed_length]
        data = _unpacked(body[32:at].decode(), packed, size)
        if len(data) != size:
            raise ValueError(f"a chunk of {size} bytes has {len(data)}")
        if crc and zlib.crc32(data) != crc:
            raise ValueError("checksum of a chunk is wrong")
        for opcode, start, length in _records(data):
            if opcode == Opcode.MESSAGE:
                yield from self._message(data, start, length)
            else:
                self._define(opcode, data[start : start + length])

    def _message(self, data: bytes, start: int, length: int) -> Iterator[Message]:
        number, sequence, log_ns, publish_ns = _MESSAGE.unpack_from(data, start)
        channel = self.channels.get(number)
        if channel is None:
            self.problems[f"messages of channel {number}, which is not described"] += 1
            return
        payload = data[start + _MESSAGE.size : start + length]
        yield Message(channel, log_ns, publish_ns, sequence, payload)


def _records(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Opcode, where the content begins, its length. Raises ValueError where one is cut off."""
    at, end = 0, len(data)
    while at + _HEAD.size <= end:
        opcode, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        if length > end - at:
            raise ValueError(f"a record of {length} bytes where {end - at} are left")
        yield opcode, at, length
        at += length


def _unpacked(compression: str, packed: bytes, size: int) -> bytes:
    """`size` bytes at the most, whatever the packed ones claim."""
    if compression == "":
        return packed
    if compression == "lz4":
        return lz4.frame.LZ4FrameDecompressor().decompress(packed, size)
    if compression == "zstd":
        return zstandard.ZstdDecompressor().decompress(packed, max_output_size=max(1, size))
    raise ValueError(f"unknown compression {compression[:20]!r}")


def _spec(channel: r.Channel, schemas: dict[int, Schema]) -> ChannelSpec:
    return ChannelSpec(
        channel.topic,
        channel.message_encoding,
        schemas.get(channel.schema_id),
        tuple(channel.metadata.items()),
    )


def _short(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:80]
