"""ROS 1 bags, held against `rosbags`, and what is left of them after damage."""

import struct
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag1 import Reader

from sources.replay.bag import BagLog
from sources.replay.container import Message
from streamer.errors import SourceLost
from tests.needs import shared

FILES = [
    "ros1bag/imut_ardrone_imu_b.bag",
    "ros1bag/imut_sparkfun_razor_b.bag",
    "ros1bag/lerobot_realsense_test_rs.bag",
    "ros1bag/rl_old_test1.bag",
    "ros1bag/rl_ros2branch_test1.bag",
    "ros1bag_fixtures/example-bz2.bag",
    "ros1bag_fixtures/example-lz4.bag",
    "ros1bag_fixtures/example-unsorted-chunks.bag",
    "ros1bag_fixtures/example.bag",
    "ros1bag_fixtures/no-messages.bag",
]
CHUNKED = [FILES[0], FILES[1], FILES[2], FILES[8]]


def log(name: str) -> Path:
    return shared(f"recordings/robot_logs/{name}")


def read(path: Path, from_ns: int | None = None) -> tuple[list[Message], Counter[str]]:
    bag = BagLog(path)
    try:
        return list(bag.messages(from_ns)), Counter(bag.problems)
    finally:
        bag.close()


def said(path: Path) -> Iterator[tuple[str, int, bytes]]:
    """Topic, time and bytes of every message, by another reader."""
    with Reader(path) as reader:
        for connection, t_ns, data in reader.messages():
            yield connection.topic, t_ns, bytes(data)


@pytest.mark.parametrize("name", FILES)
def test_every_message_of_every_bag_is_read_in_order_of_time(name: str) -> None:
    expected = list(said(log(name)))
    bag = BagLog(log(name))
    told = {channel.topic: count for channel, count in bag.topics().items() if count}
    assert told == Counter(topic for topic, _, _ in expected)
    times = [t_ns for _, t_ns, _ in expected]
    assert (bag.start_ns, bag.end_ns) == (min(times, default=None), max(times, default=None))
    assert [(m.channel.topic, m.log_ns, m.payload) for m in bag.messages()] == expected
    assert not bag.problems
    bag.close()


def test_a_channel_says_how_its_messages_are_read() -> None:
    messages, _ = read(log("ros1bag/imut_sparkfun_razor_b.bag"))
    channel = next(m.channel for m in messages if m.channel.topic == "/imu/data_raw")
    assert channel.encoding == "ros1"
    assert channel.schema is not None
    assert (channel.schema.name, channel.schema.encoding) == ("sensor_msgs/Imu", "ros1msg")
    assert b"geometry_msgs/Vector3 linear_acceleration" in channel.schema.data


def test_headers_that_step_back_are_given_as_they_are() -> None:
    messages, _ = read(log("ros1bag/rl_old_test1.bag"))
    stamps = [
        struct.unpack_from("<II", m.payload, 4)
        for m in messages
        if m.channel.topic == "/my_odometry2imu/imu_data"
    ]
    assert sum(b < a for a, b in pairwise(stamps)) == 31


def test_reading_begins_where_it_is_asked_to() -> None:
    everything, _ = read(log("ros1bag/imut_ardrone_imu_b.bag"))
    from_ns = everything[5000].log_ns
    later, _ = read(log("ros1bag/imut_ardrone_imu_b.bag"), from_ns)
    assert later == [m for m in everything if m.log_ns >= from_ns]


@pytest.mark.parametrize("name", CHUNKED)
def test_a_bag_cut_off_anywhere_gives_what_is_before_the_cut(name: str, tmp_path: Path) -> None:
    whole = log(name).read_bytes()
    everything = Counter((m.log_ns, m.payload) for m in read(log(name))[0])
    cut = tmp_path / "cut.bag"
    counts: list[int] = []
    for offset in sorted(np.random.default_rng(20).integers(13, len(whole), 20).tolist()):
        cut.write_bytes(whole[:offset])
        messages, problems = read(cut)
        found = Counter((m.log_ns, m.payload) for m in messages)
        assert found <= everything
        assert problems or found == everything
        counts.append(len(messages))
    assert counts == sorted(counts)
    # A cut near the end costs little: the chunks before it are there.
    assert counts[-1] > 0.5 * everything.total()


