"""The records of a ROS 1 bag: a list of `name=value`, then data. Pure."""

import struct
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from streamer.types import NS_PER_S

MESSAGE, BAG, INDEX, CHUNK, CHUNK_INFO, CONNECTION = 2, 3, 4, 5, 6, 7
U32 = struct.Struct("<I")
U64 = struct.Struct("<Q")
_TIME = struct.Struct("<II")

Fields: TypeAlias = dict[bytes, bytes]


class Record(NamedTuple):
    fields: Fields
    start: int
    """Where its data begins, and how long that is."""
    length: int

    @property
    def opcode(self) -> int:
        value = self.fields.get(b"op", b"")
        return value[0] if len(value) == 1 else -1

    def number(self, name: bytes, kind: struct.Struct = U32) -> int:
        """-1 where it is missing: no connection has that number."""
        value = self.fields.get(name, b"")
        return int(kind.unpack(value)[0]) if len(value) == kind.size else -1

    def text(self, name: bytes) -> str:
        return self.fields.get(name, b"").decode(errors="replace")

    @property
    def t_ns(self) -> int | None:
        value = self.fields.get(b"time", b"")
        return time_ns(value, 0) if len(value) == _TIME.size else None


def records(data: bytes) -> Iterator[tuple[int, Record]]:
    """Where each begins. Ends early where one is cut off or is none."""
    at = 0
    while at + 8 <= len(data):
        (length,) = U32.unpack_from(data, at)
        start = at + 8 + length
        if start > len(data):
            return
        fields = fields_of(data[at + 4 : start - 4])
        (size,) = U32.unpack_from(data, start - 4)
        if fields is None or start + size > len(data):
            return
        yield at, Record(fields, start, size)
        at = start + size


def time_ns(data: bytes, at: int) -> int:
    seconds, nanoseconds = _TIME.unpack_from(data, at)
    return int(seconds) * NS_PER_S + int(nanoseconds)


def fields_of(header: bytes) -> Fields | None:
    """None for what is no list of `name=value`."""
    fields: Fields = {}
    at = 0
    while at < len(header):
        if at + 4 > len(header):
            return None
        (length,) = U32.unpack_from(header, at)
        at += 4
        name, equals, value = header[at : at + length].partition(b"=")
        if length > len(header) - at or not equals:
            return None
        fields[name] = value
        at += length
    return fields
