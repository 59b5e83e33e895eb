"""What `streamer embed` writes and `streamer search` reads: vectors, and of what they are.

JSON lines: one record a line, with its vector. Safetensors: the matrix `vectors` float32 (n, D),
and `records`, the bytes of the same lines without vectors. In a tensor and not in the header,
which must not be longer than 100 MB.
"""

import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TextIO, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors import safe_open
from safetensors.numpy import save_file

from streamer.errors import SourceLost
from streamer.types import MODALITIES, Vector

Kind: TypeAlias = Literal["vision", "audio", "depth", "thermal", "imu", "text"]
KINDS: tuple[Kind, ...] = (*MODALITIES, "text")

SUFFIXES = (".jsonl", ".safetensors")
ROWS = 1024
"""Vectors in memory at once."""
# 16384 numbers and a thousand labels fit.
LONGEST_LINE = 1 << 20
MOST_RECORDS = 10_000_000
LONGEST_TEXT = 1000
SMALLEST, LARGEST = 2, 16384
UNIT = 1e-3
"""By how much the length of a vector may differ from 1."""

RecordT = TypeVar("RecordT", bound="Record")


class Record(BaseModel):
    """Of what a vector is: a window of a file, or a line of a text. Untrusted."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False, extra="ignore")

    file: str = Field(min_length=1, max_length=4096)
    modality: Kind
    model: str = Field(max_length=200)
    model_hash: str = Field(max_length=64)
    t0_s: float | None = None
    t1_s: float | None = None
    """Start and end in the file. A window may begin before the file does."""
    line: int | None = Field(default=None, ge=1, lt=1 << 53)
    text: str | None = Field(default=None, max_length=LONGEST_TEXT)

    @model_validator(mode="after")
    def _has_its_place(self) -> "Record":
        if self.modality == "text":
            if self.line is None or self.text is None:
                raise ValueError("expected line and text")
        elif self.t0_s is None or self.t1_s is None or not self.t0_s < self.t1_s:
            raise ValueError("expected t0_s < t1_s")
        return self


class _Line(Record):
    vector: list[float] = Field(min_length=SMALLEST, max_length=LARGEST)


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Records and their unit vectors float32 (n, D)."""

    records: Sequence[Record]
    vectors: NDArray[np.float32]


Row: TypeAlias = tuple[dict[str, Any], Vector]
"""What is written of one vector, JSON-ready and a `Record` at least; and the vector."""


def write_lines(rows: Iterable[Row], file: TextIO) -> None:
    for record, vector in rows:
        whole = {**record, "vector": [float(x) for x in vector]}
        file.write(json.dumps(whole, allow_nan=False) + "\n")


def write_matrix(rows: Sequence[Row], path: Path) -> None:
    lines = "".join(json.dumps(record, allow_nan=False) + "\n" for record, _ in rows)
    vectors = np.array([vector for _, vector in rows], np.float32)
    records = np.frombuffer(lines.encode(), np.uint8)
    save_file({"vectors": vectors, "records": records}, path)


def read(path: Path) -> Generator[Chunk, None, None]:
    """The records of an output in their order, at most `ROWS` at once.

    Raises `SourceLost`, one line, when it is damaged, foreign or beyond the bounds above, or when a
    vector is not of unit length.
    """
    chunks = _read_matrix(path) if path.suffix == ".safetensors" else _read_lines(path)
    count = 0
    for chunk in chunks:
        count += len(chunk.records)
        if count > MOST_RECORDS:
            raise SourceLost(f"{path}: expected at most {MOST_RECORDS} records")
        yield chunk
    if not count:
        raise SourceLost(f"{path}: expected the output of streamer embed, it is empty")


def _read_lines(path: Path) -> Generator[Chunk, None, None]:
    records: list[Record] = []
    rows: list[NDArray[np.float64]] = []
    for line in _parsed(path, _lines(path), _Line):
        if rows and len(line.vector) != len(rows[0]):
            raise SourceLost(
                f"{path}: expected vectors of {len(rows[0])} numbers, got one of {len(line.vector)}"
            )
        records.append(line)
        rows.append(np.array(line.vector, np.float64))
        if len(rows) == ROWS:
            yield _chunk(path, records, np.stack(rows))
            records, rows = [], []
    if rows:
        yield _chunk(path, records, np.stack(rows))


