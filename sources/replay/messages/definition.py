"""Definitions of ROS messages as text (`ros1msg`, `ros2msg`), parsed. Pure.

Nothing of the text is ever run: it comes with a file that anybody may have made.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

LONGEST = 1 << 20
_DEEPEST = 16
_MOST_FIELDS = 2000

NUMBERS: Final[Mapping[str, str]] = {
    "bool": "B",
    "byte": "B",
    "char": "B",
    "int8": "b",
    "uint8": "B",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
}
"""Types of one number, with their codes in `struct`."""

_TIMES = frozenset({"time", "duration"})
_FIELD = re.compile(
    r"(?P<type>[A-Za-z][\w/]*)(?:<=\d+)?(?P<array>\[(?:<=)?\d*\])?\s+(?P<name>\w+)\s*(?P<rest>.*)"
)
_SEPARATOR = re.compile(r"^={3,}\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Field:
    """`count`: None for one value, -1 for a sequence with its length before it, else an array."""

    name: str
    kind: "str | Struct"
    count: int | None = None


Struct: TypeAlias = tuple[Field, ...]
"""The fields of a message, in order. A `kind` that is a text is a number, `string` or a time."""


def parse(name: str, text: str) -> Struct:
    """The message `name` with everything that it is made of. Raises ValueError."""
    if len(text) > LONGEST:
        raise ValueError(f"a definition of {len(text)} characters")
    first, *others = _SEPARATOR.split(text)
    sections = {_plain(name): first}
    for other in others:
        head, _, body = other.strip().partition("\n")
        if not head.startswith("MSG:"):
            raise ValueError(f"a definition that begins with {head[:40]!r}")
        sections[_plain(head[4:].strip())] = body
    return _Reader(sections).struct(_plain(name), 0)


def _plain(name: str) -> str:
    """`package/Type`, for ROS 1 and ROS 2 alike."""
    parts = name.split("/")
    return name if len(parts) == 1 else f"{parts[0]}/{parts[-1]}"


class _Reader:
    def __init__(self, sections: Mapping[str, str]) -> None:
        self._sections = sections
        self._fields = 0

    def struct(self, name: str, depth: int) -> Struct:
        if depth > _DEEPEST:
            raise ValueError(f"a definition with more than {_DEEPEST} levels")
        fields: list[Field] = []
        for line in self._sections[name].splitlines():
            stripped = line.strip()
            if not stripped or stripped.startswith("#"):
                continue
            found = _FIELD.match(stripped)
            if found is None:
                raise ValueError(f"a line of a definition that reads {stripped[:40]!r}")
            if found["rest"].startswith("="):
                continue  # a constant
            self._fields += 1
            if self._fields > _MOST_FIELDS:
                raise ValueError(f"a definition with more than {_MOST_FIELDS} fields")
            kind = self._kind(found["type"], name, depth)
            fields.append(Field(found["name"], kind, _count(found["array"])))
        return tuple(fields)

    def _kind(self, kind: str, within: str, depth: int) -> str | Struct:
        if kind in NUMBERS or kind in _TIMES or kind == "string":
            return kind
        wanted = "std_msgs/Header" if kind == "Header" else _plain(kind)
        if wanted in ("builtin_interfaces/Time", "builtin_interfaces/Duration"):
            return "time"
        package = within.partition("/")[0]
        for known in (wanted, f"{package}/{wanted}"):
            if known in self._sections:
                return self.struct(known, depth + 1)
        raise ValueError(f"a definition without {kind[:40]}")


def _count(array: str | None) -> int | None:
    if array is None:
        return None
    digits = array.strip("[]")
    return int(digits) if digits.isdecimal() and len(digits) < 8 else -1
