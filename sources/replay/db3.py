"""ROS 2 bags in SQLite, read with the standard library.

The database is untrusted: it is opened to read and for nothing else, values have a largest size,
and only real tables are asked, since a view is a program. Where it was cut off or damaged, its
rows are read one by one, as far as they can be found.
"""

import sqlite3
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sources.replay.container import Message
from sources.replay.definitions import definition
from sources.replay.unpack import unpacked
from streamer.errors import SourceLost
from streamer.logfile import ChannelSpec, Schema

LARGEST_VALUE = 1 << 28
"""Bytes of one message."""
MOST_TOPICS = 100_000

DAMAGE = (sqlite3.Error, UnicodeError)
"""What SQLite says of a damaged file has pieces of that file in it, which may be no text."""

_ZSTD = b"\x28\xb5\x2f\xfd"
"""Begins a packed message. A CDR message begins with a zero byte."""
_BY_TIME = (
    "SELECT id, topic_id, timestamp, data FROM messages WHERE timestamp >= ? ORDER BY timestamp, id"
)
_COUNTS = (
    "SELECT topic_id, count(*), min(timestamp), max(timestamp) FROM messages NOT INDEXED "
    "GROUP BY topic_id"
)
_TOPICS = f"SELECT id, name, type, serialization_format FROM topics LIMIT {MOST_TOPICS}"  # noqa: S608
_DEFINITIONS = (
    "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions "  # noqa: S608
    f"LIMIT {MOST_TOPICS}"
)
_EARLIEST = -(1 << 63)


