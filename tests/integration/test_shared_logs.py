"""Published MCAP files: the conformance suite of the format, logs of ROS 2, damaged ones."""

import csv
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from sources.replay.container import Attachment, McapLog, Metadata
from sources.replay.foreign import ForeignLog
from sources.replay.log import open_container, open_log
from streamer.errors import SourceLost
from streamer.events import Arrived
from streamer.types import ImuBlock, pixels
from tests.needs import shared

LOGS = "recordings/robot_logs"


class Case(NamedTuple):
    """What the name of a conformance file says is in it."""

    path: Path
    messages: int
    metadata: int
    attachments: int
    legacy: bool
    library: str


def conformance() -> list[Case]:
    folder = shared(f"{LOGS}/mcap_conformance")
    with (folder / "index.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [
        Case(
            folder / row["file"],
            10 if "TenMessages" in row["file"] else int("OneMessage" in row["file"]),
            int("OneMetadata" in row["file"]),
            int("OneAttachment" in row["file"]),
            row["file"].startswith("legacydraft_"),
            row["python_mcap_make_reader"],
        )
        for row in rows
    ]


def test_the_conformance_suite_reads_completely() -> None:
    cases = [case for case in conformance() if not case.legacy]
    assert len(cases) == 76
    assert sum("KeyError" in case.library for case in cases) == 12
    for case in cases:
        container = open_container(case.path)
        messages = list(container.messages())
        assert len(messages) == case.messages, case.path.name
        assert sum(container.topics().values()) == case.messages, case.path.name
        stamps = [message.log_ns for message in messages]
        assert stamps == sorted(stamps), case.path.name
        assert {m.channel.topic for m in messages} <= {"example"}, case.path.name
        assert [m.payload for m in messages] == [b"\x01\x02\x03"] * case.messages, case.path.name
        assert not container.problems, case.path.name
        container.close()
        log = McapLog(case.path)
        parts = list(log.parts())
        assert sum(isinstance(p, Metadata) for p in parts) == case.metadata, case.path.name
        assert sum(isinstance(p, Attachment) for p in parts) == case.attachments, case.path.name
        assert log.whole, case.path.name
        log.close()


def test_files_of_the_draft_of_the_format_are_told_to_be_cut_off() -> None:
    cases = [case for case in conformance() if case.legacy]
    assert len(cases) == 6
    for case in cases:
        container = open_container(case.path)
        assert list(container.messages()) == []
        assert any("cut off" in cause for cause in container.problems), case.path.name
        container.close()


def test_every_conformance_file_is_a_log_whose_messages_are_named() -> None:
    for case in conformance():
        log = open_log(case.path)
        assert list(log.events()) == []
        assert log.streams == ()
        unknown = log.problems["example: unknown encoding 'a'"]
        assert unknown == case.messages, case.path.name
        log.close()


# File, then streams as name: (modality, samples), and how many messages there are in all.
FOUND: dict[str, tuple[dict[str, tuple[str, int]], int]] = {
    "mcap/rerun_rosbag2_2025_09_10.mcap": (
        {"compressed_image": ("vision", 1), "image": ("vision", 1), "imu": ("imu", 1)},
        194,
    ),
    "mcap/rerun_foxglove_log.mcap": ({}, 6),
    "mcap/rerun_simple-protobuf.mcap": ({}, 293),
    "ros2_small/cdr_test_0.mcap": ({}, 7),
    "ros2_small/multiple_files_0.mcap": ({}, 1324),
    "ros2_small/multiple_files_1.mcap": ({}, 1324),
    "ros2_small/multiple_files_2.mcap": ({}, 529),
    "ros2_small/talker.mcap": ({}, 20),
    "ros2_small/topics_and_services.mcap": ({}, 13),
    "ros2_small/wrong_rmw_test_0.mcap": ({}, 7),
}


@pytest.mark.parametrize("name", sorted(FOUND))
def test_a_published_log_gives_the_streams_that_are_in_it(name: str) -> None:
    streams, messages = FOUND[name]
    log = open_log(shared(f"{LOGS}/{name}"))
    assert isinstance(log, ForeignLog)
    assert {info.name: info.modality for info in log.streams} == {
        stream: modality for stream, (modality, _) in streams.items()
    }
    samples = [event.sample for event in log.events() if isinstance(event, Arrived)]
    for stream, (_, count) in streams.items():
        assert sum(sample.stream == stream for sample in samples) == count
    assert sum(log.container.topics().values()) == messages
    assert len(list(log.container.messages())) == messages
    log.close()


def test_every_published_mcap_is_in_the_table() -> None:
    folder = shared(LOGS)
    there = {
        f"{path.parent.name}/{path.name}"
        for part in ("mcap", "ros2_small")
        for path in (folder / part).glob("*.mcap")
    }
    assert there == set(FOUND)


def test_a_ros_2_log_gives_its_pictures_and_its_motion() -> None:
    log = open_log(shared(f"{LOGS}/mcap/rerun_rosbag2_2025_09_10.mcap"))
    by = {e.sample.stream: e.sample for e in log.events() if isinstance(e, Arrived)}
    assert not log.problems
    log.close()
    for name in ("image", "compressed_image"):
        picture = pixels(by[name])
        assert (picture.shape, picture.dtype) == ((480, 640, 3), np.uint8)
        assert picture.std() > 5
    motion = by["imu"].data
    assert isinstance(motion, ImuBlock)
    assert motion.values.shape == (1, 6)
    assert np.isfinite(motion.values).all()


def test_messages_in_an_unknown_encoding_are_counted_by_topic() -> None:
    log = open_log(shared(f"{LOGS}/ros2_small/wrong_rmw_test_0.mcap"))
    assert list(log.events()) == []
    assert log.problems == {
        "/test_topic: unknown encoding 'wrong_format'": 3,
        "/array_topic: unknown encoding 'wrong_format'": 4,
    }
    log.close()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("keelson_klog_2024-05-15.crlf-damaged.mcap", "its line ends were converted"),
        ("empty-file.bag", "expected"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(name: str, said: str) -> None:
    with pytest.raises(SourceLost, match=re.escape(said)) as refused:
        open_log(shared(f"{LOGS}/damaged/{name}"))
    assert name in str(refused.value)
    assert "\n" not in str(refused.value)
