"""Records of a VRS file, the format of Project Aria's glasses, and what the file says of them.

The format describes itself. A header; then a record that names the streams and says in JSON how
the numbers of their records lie; then records, each with its length, its stream and its time. The
libraries for it are either large or not made for a robot's processor (`docs/decisions`), and what
is needed of it is little. Every length is held against the file before anything is made of it.

Source: the headers and comments of github.com/facebookresearch/vrs (Apache-2.0).
"""

import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from sources.replay.unpack import unpacked
from sources.replay.vrs_layout import Layout, layout_of
from streamer.errors import SourceLost

MAGIC = b"VisionRe"
LARGEST_RECORD = 1 << 28
LARGEST_DESCRIPTION = 1 << 26
MOST_STREAMS = 10_000

CONFIGURATION, DATA = 2, 3
"""Kinds of records. The first says what does not change, the second holds what was sensed."""

_FILE = struct.Struct("<8sQIIqqqQQQ4sI")
_RECORD = struct.Struct("<IIiIdHBBI")
_U32 = struct.Struct("<I")
_STREAM = struct.Struct("<iH")
_LATEST_S = 4e9
_COMPRESSION = {0: "none", 1: "lz4", 2: "zstd"}


class Stream(NamedTuple):
    """A device of the recording: what kind it is, and which of that kind."""

    kind: int
    number: int


@dataclass(frozen=True, slots=True)
class Record:
    """`numbers`: what the layout names, by name. `content`: the bytes behind, of `form`."""

    stream: Stream
    kind: int
    t_ns: int
    numbers: Mapping[str, Any]
    form: str
    content: bytes


