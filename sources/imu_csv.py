"""Inertial readings from text: CSV, TSV, columns between blanks."""

import csv
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import asynccontextmanager
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import Annotated, Literal, TextIO, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, model_validator

from sources.background import in_thread
from sources.epoch import DEFAULT_START, StartOrFile, to_ns
from sources.imu.units import AccelUnit, GyroUnit, TimeUnit, exact_ns, scales
from sources.inertial import to_samples
from streamer.errors import SourceLost
from streamer.protocols import Clock
from streamer.types import NS_PER_S, ImuBlock, Sample, StreamInfo

Column: TypeAlias = NonNegativeInt | Annotated[str, Field(min_length=1)]
"""A column by its name in the header, or by its number from 0."""
Triple: TypeAlias = tuple[Column, Column, Column]

_CHUNK_ROWS = 4096
# A file without line ends must not be read into memory looking for one.
_LINE_CHARACTERS = 1 << 16


class ImuCsv(BaseModel):
    """A table with one reading a row. Columns and units are declared, never guessed.

    Duplicate stamps and gaps are passed on as they are. Without a time column the stamps are made
    from the rate. Lines that are empty or start with `comment` are skipped; the first other line
    is the header.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["imu_csv"] = "imu_csv"
    path: Path
    stream: str = Field(min_length=1)
    accel: Triple
    """The columns of the acceleration x, y, z, with gravity."""
    gyro: Triple
    """The columns of the angular rate x, y, z."""
    accel_unit: AccelUnit
    gyro_unit: GyroUnit
    time: Column | None = None
    time_unit: TimeUnit | None = None
    rate_hz: float | None = Field(default=None, gt=0, le=1e6)
    """Readings a second; needed without a time column, else measured."""
    start: StartOrFile = DEFAULT_START
    """When the first reading was taken. `file`: the time column counts from the Unix epoch."""
    delimiter: Literal[",", ";", "\t", " "] = ","
    """A blank stands for any run of blanks and tabs."""
    header: bool = True
    comment: str = Field(default="#", min_length=1)

    @model_validator(mode="after")
    def _complete(self) -> "ImuCsv":
        if self.time is None and self.rate_hz is None:
            raise ValueError("without a time column, rate_hz is needed")
        if (self.time is None) != (self.time_unit is None):
            raise ValueError("time and time_unit belong together")
        if self.time is None and self.start == "file":
            raise ValueError("start 'file' needs a time column")
        if not self.header and any(isinstance(column, str) for column in self._columns):
            raise ValueError("columns by name need a header")
        return self

    @property
    def live(self) -> bool:
        return False

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        return (StreamInfo(self.stream, "imu"),)

    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncGenerator[AsyncIterator[Sample], None]:
        """Blocks of about 100 ms, in the order of the file. Raises `SourceLost`."""
        async with in_thread(self._samples) as samples:
            yield samples

    @property
    def _columns(self) -> tuple[Column, ...]:
        return (*self.accel, *self.gyro, *(() if self.time is None else (self.time,)))

    def _samples(self) -> Generator[Sample, None, None]:
        period_ns = None if self.rate_hz is None else round(NS_PER_S / self.rate_hz)
        yield from to_samples(self.stream, self._chunks(), period_ns)

    def _chunks(self) -> Iterator[ImuBlock]:
        scale = scales(self.accel_unit, self.gyro_unit)
        t_ns: list[int] = []
        values: list[list[float]] = []
        count = 0
        for stamp_ns, row in self._rows():
            t_ns.append(stamp_ns)
            values.append(row)
            count += 1
            if len(t_ns) == _CHUNK_ROWS:
                yield _block(t_ns, values, scale)
                t_ns, values = [], []
        if t_ns:
            yield _block(t_ns, values, scale)
        if not count:
            raise SourceLost(f"{self.path}: a table of readings was expected, there is no row")

    def _rows(self) -> Iterator[tuple[int, list[float]]]:
        rate = Fraction(self.rate_hz or 1)
        start_ns = None if self.start == "file" else to_ns(self.start)
        first_ns = 0
        with _opened(self.path) as file:
            lines = self._cells(file)
            columns = self._find(lines)
            for index, (number, cells) in enumerate(lines):
                try:
                    picked = [cells[column] for column in columns]
                except IndexError:
                    raise SourceLost(
                        f"{self.path}:{number}: {len(cells)} columns where at least "
                        f"{max(columns) + 1} were expected"
                    ) from None
                where = (self.path, number)
                row = [
                    _number(cell, where, column)
                    for cell, column in zip(picked[:6], columns, strict=False)
                ]
                if self.time_unit is None:
                    stamp_ns = index * NS_PER_S * rate.denominator // rate.numerator
                else:
                    try:
                        stamp_ns = exact_ns(picked[6], self.time_unit)
                    except ValueError:
                        raise _not_a_number(picked[6], where, columns[6]) from None
                    first_ns = stamp_ns if index == 0 else first_ns
                yield (stamp_ns if start_ns is None else stamp_ns - first_ns + start_ns), row

    def _find(self, lines: Iterator[tuple[int, list[str]]]) -> list[int]:
        """The numbers of the columns; takes the header off the lines."""
        names: list[str] = []
        if self.header:
            _, names = next(lines, (0, []))
            names = [name.strip() for name in names]
        found: list[int] = []
        for column in self._columns:
            if isinstance(column, str) and column not in names:
                there = ", ".join(names[:20]) or "none"
                raise SourceLost(f"{self.path}: no column {column!r}; the header has {there}")
            found.append(names.index(column) if isinstance(column, str) else column)
        return found

    def _cells(self, file: TextIO) -> Iterator[tuple[int, list[str]]]:
        """Line number from 1, and its cells."""
        number = 0
        try:
            while line := file.readline(_LINE_CHARACTERS):
                number += 1
                if len(line) == _LINE_CHARACTERS:
                    raise SourceLost(f"{self.path}:{number}: not a table, the line has no end")
                if line.isspace() or line.lstrip().startswith(self.comment):
                    continue
                if self.delimiter == " ":
                    yield number, line.split()
                else:
                    yield number, next(csv.reader([line], delimiter=self.delimiter))
        except (UnicodeDecodeError, csv.Error) as error:
            raise SourceLost(f"{self.path}:{number + 1}: not a table of text ({error})") from None


def _opened(path: Path) -> TextIO:
    try:
        return path.open(encoding="utf-8-sig", newline=None)
    except OSError as error:
        raise SourceLost(f"{path}: cannot be read ({error.strerror})") from None


def _number(cell: str, where: tuple[Path, int], column: int) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise _not_a_number(cell, where, column)
    return value


def _not_a_number(cell: str, where: tuple[Path, int], column: int) -> SourceLost:
    path, line = where
    return SourceLost(f"{path}:{line}: column {column}: a number was expected, {cell[:40]!r} came")


def _block(t_ns: list[int], values: list[list[float]], scale: NDArray[np.float64]) -> ImuBlock:
    return ImuBlock(
        np.array(t_ns, np.int64), (np.array(values, np.float64) * scale).astype(np.float32)
    )
