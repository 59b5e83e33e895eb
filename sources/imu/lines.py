"""Inertial readings in lines of text, as serial sensors send them. Pure.

A line is cells between delimiters, perhaps with a first cell that names it and a checksum:
`0.01,-0.02,0.98,1.5,0.2,-0.1` or `$IMU,52341,0.01,...*5C`. Anything may come: the line may be
joined in its middle, lose bytes, or speak of something else.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from math import isfinite
from operator import xor
from typing import Literal, TypeAlias

from sources.imu.units import TimeUnit, exact_ns

LINE_BYTES = 512
"""No reading is longer; what goes on without an end of line is not one."""

_LARGEST = 1e9
"""Of a number in a cell, whatever its unit: more is damage."""

_END = re.compile(rb"[\r\n]+")
_SUM = re.compile(rb"^[$!]?(.*)\*([0-9A-Fa-f]{2})$", re.DOTALL)

Cause: TypeAlias = Literal["half_line", "long_line", "checksum", "garbage"]


class Damaged(ValueError):
    """A line that is no reading, and why."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause)
        self.cause: Cause = cause


@dataclass(frozen=True, slots=True)
class Reading:
    """`stamp_ns` on the device's clock, None where the line has none; six values as they came."""

    stamp_ns: int | None
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where in a line what is. Cells count from 0, the one that names the line included."""

    columns: tuple[int, ...]
    """Of the acceleration x y z and the angular rate x y z."""
    time: int | None = None
    time_unit: TimeUnit = "s"
    delimiter: str = ","
    """A blank stands for any run of blanks and tabs."""
    prefix: str = ""
    """The first cell of a reading."""
    checksum: bool = False
    """Each line ends with `*` and two hexadecimal digits: all bytes before, less a first `$`,
    combined by exclusive or (NMEA 0183)."""

    def parse(self, line: bytes) -> Reading | None:
        """None for a whole line that speaks of something else. Raises `Damaged`."""
        body = self._checked(line)
        try:
            text = body.decode("ascii").strip()
        except UnicodeDecodeError:
            raise Damaged("garbage") from None
        cells = text.split() if self.delimiter == " " else text.split(self.delimiter)
        if self.prefix and cells[:1] != [self.prefix]:
            if self.checksum:
                return None
            raise Damaged("garbage")
        try:
            values = tuple(_number(cells[column]) for column in self.columns)
            stamp_ns = None if self.time is None else exact_ns(cells[self.time], self.time_unit)
        except (IndexError, ValueError):
            raise Damaged("garbage") from None
        return Reading(stamp_ns, values)

    def _checked(self, line: bytes) -> bytes:
        match = _SUM.match(line.strip())
        if not self.checksum:
            return line if match is None else line[: line.rindex(b"*")]
        if match is None:
            raise Damaged("half_line" if line.isascii() else "garbage")
        if reduce(xor, match[1], 0) != int(match[2], 16):
            raise Damaged("checksum")
        return line[: line.rindex(b"*")]


class Splitter:
    """Bytes as they come, cut into lines. Holds `LINE_BYTES` at most.

    `lost` counts what is no line, until somebody takes it: the first, since nobody knows where it
    began, and those that are too long.
    """

    def __init__(self) -> None:
        self.lost: Counter[Cause] = Counter()
        self._rest = b""
        self._skipping: Cause | None = "half_line"
        self._skipped = False

    def push(self, chunk: bytes) -> Iterator[bytes]:
        """Whole lines without their ends; empty ones are left out."""
        *whole, self._rest = _END.split(self._rest + chunk)
        for line in whole:
            if self._skipping is not None:
                if line or self._skipped:
                    self.lost[self._skipping] += 1
                self._skipping, self._skipped = None, False
            elif len(line) > LINE_BYTES:
                self.lost["long_line"] += 1
            elif line:
                yield line
        if len(self._rest) > LINE_BYTES:
            if self._skipping is None:
                self._skipping = "long_line"
            self._rest, self._skipped = b"", True


def _number(cell: str) -> float:
    value = float(cell)
    if not isfinite(value) or abs(value) > _LARGEST:
        raise ValueError(cell)
    return value