class VrsFile:
    """One file, open. `problems` counts what could not be read, by cause."""

    def __init__(self, path: Path) -> None:
        """Raises `SourceLost` for what is no such file, or has no whole description."""
        self.path = path
        self.problems: Counter[str] = Counter()
        self.tags: dict[Stream, dict[str, str]] = {}
        self.compression: set[str] = set()
        self._layouts: dict[tuple[Stream, int, int], tuple[Layout, str] | None] = {}
        try:
            self._file: BinaryIO = path.open("rb")
        except OSError as error:
            raise SourceLost(f"{path}: cannot be read: {error.strerror}") from None
        try:
            self._size = path.stat().st_size
            self._first = self._describe()
        except (ValueError, struct.error) as error:
            self._file.close()
            raise SourceLost(f"{path}: expected a VRS file: {error}") from None
        except SourceLost:
            self._file.close()
            raise

    def close(self) -> None:
        self._file.close()

    def records(self, kind: int, from_ns: int | None = None) -> Iterator[Record]:
        """Those of one kind, in the order of the file, which is that of time."""
        at = self._first
        if at > self._size:
            self.problems[f"cut off at byte {self._size}"] += 1
        while at < self._size:
            found = self._head(at)
            if found is None:
                self.problems[f"cut off or damaged at byte {at}"] += 1
                return
            length, _, number, version, seconds, instance, which, packing, size = found
            stream = Stream(number, instance)
            # Since the device was started; the first records have a time that is none.
            t_ns = round(seconds * 1e9) if 0 < seconds < _LATEST_S else 0
            if which == kind and stream in self.tags and (from_ns is None or t_ns >= from_ns):
                body = self._body(at, length, packing, size)
                record = None if body is None else self._record(stream, kind, version, body)
                if record is not None:
                    yield Record(stream, kind, t_ns, *record)
            at += length

    def form(self, stream: Stream) -> str:
        """What stands behind the numbers of its data: "image/jpg", "audio/pcm/...", or ""."""
        for name, text in self.tags[stream].items():
            if name.startswith("RF:Data:"):
                return _form(text)
        return ""

    def names(self, stream: Stream) -> set[str]:
        """What its data have numbers for."""
        told = [t for n, t in self.tags[stream].items() if n.startswith("DL:Data:")]
        layout = layout_of(told[0]) if told else None
        return set() if layout is None else {*layout.places, *layout.vectors}

    def _describe(self) -> int:
        head = self._read(0, _FILE.size)
        if len(head) < _FILE.size or not head.startswith(MAGIC):
            raise ValueError(f"it begins with {head[:8]!r}")
        _, _, file_head, record_head, _, described, first, *_, cord, version = _FILE.unpack(head)
        del version
        if cord != b"cord" or record_head != _RECORD.size or file_head < _FILE.size:
            raise ValueError("its header is of an unknown kind")
        found = self._head(described)
        if found is None or found[0] > LARGEST_DESCRIPTION:
            raise ValueError("its description is cut off or damaged")
        text = _Reading(self._read(described + _RECORD.size, found[0] - _RECORD.size))
        for _ in range(min(text.numbers(_U32)[0], MOST_STREAMS)):
            tags = self.tags.setdefault(Stream(*text.numbers(_STREAM)), {})
            for _ in range(2):  # what the maker of the recording says, and what the format says
                for _ in range(text.numbers(_U32)[0]):
                    name = text.text()
                    tags[name] = text.text()
        first = first or described + found[0]
        if first <= 0:
            raise ValueError("its header is damaged")
        return first

    def _head(self, at: int) -> tuple[Any, ...] | None:
        head = self._read(at, _RECORD.size)
        if len(head) < _RECORD.size:
            return None
        found = _RECORD.unpack(head)
        return found if _RECORD.size <= found[0] <= self._size - at else None

    def _read(self, at: int, length: int) -> bytes:
        if not 0 <= at <= self._size:
            return b""
        try:
            self._file.seek(at)
            return self._file.read(length)
        except OSError as error:
            raise SourceLost(f"{self.path}: cannot be read: {error.strerror}") from None

    def _body(self, at: int, length: int, packing: int, size: int) -> bytes | None:
        kind = _COMPRESSION.get(packing, "")
        if max(length, size) > LARGEST_RECORD or not kind:
            self.problems["records that are too large, or packed in an unknown way"] += 1
            return None
        self.compression.add(kind)
        body = self._read(at + _RECORD.size, length - _RECORD.size)
        if kind == "none":
            return body
        try:
            body, whole = unpacked(kind, body, size)
        except ValueError:
            whole = False
        if not whole or len(body) != size:
            self.problems["records that are damaged"] += 1
            return None
        return body

    def _record(
        self, stream: Stream, kind: int, version: int, body: bytes
    ) -> tuple[dict[str, Any], str, bytes] | None:
        key = (stream, kind, version)
        if key not in self._layouts:
            name = "Data" if kind == DATA else "Configuration"
            told = self.tags[stream].get(f"DL:{name}:{version}:0", "")
            form = _form(self.tags[stream].get(f"RF:{name}:{version}", ""))
            layout = layout_of(told)
            self._layouts[key] = None if layout is None else (layout, form)
        known = self._layouts[key]
        if known is None:
            self.problems[f"records of {stream.kind}-{stream.number} without a layout"] += 1
            return None
        try:
            numbers, end = known[0].read(body)
        except (ValueError, struct.error, IndexError) as error:
            self.problems[f"records of {stream.kind}-{stream.number}: {error}"[:120]] += 1
            return None
        return numbers, known[1], body[end:]


class _Reading:
    """Through bytes from the front. Raises struct.error or ValueError where they end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def numbers(self, form: struct.Struct) -> tuple[int, ...]:
        found = form.unpack_from(self._data, self._at)
        self._at += form.size
        return found

    def text(self) -> str:
        (length,) = self.numbers(_U32)
        if length > len(self._data) - self._at:
            raise ValueError(f"a text of {length} bytes where {len(self._data) - self._at} are")
        self._at += length
        return self._data[self._at - length : self._at].decode(errors="replace")


def _form(text: str) -> str:
    """Of "data_layout/size=84+image/jpg" what stands behind the layout."""
    first, _, rest = text.partition("+")
    return rest if first.startswith("data_layout") else text
