"""Cutting, merging and converting recordings: byte for byte, and to one digest."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinks.mcap.file import McapFile
from sources.recording.digest import RunningDigest, digest
from sources.recording.format import DIGEST, JOURNAL, WINDOWS
from sources.recording.journal import Left
from sources.recording.recording import Recording
from sources.replay.container import McapLog
from sources.replay.own import OwnLog
from sources.rewriting import merge
from sources.rewriting.rewrite import Rewritten, everything, rewrite
from streamer.errors import ConfigError
from streamer.events import Arrived, Ended
from streamer.ticks import make_join
from streamer.types import NS_PER_S, StreamInfo, Truth
from tests.small_logs import (
    MS,
    START_NS,
    about,
    events_of,
    messages_of,
    mixed,
    world,
    write,
)

KEPT = {"/a_vision", "/a_audio", "/a_depth", "/a_thermal", "/a_imu"}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recorded") / "whole.mcap"
    write(path, mixed(world(4)))
    return path


def cut(
    path: Path,
    output: Path,
    from_ns: int | None = None,
    to_ns: int | None = None,
    streams: tuple[str, ...] | None = None,
) -> Rewritten:
    log = OwnLog(path)
    kept = tuple(i for i in log.about.streams if streams is None or i.name in streams)
    recording = Recording(McapFile(output), replace(log.about, streams=kept))
    items = (item for _, item in everything(path, log, streams, from_ns, to_ns))
    done = rewrite(items, recording, lambda now_ns: None)
    log.close()
    return done


def stored(path: Path) -> str:
    log = McapLog(path)
    try:
        return (log.metadata(DIGEST) or {}).get("windows", "none")
    finally:
        log.close()


def replayed(path: Path) -> str:
    """The digest of the windows that a replay of the log cuts."""
    log = OwnLog(path)
    join, running = make_join(log.about.streams, log.about.plan), RunningDigest()
    for event in log.events():
        for tick in [] if isinstance(event, Truth) else join.take(event):
            running.add(digest(tick))
    # A part of a run knows of no end: that of the file is one.
    for tick in join.take(Ended(0, tuple(join.windowers))):
        running.add(digest(tick))
    log.close()
    return running.hexdigest()


def in_time(path: Path, from_ns: int, to_ns: int) -> Iterator[tuple[str, int, int, bytes]]:
    """Messages of the samples that arrived in that time."""
    counts: dict[str, list[int]] = {}
    for event in events_of(path):
        if isinstance(event, Arrived):
            each = getattr(event.sample.data, "t_ns", None)
            number = 1 if each is None else len(each)
            inside = from_ns <= event.now_ns < to_ns
            counts.setdefault(f"/{event.sample.stream}", []).extend([int(inside)] * number)
    for message in messages_of(path):
        if message[0] in counts and counts[message[0]].pop(0):
            yield message


def test_a_log_rewritten_whole_keeps_every_byte_and_its_digest(
    recorded: Path, tmp_path: Path
) -> None:
    output = tmp_path / "same.mcap"
    done = cut(recorded, output)
    assert done.windows == stored(output) == stored(recorded) == replayed(output)
    own = {JOURNAL, WINDOWS}
    before = sorted(m for m in messages_of(recorded) if m[0] not in own)
    assert sorted(m for m in messages_of(output) if m[0] not in own) == before


def test_a_cut_has_the_bytes_of_its_time_and_a_digest_of_its_own(
    recorded: Path, tmp_path: Path
) -> None:
    output = tmp_path / "cut.mcap"
    from_ns, to_ns = START_NS + 1300 * MS, START_NS + 3200 * MS
    done = cut(recorded, output, from_ns, to_ns)
    mine = [m for m in messages_of(output) if m[0] in KEPT]
    assert sorted(mine) == sorted(in_time(recorded, from_ns, to_ns))
    assert {m[0] for m in mine} == KEPT
    assert done.windows == stored(output) == replayed(output) != stored(recorded)
    times = [m[1] for m in messages_of(output) if m[0].startswith("/streamer/embedding")]
    wanted = [m[1] for m in messages_of(recorded) if m[0].startswith("/streamer/embedding")]
    assert times == [t for t in wanted if from_ns <= t < to_ns]
    # What stood when it began is told at its beginning.
    assert [m[1] for m in messages_of(output) if m[0] == "/streamer/meta"] == [from_ns]


def test_a_cut_knows_what_was_left_out_in_the_chunk_in_which_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "whole.mcap"
    recording = Recording(McapFile(path), about())
    rewrite([*world(2)[:20], Left("a_imu", "queue", 3), *world(2)[20:]], recording, lambda _: None)
    middle_ns = world(2)[30].now_ns  # of the first chunk
    log = OwnLog(path)
    for notes in (True, False):
        found = log.items(from_ns=START_NS, to_ns=middle_ns, notes=notes)
        assert [item for item in found if isinstance(item, Left)] == [Left("a_imu", "queue", 3)]
        assert log.lost == {("a_imu", "queue"): 3}
    log.close()


def test_a_cut_of_some_streams_has_nothing_of_the_others(recorded: Path, tmp_path: Path) -> None:
    output = tmp_path / "cut.mcap"
    cut(recorded, output, streams=("a_audio", "a_imu"))
    topics = {m[0] for m in messages_of(output)}
    assert topics & KEPT == {"/a_audio", "/a_imu"}
    assert not any("a_vision" in topic for topic in topics)
    assert "/streamer/truth/truth" in topics
    assert replayed(output) == stored(output)


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.integers(1, 3999), min_size=1, max_size=3, unique=True).map(sorted))
def test_parts_in_a_row_merge_into_the_log_they_were(
    recorded: Path, tmp_path: Path, at_ms: list[int]
) -> None:
    edges = [None, *(START_NS + ms * MS for ms in at_ms), None]
    for old in tmp_path.iterdir():
        old.unlink()
    parts = [tmp_path / f"{n}.mcap" for n in range(len(edges) - 1)]
    done = [cut(recorded, p, a, b) for p, a, b in zip(parts, edges, edges[1:], strict=False)]
    used = [part for part, each in zip(parts, done, strict=True) if each.first_ns is not None]
    merged = merged_into(tmp_path / "merged.mcap", list(reversed(used)))
    assert merged.windows == stored(recorded)
    assert [_key(e) for e in events_of(tmp_path / "merged.mcap")] == [
        _key(e) for e in events_of(recorded)
    ]


def test_streams_side_by_side_merge_by_the_clock_of_arrival(recorded: Path, tmp_path: Path) -> None:
    seen, rest = tmp_path / "seen.mcap", tmp_path / "rest.mcap"
    cut(recorded, seen, streams=("a_vision", "a_depth", "a_thermal"))
    cut(recorded, rest, streams=("a_audio", "a_imu"))
    merged = merged_into(tmp_path / "merged.mcap", [seen, rest])
    arrived = [e for e in events_of(tmp_path / "merged.mcap") if isinstance(e, Arrived)]
    assert len(arrived) == sum(isinstance(e, Arrived) for e in world(4))
    assert all(a.now_ns <= b.now_ns for a, b in pairwise(arrived))
    assert merged.windows == replayed(tmp_path / "merged.mcap")


def test_what_does_not_belong_together_is_not_merged(tmp_path: Path) -> None:
    one, two, other = (tmp_path / f"{name}.mcap" for name in ("one", "two", "other"))
    events = world(4)
    write(one, events)
    write(two, events)
    write(other, events, replace(about(), plan=replace(about().plan, hop_ns=NS_PER_S)))
    with pytest.raises(ConfigError, match="both have a_audio, a_depth"):
        merged_into(tmp_path / "m.mcap", [one, two])
    with pytest.raises(ConfigError, match="hop_ns 500000000 and 1000000000"):
        merged_into(tmp_path / "m.mcap", [one, other])


def merged_into(output: Path, paths: list[Path]) -> Rewritten:
    logs = [OwnLog(path) for path in paths]
    try:
        pieces = [merge.piece(path, log) for path, log in zip(paths, logs, strict=True)]
        told = merge.about(pieces)
        items = (item for _, item in merge.items(pieces))
        return rewrite(items, Recording(McapFile(output), told), lambda now_ns: None)
    finally:
        for log in logs:
            log.close()


def test_parts_of_a_run_from_files_merge_in_their_order(tmp_path: Path) -> None:
    """Of one run they follow one another, though part 0 has seen what begins part 1."""
    mine = [replace(e, live=False) for e in world(4) if isinstance(e, Arrived)]
    mine[50:] = [mine[55], *mine[50:55], *mine[56:]]
    whole = write(tmp_path / "whole.mcap", mine, about(live=False), notes=False)
    paths = [tmp_path / "one.mcap", tmp_path / "two.mcap"]
    for number, (path, events) in enumerate(zip(paths, (mine[:51], mine[51:]), strict=True)):
        more = {"recording": "r", "part": str(number)}
        write(path, events, replace(about(live=False), more=more), notes=False)
    for order in (paths, paths[::-1]):
        merged = tmp_path / f"merged_{order[0].name}"
        assert merged_into(merged, order).windows == whole == replayed(merged)
    with pytest.raises(ConfigError, match="at the same time"):
        merged_into(tmp_path / "twice.mcap", [paths[0], paths[0], paths[1]])


def test_samples_from_files_keep_their_stamps(tmp_path: Path) -> None:
    """Their clock says nothing: what counts is the order, and the stamps."""
    streams = (StreamInfo("a_imu", "imu"), StreamInfo("a_audio", "audio"))
    mine = [
        replace(e, live=False)
        for e in world(4)
        if isinstance(e, Arrived) and e.sample.modality in ("imu", "audio")
    ]
    first, second = tmp_path / "first.mcap", tmp_path / "second.mcap"
    kept = write(first, mine, about(streams, live=False))
    assert cut(first, second).windows == kept == replayed(second)


def _key(event: object) -> tuple[object, ...]:
    if isinstance(event, Arrived):
        return event.now_ns, event.sample.stream, event.sample.t_ns, event.sample.clock
    return (event,)