@pytest.mark.parametrize("name", [FILES[2], FILES[8]])
def test_cut_in_half_it_gives_whole_chunks_and_what_the_last_still_holds(
    name: str, tmp_path: Path
) -> None:
    """[chunk][chunk][chu      the cut one is unpacked as far as it goes."""
    whole = log(name).read_bytes()
    (tmp_path / "cut.bag").write_bytes(whole[: len(whole) // 2])
    messages, problems = read(tmp_path / "cut.bag")
    everything, _ = read(log(name))
    size = sum(len(m.payload) for m in messages)
    assert 0.2 < size / sum(len(m.payload) for m in everything) < 0.8
    assert any("cut off" in problem for problem in problems)


def test_a_bag_that_was_never_closed_reads_whole(tmp_path: Path) -> None:
    """Its header has no place of an index yet, and no index follows."""
    whole = bytearray(log(FILES[8]).read_bytes())
    at = whole.index(b"index_pos=") + len(b"index_pos=")
    (index_at,) = struct.unpack_from("<Q", whole, at)
    struct.pack_into("<Q", whole, at, 0)
    (tmp_path / "open.bag").write_bytes(whole[:index_at])
    with pytest.raises(Exception, match="not indexed"):
        list(said(tmp_path / "open.bag"))
    messages, problems = read(tmp_path / "open.bag")
    assert [m.payload for m in messages] == [data for _, _, data in said(log(FILES[8]))]
    assert not problems


def test_without_lists_of_times_chunks_are_looked_into(tmp_path: Path) -> None:
    whole = log("ros1bag_fixtures/example-lz4.bag").read_bytes()
    # The file has one chunk; what stands behind it begins with a list of times.
    (tmp_path / "cut.bag").write_bytes(whole[: whole.index(b"op=\x04") - 20])
    bag = BagLog(tmp_path / "cut.bag")
    assert sum(bag.topics().values()) == len(list(bag.messages())) == 8647
    bag.close()


def test_damage_in_the_middle_costs_no_more_than_the_chunk_it_hits(tmp_path: Path) -> None:
    whole = bytearray(log("ros1bag/rl_old_test1.bag").read_bytes())
    chunks = [at for at in range(len(whole)) if whole.startswith(b"compression=bz2", at)]
    struct.pack_into("<I", whole, chunks[7] - 8, 0xFFFFFFFF)  # the length of a record's fields
    for name, at in (("bits", chunks[3] + 400), ("length", None)):
        if at is not None:
            whole[at] ^= 0x10
        (tmp_path / f"{name}.bag").write_bytes(whole)
    messages, problems = read(tmp_path / "length.bag")
    everything, _ = read(log("ros1bag/rl_old_test1.bag"))
    assert len(everything) > len(messages) > len(everything) * (1 - 3.5 / len(chunks))
    assert problems


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "expected a ROS bag, it is empty"),
        (b"#ROSBAG V1.2\n" + bytes(100), "expected a ROS bag of version 2.0, got 1.2"),
        (b"something else that is long", "expected a ROS bag, it begins with b'something"),
    ],
    ids=["empty", "legacy", "other"],
)
def test_what_is_no_such_bag_is_named_in_one_line(
    content: bytes, what: str, tmp_path: Path
) -> None:
    (tmp_path / "x.bag").write_bytes(content)
    with pytest.raises(SourceLost) as refused:
        BagLog(tmp_path / "x.bag")
    assert what in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_damaged_bag_of_the_collection_is_named() -> None:
    with pytest.raises(SourceLost, match="it is empty"):
        BagLog(log("damaged/empty-file.bag"))


def test_bits_flipped_anywhere_raise_nothing_else(tmp_path: Path) -> None:
    whole = log("ros1bag_fixtures/example-unsorted-chunks.bag").read_bytes()
    draw = np.random.default_rng(6)
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(int(draw.choice([1, 4, 30]))):
            damaged[int(draw.integers(len(damaged)))] = int(draw.integers(256))
        (tmp_path / "x.bag").write_bytes(damaged)
        try:
            messages, _ = read(tmp_path / "x.bag")
        except SourceLost:
            continue
        assert len(messages) <= 3


def test_a_chunk_that_lies_about_its_size_is_not_unpacked(tmp_path: Path) -> None:
    whole = bytearray(log("ros1bag_fixtures/example-bz2.bag").read_bytes())
    at = whole.index(b"size=") + len(b"size=")
    struct.pack_into("<I", whole, at, 0x7FFFFFFF)
    (tmp_path / "x.bag").write_bytes(whole)
    messages, problems = read(tmp_path / "x.bag")
    assert not messages
    assert any("larger than" in problem for problem in problems)
    struct.pack_into("<I", whole, at, 10_000)  # less than there is: no more is unpacked
    (tmp_path / "y.bag").write_bytes(whole)
    messages, problems = read(tmp_path / "y.bag")
    assert 0 < sum(len(m.payload) for m in messages) < 10_000
    assert problems