def _read_matrix(path: Path) -> Generator[Chunk, None, None]:
    """The file is mapped; of its vectors and lines only what is needed is read."""
    with _opened(path) as file:
        for name, dtype, axes in (("vectors", "F32", 2), ("records", "U8", 1)):
            if name not in file.keys():  # noqa: SIM118 - not a mapping
                raise SourceLost(f"{path}: expected the output of streamer embed, has no {name}")
            part = file.get_slice(name)
            if part.get_dtype() != dtype or len(part.get_shape()) != axes:
                found = f"{part.get_dtype()} of {len(part.get_shape())} axes"
                raise SourceLost(f"{path}: {name}: expected {dtype} of {axes} axes, got {found}")
        vectors, text = file.get_slice("vectors"), file.get_slice("records")
        count, dim = vectors.get_shape()
        if not SMALLEST <= dim <= LARGEST:
            raise SourceLost(f"{path}: expected vectors of {SMALLEST} to {LARGEST} numbers")
        records = _parsed(path, _cut(text, text.get_shape()[0]), Record)
        for start in range(0, count, ROWS):
            wanted = min(ROWS, count - start)
            held = list(islice(records, wanted))
            if len(held) < wanted:
                raise SourceLost(f"{path}: expected {count} records, got {start + len(held)}")
            yield _chunk(path, held, np.asarray(vectors[start : start + wanted], np.float64))
        if next(records, None) is not None:
            raise SourceLost(f"{path}: expected {count} records, got more")


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, framework="np")
    # Damaged bytes can make a parser raise anything; here all of it is the file's.
    except Exception as error:
        first = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise SourceLost(f"{path}: expected the output of streamer embed ({first})") from None


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            # One more than allowed: what is longer is told from what just fits.
            while line := file.readline(LONGEST_LINE + 1):
                yield line
    except OSError as error:
        raise SourceLost(f"{path}: cannot be read ({error.strerror})") from None


def _cut(text: Any, size: int) -> Iterator[bytes]:
    """The lines of a tensor of bytes, read piece by piece; too long ones are given as they are."""
    rest = b""
    for start in range(0, size, LONGEST_LINE):
        piece: NDArray[np.uint8] = text[start : min(start + LONGEST_LINE, size)]
        *lines, rest = (rest + piece.tobytes()).split(b"\n")
        yield from lines
        if len(rest) > LONGEST_LINE:
            break
    if rest:
        yield rest


def _parsed(path: Path, lines: Iterator[bytes], kind: type[RecordT]) -> Iterator[RecordT]:
    """Empty lines are passed over."""
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            raise SourceLost(f"{path}:{number}: expected lines of at most {LONGEST_LINE} bytes")
        if not line.strip():
            continue
        try:
            yield kind.model_validate_json(line)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, problem["loc"]))
            why = problem["msg"].removeprefix("Value error, ")
            raise SourceLost(
                f"{path}:{number}: expected a record of streamer embed;"
                f" {where + ': ' if where else ''}{why}"
            ) from None


def _chunk(path: Path, records: Sequence[Record], vectors: NDArray[np.float64]) -> Chunk:
    # Numbers near the largest overflow when squared; infinity is not of unit length either.
    with np.errstate(over="ignore"):
        lengths = np.sqrt((vectors * vectors).sum(axis=1))
    # Written so that NaN fails too.
    good = np.abs(lengths - 1) < UNIT
    if not good.all():
        at = int(np.argmin(good))
        raise SourceLost(
            f"{path}: expected unit vectors, got one of length {lengths[at]:.4g}"
            f" ({records[at].file}, {records[at].modality})"
        )
    return Chunk(records, vectors.astype(np.float32))
