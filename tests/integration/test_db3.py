"""ROS 2 bags in SQLite, held against SQLite itself, and what is left of them after damage."""

import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import zstandard
from mcap.reader import make_reader

from sources.replay.bagfolder import files_of
from sources.replay.container import Message
from sources.replay.containers import Container
from sources.replay.db3 import LARGEST_VALUE, Db3Log
from sources.replay.kinds import container_of
from sources.replay.log import open_log
from streamer.errors import SourceLost
from streamer.logfile import Schema
from tests.needs import shared

FILES = ["cdr_test_0.db3", "message_compression_0.db3", "talker.db3"]


def log(name: str) -> Path:
    return shared(f"recordings/robot_logs/ros2_small/{name}")


def read(path: Path, from_ns: int | None = None) -> tuple[list[Message], Counter[str]]:
    bag = Db3Log(path)
    try:
        return list(bag.messages(from_ns)), Counter(bag.problems)
    finally:
        bag.close()


def said(path: Path) -> list[tuple[str, int, bytes]]:
    """Topic, time and stored bytes of every message."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as database:
        return database.execute(
            "SELECT name, timestamp, data FROM messages JOIN topics ON topics.id = topic_id "
            "ORDER BY timestamp, messages.id"
        ).fetchall()


def written(path: Path, messages: int = 2000, size: int = 300) -> Path:
    """A bag of one topic, a message each millisecond, newest version of the tables."""
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT, type TEXT, "
            "serialization_format TEXT, offered_qos_profiles TEXT)"
        )
        database.execute(
            "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, "
            "timestamp INTEGER, data BLOB)"
        )
        database.execute("CREATE INDEX timestamp_idx ON messages (timestamp ASC)")
        database.execute("INSERT INTO topics VALUES(1, '/t', 'std_msgs/msg/String', 'cdr', '')")
        database.executemany(
            "INSERT INTO messages VALUES(?, 1, ?, ?)",
            ((n, n * 10**6, n.to_bytes(4, "big") + bytes(size)) for n in range(messages)),
        )
        database.commit()
    return path


@pytest.mark.parametrize("name", FILES)
def test_every_message_of_every_bag_is_read_in_order_of_time(name: str) -> None:
    expected = said(log(name))
    packed = name.startswith("message_compression")
    if packed:
        one = zstandard.ZstdDecompressor()
        expected = [(topic, t_ns, one.decompress(data)) for topic, t_ns, data in expected]
    bag = Db3Log(log(name))
    told = {channel.topic: count for channel, count in bag.topics().items()}
    assert {topic: count for topic, count in told.items() if count} == Counter(
        topic for topic, _, _ in expected
    )
    assert (bag.start_ns, bag.end_ns) == (expected[0][1], expected[-1][1])
    assert [(m.channel.topic, m.log_ns, m.payload) for m in bag.messages()] == expected
    assert not bag.problems
    assert bag.packed == packed
    bag.close()


def test_definitions_come_from_the_bag_or_from_the_distribution() -> None:
    schemas = {}
    for name in FILES:
        bag = Db3Log(log(name))
        schemas |= {(name, channel.topic): channel.schema for channel in bag.topics()}
        bag.close()
    assert all(s is not None and s.encoding == "ros2msg" for s in schemas.values())
    inside = schemas["cdr_test_0.db3", "/test_topic"]
    assert inside is not None
    assert (inside.name, b"float64 float64_value" in inside.data) == (
        "test_msgs/msg/BasicTypes",
        True,
    )
    shipped = schemas["message_compression_0.db3", "/rosout"]
    assert shipped is not None
    assert (shipped.name, b"builtin_interfaces/Time stamp" in shipped.data) == (
        "rcl_interfaces/msg/Log",
        True,
    )


def test_messages_of_a_type_that_nobody_knows_are_given(tmp_path: Path) -> None:
    path = written(tmp_path / "x.db3", 5)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE topics SET type = 'acme_msgs/msg/Anvil'")
        database.commit()
    messages, problems = read(path)
    schemas = [m.channel.schema for m in messages]
    assert schemas == [Schema("acme_msgs/msg/Anvil", "ros2msg", b"")] * 5
    assert not problems
    opened = open_log(path)
    assert not list(opened.events())
    assert opened.problems == {"/t: no definition of acme_msgs/msg/Anvil": 5}
    opened.close()


def test_reading_begins_where_it_is_asked_to(tmp_path: Path) -> None:
    messages, _ = read(written(tmp_path / "x.db3", 100), 40 * 10**6)
    assert [m.log_ns for m in messages] == [n * 10**6 for n in range(40, 100)]


@pytest.mark.parametrize("name", [*FILES, "large"])
def test_a_bag_cut_off_anywhere_gives_what_is_before_the_cut(name: str, tmp_path: Path) -> None:
    path = written(tmp_path / "whole.db3") if name == "large" else log(name)
    whole = path.read_bytes()
    everything = Counter((m.channel.topic, m.log_ns, m.payload) for m in read(path)[0])
    cut = tmp_path / "cut.db3"
    refused = 0
    for offset in sorted(np.random.default_rng(20).integers(0, len(whole), 20).tolist()):
        cut.write_bytes(whole[:offset])
        try:
            messages, problems = read(cut)
        except SourceLost:
            refused += 1
            continue
        found = Counter((m.channel.topic, m.log_ns, m.payload) for m in messages)
        assert found <= everything
        assert problems or found == everything
        if name == "large":
            # The rows lie in the order in which they were written, beside their index.
            assert found.total() > 0.6 * everything.total() * offset / len(whole) - 100
    assert refused < 20


def test_bits_flipped_anywhere_raise_nothing_else(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.db3", 400, 40).read_bytes()
    draw = np.random.default_rng(6)
    opened = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(int(draw.choice([1, 8, 60]))):
            damaged[int(draw.integers(len(damaged)))] = int(draw.integers(256))
        (tmp_path / "x.db3").write_bytes(damaged)
        try:
            messages, _ = read(tmp_path / "x.db3")
        except SourceLost:
            continue
        opened += 1
        assert len(messages) <= 800
    assert opened


def test_a_damaged_index_of_times_costs_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "x.db3")
    with closing(sqlite3.connect(path)) as database:
        (page,) = database.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'timestamp_idx'"
        ).fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    whole = bytearray(path.read_bytes())
    whole[(page - 1) * size : page * size] = bytes(size)
    path.write_bytes(whole)
    messages, problems = read(path)
    assert [m.log_ns for m in messages] == [n * 10**6 for n in range(2000)]
    assert any("damaged" in problem for problem in problems)


def test_what_is_no_bag_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "noise.db3").write_bytes(b"SQLite format 3\0" + bytes(range(200)) * 30)
    with closing(sqlite3.connect(tmp_path / "other.db3")) as database:
        database.execute("CREATE TABLE cats(name TEXT)")
        database.commit()
    for name in ("noise.db3", "other.db3", "nowhere.db3"):
        with pytest.raises(SourceLost, match=f"{name}: ") as refused:
            Db3Log(tmp_path / name)
        assert "\n" not in str(refused.value)


def test_a_view_is_a_program_and_is_not_asked(tmp_path: Path) -> None:
    path = written(tmp_path / "x.db3", 3)
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TABLE messages")
        database.execute(
            "CREATE VIEW messages AS WITH RECURSIVE c(id) AS (SELECT 1 UNION ALL SELECT id + 1 "
            "FROM c) SELECT id, 1 AS topic_id, id AS timestamp, x'00' AS data FROM c"
        )
        database.commit()
    with pytest.raises(SourceLost, match="no tables of messages"):
        Db3Log(path)


def test_rows_that_are_no_messages_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path / "x.db3", 10)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE messages SET data = 'text' WHERE id = 3")
        database.execute("UPDATE messages SET data = NULL WHERE id = 4")
        database.execute("UPDATE messages SET timestamp = 'noon' WHERE id = 5")
        database.execute("UPDATE messages SET topic_id = 7 WHERE id = 6")
        packed = zstandard.ZstdCompressor().compress(bytes(LARGEST_VALUE + 1))
        database.execute("UPDATE messages SET data = ? WHERE id = 7", (packed,))
        database.execute("UPDATE messages SET data = ? WHERE id = 8", (packed[:50],))
        database.commit()
    messages, problems = read(path)
    assert [m.log_ns // 10**6 for m in messages] == [0, 1, 2, 9]
    assert problems["rows that are no message of a known topic"] == 4
    assert problems.total() == 6


def test_messages_not_yet_in_the_file_are_read_from_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "x.db3"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA wal_autocheckpoint = 0")
        written_here = written(tmp_path / "y.db3", 20)
        database.execute("ATTACH ? AS other", (str(written_here),))
        database.execute("CREATE TABLE topics AS SELECT * FROM other.topics")
        database.execute("CREATE TABLE messages AS SELECT * FROM other.messages")
        database.commit()
        # As the recorder's end would leave it: two files.
        for name in ("x.db3", "x.db3-wal"):
            shutil.copy(tmp_path / name, tmp_path / name.replace("x.", "z."))
    messages, _ = read(tmp_path / "z.db3")
    assert len(messages) == 20


def mcap(path: Path) -> Container:
    raise AssertionError(f"{path} is no MCAP")


def test_a_folder_is_one_bag(tmp_path: Path) -> None:
    """Two files that overlap: their messages are given in the order of time."""
    first, second = written(tmp_path / "b_0.db3", 50), written(tmp_path / "a_1.db3", 80)
    told = f"relative_file_paths: [{first.name}, ../{second.name}]"
    (tmp_path / "metadata.yaml").write_text(f"rosbag2_bagfile_information:\n  {told}\n")
    assert files_of(tmp_path) == [first, second]
    bag = container_of(tmp_path, b"", mcap)
    assert bag is not None
    stamps = [m.log_ns for m in bag.messages()]
    assert stamps == sorted(stamps)
    assert list(bag.topics().values()) == [len(stamps)] == [130]
    assert (bag.start_ns, bag.end_ns) == (0, 79 * 10**6)
    bag.close()


def test_the_folder_as_published(tmp_path: Path) -> None:
    shutil.copy(log("talker.db3"), tmp_path)
    shutil.copy(log("talker_db3.metadata.yaml"), tmp_path / "metadata.yaml")
    bag = container_of(tmp_path, b"", mcap)
    assert bag is not None
    assert {c.topic: n for c, n in bag.topics().items()} == {
        "/rosout": 10,
        "/parameter_events": 0,
        "/topic": 10,
    }
    bag.close()


def test_a_folder_of_mcap_files_is_given_to_their_reader(tmp_path: Path) -> None:
    names = [f"multiple_files_{n}.mcap" for n in range(3)]
    for name in names:
        shutil.copy(log(name), tmp_path)
    opened: list[Path] = []

    def note(path: Path) -> Container:
        opened.append(path)
        with path.open("rb") as file:
            assert make_reader(file).get_summary() is not None
        return Db3Log(log("talker.db3"))

    bag = container_of(tmp_path, b"", note)
    assert bag is not None
    assert [path.name for path in opened] == names
    bag.close()


@pytest.mark.parametrize(
    ("description", "what"),
    [
        ("", "expected the description of a bag"),
        ("- [\n", "expected the description of a bag"),
        ("[" * 5000, "expected the description of a bag"),
        ("rosbag2_bagfile_information: {relative_file_paths: [gone.db3]}", "which is not there"),
        ("rosbag2_bagfile_information: {relative_file_paths: [x.db3.zstd]}", "unpack it"),
        ("rosbag2_bagfile_information: {relative_file_paths: []}", "holds no .db3"),
    ],
    ids=["empty", "no yaml", "deep", "missing", "packed", "none"],
)
def test_a_folder_that_is_no_bag_is_named(description: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "metadata.yaml").write_text(description)
    with pytest.raises(SourceLost, match=what) as refused:
        container_of(tmp_path, b"", mcap)
    assert "\n" not in str(refused.value)
