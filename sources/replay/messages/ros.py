"""Messages of ROS 1 and of ROS 2 (CDR), read by their definition. Pure.

Every length in a message is checked against what is left of it.
"""

import struct
from typing import Any, TypeAlias

import numpy as np

from sources.replay.messages.definition import NUMBERS, Struct

Fields: TypeAlias = dict[str, Any]
"""By name: numbers, texts, `Fields`; arrays of bytes as `memoryview`, of numbers as numpy views,
of anything else as lists. A time is nanoseconds."""

_PADDING = 3
"""Writers of CDR fill messages up to a multiple of four bytes."""
_MOST_ELEMENTS = 1 << 20
"""Of lists in one message: those of messages without fields take no bytes."""
_BYTES = frozenset({"uint8", "byte", "char"})


def read(payload: bytes, layout: Struct, *, cdr: bool) -> tuple[Fields, int]:
    """What the message says, and how many bytes follow its end. Raises ValueError."""
    cursor = _Cdr(payload) if cdr else _Cursor(payload)
    try:
        fields = _struct(cursor, layout)
    except struct.error:
        raise ValueError("cut off") from None
    rest = len(payload) - cursor.at
    return fields, 0 if cdr and rest <= _PADDING else rest


class _Cursor:
    """ROS 1: everything packed, low byte first."""

    order = "<"

    def __init__(self, payload: bytes) -> None:
        self.payload, self.at = payload, 0
        self.elements = 0

    def align(self, size: int) -> None:
        del size

    def number(self, code: str) -> Any:
        size = struct.calcsize(code)
        self.align(size)
        (value,) = struct.unpack_from(self.order + code, self.payload, self.at)
        self.at += size
        return value

    def take(self, size: int) -> memoryview:
        if size > len(self.payload) - self.at:
            raise ValueError(f"{size} bytes expected where {len(self.payload) - self.at} are left")
        found = memoryview(self.payload)[self.at : self.at + size]
        self.at += size
        return found

    def text(self) -> str:
        return bytes(self.take(self.number("I"))).decode(errors="replace").rstrip("\0")


class _Cdr(_Cursor):
    """ROS 2: numbers at multiples of their size behind the four bytes that say how to read."""

    def __init__(self, payload: bytes) -> None:
        super().__init__(payload)
        kind = payload[1] if len(payload) >= 4 and payload[0] == 0 else -1
        if kind not in (0, 1, 6, 7):
            raise ValueError(f"not CDR, begins with {payload[:4]!r}")
        self.order = "<" if kind & 1 else ">"
        self._largest = 8 if kind < 2 else 4
        self.at = 4

    def align(self, size: int) -> None:
        size = min(size, self._largest)
        self.at += -(self.at - 4) % size


def _struct(cursor: _Cursor, layout: Struct) -> Fields:
    fields: Fields = {}
    for field in layout:
        if field.count is None:
            fields[field.name] = _one(cursor, field.kind)
            continue
        count = cursor.number("I") if field.count < 0 else field.count
        fields[field.name] = _array(cursor, field.kind, count)
    return fields


def _one(cursor: _Cursor, kind: str | Struct) -> Any:
    if not isinstance(kind, str):
        return _struct(cursor, kind)
    if kind == "string":
        return cursor.text()
    if kind in ("time", "duration"):
        # ROS 2 has signed seconds, ROS 1 unsigned ones, which matters after 2038.
        seconds = cursor.number("i" if isinstance(cursor, _Cdr) else "I")
        return seconds * 1_000_000_000 + cursor.number("I")
    return cursor.number(NUMBERS[kind])


def _array(cursor: _Cursor, kind: str | Struct, count: int) -> Any:
    if isinstance(kind, str) and kind in NUMBERS:
        if not count:
            return np.empty(0)
        if kind in _BYTES:
            return cursor.take(count)
        dtype = np.dtype(cursor.order + NUMBERS[kind])
        cursor.align(dtype.itemsize)
        return np.frombuffer(cursor.take(count * dtype.itemsize), dtype)
    cursor.elements += count
    if cursor.elements > _MOST_ELEMENTS:
        raise ValueError(f"{cursor.elements} elements in {len(cursor.payload)} bytes")
    return [_one(cursor, kind) for _ in range(count)]
