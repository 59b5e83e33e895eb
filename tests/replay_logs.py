"""Small logs of runs that never were, and logs that were tampered with afterwards."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sinks.mcap.file import McapFile
from sinks.wire.reports import encode_truth
from sources.recording.about import About
from sources.recording.encode import Pictures
from sources.recording.format import DIGEST, JOURNAL
from sources.recording.journal import Entry, Journal, Took, decode
from sources.recording.recording import Recording
from sources.replay.container import Chunk, McapLog, Message, Metadata
from sources.replay.source import Replay
from streamer.cli.replay.command import verified
from streamer.cli.replay.settings import base, extent
from streamer.events import Arrived, Ended, Event, Passed
from streamer.logfile import ChannelSpec
from streamer.plan import Plan
from streamer.types import AudioBlock, ImuBlock, Sample, Span, StreamInfo, Truth

MS = 1_000_000
START_NS = 1_700_000_000_000_000_000
STREAMS = (
    StreamInfo("camera", "vision"),
    StreamInfo("depth", "depth"),
    StreamInfo("imu", "imu"),
    StreamInfo("microphone", "audio"),
)
CONFIG = """
sources: [{kind: synthetic, stream: camera, modality: vision, rate_hz: 10}]
encoder: {kind: noop, dim: 16}
labels: false
"""
PLAN = Plan(
    hop_ns=500 * MS,
    lengths_ns={"vision": 2000 * MS, "audio": 2000 * MS, "depth": 2000 * MS, "imu": 2000 * MS},
    lateness_ns=100 * MS,
    idle_ns=500 * MS,
    min_coverage=0.5,
)


def happened(seconds: int = 5) -> list[Event | Truth]:
    """Four sensors, 20 ms late each, and time that passes every 50 ms; the truth once a second.

    camera, depth   |    |    |    |    10 and 5 Hz
    microphone, imu [][][][][][][][]    blocks of 50 ms
    """
    numbers = np.random.default_rng(7)
    events: list[Event | Truth] = []
    for step in range(seconds * 20):
        t_ns = START_NS + step * 50 * MS
        now_ns = t_ns + 70 * MS
        if step % 20 == 0:
            events.append(_truth(t_ns))
        if step % 2 == 0:
            picture = numbers.integers(0, 255, (12, 16, 3), np.uint8)
            events.append(Arrived(now_ns, Sample("camera", "vision", t_ns, 100 * MS, picture)))
        if step % 4 == 0:
            metres = numbers.uniform(0.5, 4, (6, 8)).astype(np.float32)
            events.append(Arrived(now_ns, Sample("depth", "depth", t_ns, 200 * MS, metres)))
        sound = numbers.uniform(-0.5, 0.5, 400).astype(np.float32)
        block = AudioBlock(sound, 8000)
        events.append(Arrived(now_ns, Sample("microphone", "audio", t_ns, 50 * MS, block)))
        stamps = t_ns + np.arange(10, dtype=np.int64) * 5 * MS
        motion = ImuBlock(stamps, numbers.normal(size=(10, 6)).astype(np.float32))
        events.append(Arrived(now_ns + MS, Sample("imu", "imu", t_ns, 50 * MS, motion)))
        events.append(Passed(now_ns + 2 * MS))
    end_ns = START_NS + seconds * 1000 * MS + 100 * MS
    return [*events, Ended(end_ns, tuple(info.name for info in STREAMS))]


def _truth(t_ns: int) -> Truth:
    return Truth("truth", Span(t_ns, t_ns + 1000 * MS), {"vision": (f"scene {t_ns}",)})


def write(
    path: Path,
    events: Sequence[Event | Truth] | None = None,
    *,
    pictures: Pictures = "jpeg",
    finish: bool = True,
    live: bool = True,
) -> None:
    """Records them. Without `finish` the file is what the end of the process leaves."""
    about = About(live, STREAMS, PLAN, START_NS, config=CONFIG)
    file = McapFile(path)
    recording = Recording(file, about, pictures)
    for number, event in enumerate(happened() if events is None else events):
        if isinstance(event, Truth):
            body = encode_truth(event, sid="s", seq=number).stamped(event.span.start_ns)
            channel = ChannelSpec("/streamer/truth/truth", "json")
            recording.note(channel, event.span.start_ns, body)
        else:
            recording.take(event)
        if number % 40 == 39:
            recording.close_chunk()
    if finish:
        recording.finish()
        return
    recording.close_chunk()
    file.close()
    cut_off(path)


def cut_off(path: Path) -> None:
    """Take the end away, from the middle of the last chunk on."""
    log = McapLog(path)
    chunks = [part.offset for part in log.parts() if isinstance(part, Chunk)]
    log.close()
    with path.open("r+b") as file:
        file.truncate(chunks[-1] + 20)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a journal with the messages that it is of; or a message of another kind."""

    entry: Entry | None
    messages: tuple[Message, ...]

    @property
    def sample(self) -> Took | None:
        return self.entry if isinstance(self.entry, Took) else None