class Db3Log:
    """One file, open. The times of its messages are those at which they were recorded."""

    def __init__(self, path: Path) -> None:
        """Raises `SourceLost` for what is no such database, or too damaged to tell its topics."""
        self.path = path
        self.problems: Counter[str] = Counter()
        self._channels: dict[int, ChannelSpec] = {}
        self._counts: Counter[ChannelSpec] = Counter()
        self.start_ns: int | None = None
        self.end_ns: int | None = None
        self.packed = False
        """Messages are compressed, as far as has been read."""
        self._rows: list[tuple[int, int]] | None = None
        """Of a damaged database: time and number of what can be found."""
        try:
            if not path.is_file():
                raise SourceLost(f"{path}: no such file")
            self._cut = _cut_off(path)
            self._database = _opened(path, self._cut)
        except (*DAMAGE, OSError) as error:
            raise SourceLost(f"{path}: expected a SQLite database: {_short(error)}") from None
        try:
            if self._cut:
                self.problems[f"cut off at byte {path.stat().st_size}"] += 1
            self._describe()
            self._count()
        except SourceLost:
            self._database.close()
            raise
        except DAMAGE as error:
            self._database.close()
            raise SourceLost(f"{path}: expected a ROS 2 bag in SQLite: {_short(error)}") from None
        self._found = Counter(self.problems)

    def close(self) -> None:
        self._database.close()

    def topics(self) -> Mapping[ChannelSpec, int]:
        return {channel: self._counts[channel] for channel in self._channels.values()}

    def messages(self, from_ns: int | None = None) -> Iterator[Message]:
        self.problems.clear()
        self.problems.update(self._found)
        last = (from_ns if from_ns is not None else _EARLIEST, _EARLIEST)
        if self._rows is None:
            try:
                with closing(self._database.execute(_BY_TIME, (last[0],))) as rows:
                    for row in rows:
                        if _whole(row[0], row[2]):
                            last = (row[2], row[0])
                        yield from self._message(row)
                return
            except DAMAGE as error:
                self.problems[f"damaged: {_short(error)}"] += 1
                self._search()
        for t_ns, number in self._rows or ():
            if (t_ns, number) > last:
                yield from self._row(number)

    def _describe(self) -> None:
        tables = {
            str(name)
            for (name,) in self._database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0"
            )
        }
        if not {"topics", "messages"} <= tables:
            raise SourceLost(f"{self.path}: expected a ROS 2 bag, it has no tables of messages")
        told: dict[str, tuple[str, str]] = {}
        if "message_definitions" in tables:
            asked = (
                "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
            )
            for name, encoding, text in self._database.execute(asked):
                told[str(name)] = (str(encoding), str(text))
        distro = ""
        if "schema" in tables:
            for (name,) in self._database.execute("SELECT ros_distro FROM schema LIMIT 1"):
                distro = str(name)
        for number, topic, name, encoding in self._database.execute(_TOPICS):
            how, text = told.get(str(name), ("ros2msg", ""))
            if not text:
                text = definition(str(name), distro, self.problems)
            schema = Schema(str(name), how, text.encode())
            if isinstance(number, int):
                self._channels[number] = ChannelSpec(str(topic), str(encoding), schema)

    def _count(self) -> None:
        times: list[int] = []
        try:
            if self._cut:
                raise sqlite3.DatabaseError("its end is missing")
            for number, count, first, last in self._database.execute(_COUNTS):
                channel = self._channels.get(number)
                if channel is not None:
                    self._counts[channel] += count
                    times += [t for t in (first, last) if isinstance(t, int)]
        except DAMAGE as error:
            self.problems[f"damaged: {_short(error)}"] += 1
            self._counts.clear()
            self._search()
            times = [t_ns for t_ns, _ in self._rows or ()]
        if times:
            self.start_ns, self.end_ns = min(times), max(times)

    def _search(self) -> None:
        """Row by row in the order of the file, until it ends or a page of it is no page.

        Where a file ends within a page, SQLite reads zeros. The row behind one that is all zeros
        may have some of them, and so may the last that can be read.
        """
        found: list[tuple[int, int, int]] = []
        asked = "SELECT id, topic_id, timestamp FROM messages NOT INDEXED ORDER BY id"
        good = True
        # That it is damaged has been counted.
        with suppress(*DAMAGE), closing(self._database.execute(asked)) as rows:
            for number, topic, t_ns in rows:
                before, good = good, _whole(number, t_ns) and topic in self._channels
                if good and (before or not self._cut or not self._zeros_end(number)):
                    found.append((t_ns, number, topic))
        while self._cut and found and (ends := self._zeros_end(found[-1][1])) is not False:
            found.pop()
            if ends:
                break
        self._rows = sorted((t_ns, number) for t_ns, number, _ in found)
        self._counts = Counter(self._channels[topic] for _, _, topic in found)

    def _zeros_end(self, number: int) -> bool | None:
        """The bytes of a message end in a zero; None: they cannot be read."""
        rows = list(self._row(number))
        return rows[0].payload.endswith(b"\0") if rows else None

    def _row(self, number: int) -> Iterator[Message]:
        asked = "SELECT id, topic_id, timestamp, data FROM messages NOT INDEXED WHERE id = ?"
        try:
            row = self._database.execute(asked, (number,)).fetchone()
        except DAMAGE:
            self.problems["messages that are cut off or damaged"] += 1
            return
        if row is not None:
            yield from self._message(row)

    def _message(self, row: tuple[Any, Any, Any, Any]) -> Iterator[Message]:
        number, topic, t_ns, data = row
        channel = self._channels.get(topic)
        if channel is None or not _whole(number, t_ns) or not isinstance(data, bytes):
            self.problems["rows that are no message of a known topic"] += 1
            return
        if data.startswith(_ZSTD):
            self.packed = True
            try:
                data, whole = unpacked("zstd", data, LARGEST_VALUE)
            except ValueError as error:
                self.problems[f"packed messages that are damaged: {error}"[:120]] += 1
                return
            if not whole:
                self.problems["packed messages that are cut off or too large"] += 1
                return
        yield Message(channel, t_ns, t_ns, number & 0xFFFFFFFF, data)


def _cut_off(path: Path) -> bool:
    """The file is shorter than its own header says."""
    with path.open("rb") as file:
        head = file.read(100)
    if len(head) < 100:
        return False
    (page,) = struct.unpack_from(">H", head, 16)
    (pages,) = struct.unpack_from(">I", head, 28)
    return pages * (1 << 16 if page == 1 else page) > path.stat().st_size


def _opened(path: Path, cut: bool) -> sqlite3.Connection:
    """To read only. A bag that was not closed has its newest messages in a file beside it."""
    beside = path.with_name(f"{path.name}-wal")
    alone = not (beside.is_file() and beside.stat().st_size)
    where = f"file:{quote(str(path))}?mode=ro{'&immutable=1' if alone else ''}"
    # One thread at a time has it, but not always the one that opened it.
    database = sqlite3.connect(where, uri=True, check_same_thread=False)
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_VALUE)
    database.text_factory = _text
    database.execute("PRAGMA trusted_schema = OFF")
    if cut:
        # Else it refuses the whole file. Nothing can be written all the same.
        database.execute("PRAGMA writable_schema = ON")
    return database


def _whole(number: object, t_ns: object) -> bool:
    return isinstance(number, int) and isinstance(t_ns, int)


def _text(stored: bytes) -> str:
    return stored.decode(errors="replace")


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:80]
