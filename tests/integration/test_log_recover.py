"""Recovering truncated and damaged logs: everything in closed chunks, every time."""

import random
from pathlib import Path

import pytest
from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer

from sinks.mcap.file import McapFile
from sources.recording.format import CONFIG, DIGEST, RECOVERED, SESSION
from sources.replay.container import Chunk, Index, McapLog
from sources.replay.own import OwnLog
from sources.rewriting.recover import Recovered, recover
from streamer.cli.log.newfile import new_log
from tests.disks import DyingCard
from tests.small_logs import events_of, messages_of, world, write


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recorded") / "whole.mcap"
    write(path, world())
    return path


def recovered(path: Path, output: Path) -> Recovered:
    log = McapLog(path)
    try:
        return recover(log, McapFile(output), lambda done, total: None)
    finally:
        log.close()


def index_of(log: McapLog) -> Index:
    index = log.index()
    assert index is not None
    return index


def ends_of_chunks(path: Path) -> list[tuple[int, int]]:
    """Where each chunk ends, and how many messages there are up to there."""
    log = McapLog(path)
    try:
        starts = [c.chunk_start_offset for c in index_of(log).chunks]
        lengths = {c.chunk_start_offset: c.chunk_length for c in index_of(log).chunks}
        counts = {p.offset: len(p.messages) for p in log.parts() if isinstance(p, Chunk)}
    finally:
        log.close()
    total, found = 0, []
    for start in starts:
        total += counts[start]
        found.append((start + lengths[start], total))
    return found


@pytest.mark.slow
def test_cut_off_anywhere_all_closed_chunks_come_back(recorded: Path, tmp_path: Path) -> None:
    whole, all_messages = recorded.read_bytes(), messages_of(recorded)
    closed = ends_of_chunks(recorded)
    first_chunk = McapLog(recorded)
    began = index_of(first_chunk).chunks[0].chunk_start_offset
    first_chunk.close()
    chance = random.Random(6)  # noqa: S311
    # Metadata comes first; a file that ends within says nothing of what it is.
    for number in range(200):
        at = chance.randrange(began, len(whole))
        cut, output = tmp_path / f"{number}.cut.mcap", tmp_path / f"{number}.mcap"
        cut.write_bytes(whole[:at])
        done = recovered(cut, output)
        count = max((n for end, n in closed if end <= at), default=0)
        assert messages_of(output) == all_messages[:count], at
        assert sum(done.messages.values()) == count
        assert done.bytes_read + done.bytes_lost == at
        assert cut.read_bytes() == whole[:at]
        log = OwnLog(output)
        events = list(log.events())
        assert log.whole
        log.close()
        assert bool(events) == (count > 0)
        with output.open("rb") as stream:
            reader = make_reader(stream)
            assert sum(1 for _ in reader.iter_messages()) == count
            names = {m.name for m in reader.iter_metadata()}
        assert {SESSION, CONFIG} <= names
        assert (DIGEST in names) != (RECOVERED in names)
        cut.unlink()
        output.unlink()


def test_a_file_without_its_index_only_keeps_its_digest(recorded: Path, tmp_path: Path) -> None:
    log = McapLog(recorded)
    for _ in log.parts():
        pass
    end = index_of(log).metadata[-1]
    log.close()
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(recorded.read_bytes()[: end.offset + end.length])
    done = recovered(cut, tmp_path / "out.mcap")
    assert done.digest
    assert len(events_of(tmp_path / "out.mcap")) == len(events_of(recorded))


def test_one_damaged_chunk_costs_that_chunk_and_the_digest(recorded: Path, tmp_path: Path) -> None:
    log = McapLog(recorded)
    chunk = index_of(log).chunks[3]
    log.close()
    damaged = bytearray(recorded.read_bytes())
    damaged[chunk.chunk_start_offset + chunk.chunk_length // 2] ^= 0x10
    path = tmp_path / "damaged.mcap"
    path.write_bytes(damaged)
    done = recovered(path, tmp_path / "out.mcap")
    assert not done.digest
    assert any(cause.startswith("damaged chunk") for cause in done.problems)
    before, after = messages_of(recorded), messages_of(tmp_path / "out.mcap")
    assert 0 < len(before) - len(after) < len(before) / 8


def test_what_comes_before_a_place_that_the_disk_does_not_give_is_saved(
    recorded: Path, tmp_path: Path
) -> None:
    closed, path = ends_of_chunks(recorded), DyingCard(recorded)
    (end, count), output = closed[3], tmp_path / "out.mcap"
    path.broken = end + 1000
    log = McapLog(path)
    with new_log(output) as file:
        done = recover(log, file, lambda read, of: None)
    log.close()
    at = done.bytes_read
    assert end <= at < path.broken
    assert done.problems == {f"cannot be read, first at byte {at}: Input/output error": 1}
    assert not done.digest
    assert messages_of(output) == messages_of(recorded)[:count]


def test_a_log_of_others_keeps_numbers_attachments_and_profile(tmp_path: Path) -> None:
    path = tmp_path / "other.mcap"
    with path.open("wb") as stream:
        writer = Writer(stream, chunk_size=200, compression=CompressionType.ZSTD)
        writer.start(profile="ros2", library="another")
        schema = writer.register_schema("pkg/msg/Thing", "ros2msg", b"int32 x")
        channel = writer.register_channel("/thing", "cdr", schema, {"qos": "x"})
        for number in range(50):
            writer.add_message(channel, 10 * number, b"%30d" % number, 5 * number, 7 + number)
        writer.add_attachment(1, 2, "calibration.yaml", "text/yaml", b"k: 1")
        writer.add_metadata("about", {"robot": "x"})
        writer.finish()
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    output = tmp_path / "out.mcap"
    log = McapLog(path)
    next(iter(log.parts()), None)
    recover(log, McapFile(output, profile=log.profile), lambda done, total: None)
    log.close()
    assert messages_of(output) == [("/thing", 10 * n, 5 * n, b"%30d" % n) for n in range(50)]
    with output.open("rb") as stream:
        reader = make_reader(stream)
        assert reader.get_header().profile == "ros2"
        assert [m.sequence for _, _, m in reader.iter_messages()] == list(range(7, 57))
        (attachment,) = reader.iter_attachments()
        assert (attachment.name, attachment.data) == ("calibration.yaml", b"k: 1")
        assert (attachment.create_time, attachment.log_time) == (1, 2)
        assert {m.name: m.metadata for m in reader.iter_metadata()}["about"] == {"robot": "x"}
        (channel_read,) = (reader.get_summary() or pytest.fail("no summary")).channels.values()
        assert channel_read.metadata == {"qos": "x"}