def steps(path: Path) -> Iterator[Step]:
    """What is in a log, in the order in which it happened."""
    for chunk in _parts(path, Chunk):
        waiting: dict[str, list[Message]] = {}
        journal = Journal(live=True)
        for message in chunk.messages:
            stream = dict(message.channel.metadata).get("stream")
            if message.channel.topic == JOURNAL:
                journal = decode(message.payload)
            elif stream is None:
                yield Step(None, (message,))
            else:
                waiting.setdefault(stream, []).append(message)
        for entry in journal.entries:
            took = waiting.get(entry.stream, []) if isinstance(entry, Took) else []
            count = entry.messages if isinstance(entry, Took) else 0
            yield Step(entry, tuple(took[:count]))
            del took[:count]


def rewrite(
    path: Path, out: Path, edit: Callable[[list[Step]], list[Step]], **promised: str
) -> None:
    """A log with other samples, or another order, and the same promises but for those that are
    given. All checksums right."""
    log = McapLog(path)
    metadata = [part for part in log.parts() if isinstance(part, Metadata)]
    log.close()
    file = McapFile(out)
    for one in metadata:
        if one.name != DIGEST:
            file.metadata(one.name, one.data)
    journal, now_ns = Journal(_live(path)), 0
    for number, step in enumerate(edit(list(steps(path)))):
        for m in step.messages:
            file.message(m.channel, m.log_ns, m.publish_ns, m.payload)
        if step.entry is not None:
            journal.entries.append(step.entry)
            now_ns = step.entry.now_ns
        if number % 300 == 299:
            file.message(ChannelSpec(JOURNAL, "cbor"), now_ns, now_ns, journal.encode())
            file.close_chunk()
            journal = Journal(journal.live)
    file.message(ChannelSpec(JOURNAL, "cbor"), now_ns, now_ns, journal.encode())
    file.close_chunk()
    for one in metadata:
        if one.name == DIGEST:
            file.metadata(one.name, one.data | promised)
    file.close()


def without(path: Path, out: Path, name: str) -> None:
    """The log without metadata of that name."""
    log = McapLog(path)
    file = McapFile(out)
    for part in log.parts():
        if isinstance(part, Metadata) and part.name != name:
            file.metadata(part.name, part.data)
        elif isinstance(part, Chunk):
            for m in part.messages:
                file.message(m.channel, m.log_ns, m.publish_ns, m.payload)
            file.close_chunk()
    log.close()
    file.close()


def shuffled(within_ns: int, seed: int = 0) -> Callable[[list[Step]], list[Step]]:
    """Samples of each stream in another order of arrival: as late as they may be, and no later.

    The clock stays as it was at each place. It stands in for streams that were silent or far
    behind, which happens to a busy machine: what came around that keeps its place, for there one
    that is later still may be too late.
    """

    def edit(found: list[Step]) -> list[Step]:
        late = np.random.default_rng(seed)
        edited = list(found)

        def due(place: int) -> float:
            took = found[place].sample
            assert took is not None
            # A picture is taken at an instant; a block is known when it ends.
            block_ns = took.duration_ns if found[place].messages[0].channel.topic in BLOCKS else 0
            return took.t_ns + late.uniform(0, within_ns - block_ns)

        for places in _steady(found):
            for place, source in zip(places, sorted(places, key=due), strict=True):
                was, now = found[source].sample, found[place].sample
                assert was is not None
                assert now is not None
                edited[place] = Step(replace(was, now_ns=now.now_ns), found[source].messages)
        return edited

    return edit


def _steady(found: list[Step]) -> Iterator[list[int]]:
    """Places of samples of one stream that came steadily, one run of them after the other."""
    runs: dict[str, list[int]] = {}
    began: dict[str, int] = {}
    before: dict[str, int] = {}
    for place, step in enumerate(found):
        took = step.sample
        if took is None:
            continue
        silent = took.now_ns - before.get(took.stream, 0) > STEADY_NS
        before[took.stream] = took.now_ns
        if silent:
            began[took.stream] = took.now_ns
        recovering = took.now_ns - began[took.stream] < STEADY_NS
        if silent or recovering or took.now_ns - took.t_ns > STEADY_NS:
            if run := runs.pop(took.stream, None):
                yield run
        else:
            runs.setdefault(took.stream, []).append(place)
    yield from runs.values()


STEADY_NS = 300 * MS
BLOCKS = ("/microphone", "/imu")


def _live(path: Path) -> bool:
    for chunk in _parts(path, Chunk):
        for message in chunk.messages:
            if message.channel.topic == JOURNAL:
                return decode(message.payload).live
    return True


def _parts(path: Path, kind: type[Chunk]) -> Iterator[Chunk]:
    log = McapLog(path)
    try:
        yield from (part for part in log.parts() if isinstance(part, kind))
    finally:
        log.close()


def verdict(path: Path, against: Path | None = None) -> tuple[int, str]:
    """What `streamer replay --verify --speed max` says of a log."""
    settings = base(path, None, [])
    (source,) = settings.sources
    assert isinstance(source, Replay)
    report, line = verified(settings, extent(source), None, against, None)
    return report["status"], line
