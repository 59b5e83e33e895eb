"""How the numbers of a VRS record lie, as the file describes it in JSON. Pure."""

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

_LARGEST = 1 << 28
_NUMBERS = {
    "Bool": "?", "int8_t": "b", "uint8_t": "B", "int16_t": "<h", "uint16_t": "<H", "int32_t": "<i",
    "uint32_t": "<I", "int64_t": "<q", "uint64_t": "<Q", "float": "<f", "double": "<d",
}  # fmt: skip
_PIECE = re.compile(r"DataPiece(Value|Array|Vector|String)(?:<(\w+)>)?")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the numbers of a record lie: `fixed` bytes, an index of `varying` parts, the parts.

    `places`: form, byte and how many. `vectors`: form, and which of the parts.
    """

    places: Mapping[str, tuple[str, int, int]]
    vectors: Mapping[str, tuple[str, int]]
    fixed: int
    varying: int

    def read(self, body: bytes) -> tuple[dict[str, Any], int]:
        """The numbers, and how many bytes they take. Raises ValueError for too few."""
        at = self.fixed + 8 * self.varying
        if at > len(body):
            raise ValueError(f"expected {at} bytes of numbers, got {len(body)}")
        numbers: dict[str, Any] = {}
        for name, (form, offset, count) in self.places.items():
            found = struct.unpack_from(f"<{count}{form[-1]}", body, offset)
            numbers[name] = found[0] if count == 1 else found
        index = list(struct.iter_unpack("<II", body[self.fixed : at]))
        end = at
        for offset, size in index:
            end = max(end, at + offset + size)
        for name, (form, place) in self.vectors.items():
            offset, size = index[place]
            if offset + size > len(body) - at:
                raise ValueError(f"{name}: expected {size} bytes, {len(body) - at} are left")
            count = size // struct.calcsize(form)
            numbers[name] = struct.unpack_from(f"<{count}{form[-1]}", body, at + offset)
        return numbers, end


def layout_of(text: str) -> Layout | None:
    """None for what is no description of numbers."""
    try:
        pieces = cast(list[dict[str, Any]], json.loads(text)["data_layout"])
        return _of_pieces(pieces)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _of_pieces(pieces: list[dict[str, Any]]) -> Layout:
    places: dict[str, tuple[str, int, int]] = {}
    vectors: dict[str, tuple[str, int]] = {}
    fixed = varying = 0
    for piece in pieces:
        match = _PIECE.match(piece["type"])
        if match is None:
            raise ValueError(f"a piece of type {piece['type']}")
        kind, name = match.group(1), str(piece["name"])
        if kind == "String":
            varying = max(varying, int(piece["index"]) + 1)
            continue
        form = _NUMBERS[match.group(2)]
        if kind == "Vector":
            vectors[name] = (form, int(piece["index"]))
            varying = max(varying, int(piece["index"]) + 1)
            continue
        count, offset = int(piece.get("size", 1)), int(piece["offset"])
        if count < 1 or not 0 <= offset <= _LARGEST or count > _LARGEST:
            raise ValueError(f"{name}: {count} numbers at byte {offset}")
        places[name] = (form, offset, count)
        fixed = max(fixed, offset + count * struct.calcsize(form))
    return Layout(places, vectors, fixed, varying)
