"""Inertial readings in lines of text, as serial sensors send them. Pure.

A line is cells between delimiters, perhaps with a first cell that names it and a checksum:
`0.01,-0.02,0.98,1.5,0.2,-0.1` or `$IMU,52341,0.01,...*5C`. Anything may come: the line may be
joined in its middle, lose bytes, or speak of something else.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from math import isfinite, nan
from operator import xor
from typing import Literal, TypeAlias

from sources.imu.units import TimeUnit, exact_ns
from streamer.types import NS_PER_S

LINE_BYTES = 512
"""No reading is longer; what goes on without an end of line is not one."""

FRUITLESS_NS = 3 * NS_PER_S
FRUITLESS_LINES = 50
"""None of so many lines in so long a time is a reading: what was declared is not what comes."""

_SHOWN = 80
"""Characters of a line that a message repeats."""

_LARGEST = 1e9
"""Of a number in a cell, whatever its unit: more is damage."""

_NO_TEXT = "not text: is the baud rate right?"

_END = re.compile(rb"[\r\n]+")
_SUM = re.compile(rb"^[$!]?(.*)\*([0-9A-Fa-f]{2})$", re.DOTALL)

Cause: TypeAlias = Literal["half_line", "long_line", "checksum", "garbage"]


class Damaged(ValueError):
    """A line that is no reading: what it counts as, and why in words."""

    def __init__(self, cause: Cause, why: str) -> None:
        super().__init__(f"{cause}: {why}")
        self.cause: Cause = cause
        self.why = why


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
            raise Damaged("garbage", _NO_TEXT) from None
        cells = text.split() if self.delimiter == " " else text.split(self.delimiter)
        if self.prefix and cells[:1] != [self.prefix]:
            if self.checksum:
                return None
            raise Damaged("garbage", "of another name")
        wanted = (*self.columns, *(() if self.time is None else (self.time,)))
        if max(wanted) >= len(cells):
            raise Damaged("garbage", f"column {max(wanted)} of {len(cells)} is missing")
        values = tuple(_number(cells, column) for column in self.columns)
        try:
            stamp_ns = None if self.time is None else exact_ns(cells[self.time], self.time_unit)
        except ValueError:
            raise Damaged("garbage", f"column {self.time} is no number") from None
        return Reading(stamp_ns, values)

    def named(self, line: bytes) -> bool:
        """Whether it begins as a reading does, whole or not."""
        cells = line.split(None if self.delimiter == " " else self.delimiter.encode(), 1)
        return not self.prefix or (bool(cells) and cells[0].strip() == self.prefix.encode())

    def _checked(self, line: bytes) -> bytes:
        match = _SUM.match(line.strip())
        if not self.checksum:
            return line if match is None else line[: line.rindex(b"*")]
        if match is None:
            if line.isascii():
                raise Damaged("half_line", "no checksum at its end")
            raise Damaged("garbage", _NO_TEXT)
        if reduce(xor, match[1], 0) != int(match[2], 16):
            raise Damaged("checksum", "its checksum is another")
        return line[: line.rindex(b"*")]


class Fruitless:
    """The lines since the last reading, of any name. A line that begins as a reading does tells
    more than others that came after it."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.reading()

    def reading(self) -> None:
        """One came: all is well."""
        self._lines, self._since_ns = 0, 0
        self._last, self._why, self._named = b"", "", False

    def line(self, line: bytes, why: str, now_ns: int) -> None:
        """One that is no reading, and why."""
        if not self._lines:
            self._since_ns = now_ns
        self._lines += 1
        if (named := self._layout.named(line)) or not self._named:
            self._last, self._why, self._named = line, why, named

    def verdict(self, now_ns: int) -> str:
        """What is wrong, in one line of printable characters; empty while nobody can know."""
        if self._lines < FRUITLESS_LINES or now_ns - self._since_ns < FRUITLESS_NS:
            return ""
        why = self._why if self._named else f"no line begins with {self._layout.prefix}"
        last = ascii(self._last.decode("latin-1"))[1:-1]
        if len(last) > _SHOWN:
            last = last[: _SHOWN - 1] + "…"
        return f"{self._lines} lines came and none is a reading: {why}; the last was '{last}'"


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


def _number(cells: Sequence[str], column: int) -> float:
    try:
        value = float(cells[column])
    except ValueError:
        value = nan
    if not isfinite(value) or abs(value) > _LARGEST:
        raise Damaged("garbage", f"column {column} is no number")
    return value
