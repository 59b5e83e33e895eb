"""Small recordings of the simulated robot, made in a moment: for what is done to files."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from heapq import merge
from pathlib import Path

import numpy as np

from sinks.mcap.file import McapFile
from sources.recording.about import About
from sources.recording.note import Note
from sources.recording.pictures import Encoded
from sources.recording.recording import Recording
from sources.replay.container import McapLog
from sources.replay.own import OwnLog
from sources.rewriting.rewrite import rewrite
from sources.world.live import captures, data
from streamer.events import Arrived, Ended, Event, Passed
from streamer.logfile import ChannelSpec
from streamer.plan import Plan
from streamer.types import MODALITIES, NS_PER_S, ClockCard, Modality, Sample, StreamInfo, Truth

START_NS = 1_790_000_000 * NS_PER_S
MS = 1_000_000
PLAN = Plan(
    hop_ns=500 * MS,
    lengths_ns=dict.fromkeys(MODALITIES, NS_PER_S),
    lateness_ns=100 * MS,
    idle_ns=500 * MS,
    min_coverage=0.5,
)
STREAMS = tuple(StreamInfo(f"a_{modality}", modality) for modality in MODALITIES)
META = ChannelSpec("/streamer/meta", "json")
TRUTH = ChannelSpec("/streamer/truth/truth", "json")
EMBEDDING = ChannelSpec("/streamer/embedding/vision/a_vision", "cbor")


@lru_cache(maxsize=4)
def world(seconds: int = 8) -> tuple[Event, ...]:
    """What a live run of five sensors hears, pictures an eighth as wide as they are."""
    arrived = merge(*(_of(m, seconds) for m in MODALITIES), key=lambda e: e.now_ns)
    ticks = (Passed(START_NS + n * 50 * MS) for n in range(1, seconds * 20))
    events = list(merge(arrived, ticks, key=lambda e: e.now_ns))
    end_ns = START_NS + seconds * NS_PER_S + 10 * MS
    return (*events, Ended(end_ns, tuple(info.name for info in STREAMS)))


def _of(modality: Modality, seconds: int) -> Iterator[Event]:
    card = ClockCard("device", 1000, offset_ns=START_NS // 2)
    for capture in captures(modality, seconds * NS_PER_S):
        content = data(1, capture, START_NS, 200)
        if isinstance(content, np.ndarray):
            content = content[::8, ::8].copy()
        t_ns = START_NS + capture.t_ns
        sample = Sample(f"a_{modality}", modality, t_ns, capture.duration_ns, content, card)
        yield Arrived(sample.end_ns + 3 * MS, sample)


def about(streams: tuple[StreamInfo, ...] = STREAMS, *, live: bool = True) -> About:
    return About(live, streams, PLAN, started_ns=START_NS, config="sources: []\n")


def write(
    path: Path,
    events: Iterable[Event],
    told: About | None = None,
    *,
    png: bool = False,
    notes: bool = True,
) -> str:
    """A whole recording, with chunks of half a second; returns the digest of its windows."""
    recording = Recording(McapFile(path), told or about(), "png" if png else "jpeg")
    return rewrite(_noted(events, notes=notes), recording, lambda now_ns: None).windows


def _noted(events: Iterable[Event], *, notes: bool) -> Iterator[Event | Note]:
    """Beside them, what a run publishes: once its model, then an embedding and the truth."""
    due_ns = None
    for event in events:
        yield event
        if not notes:
            continue
        if due_ns is None:
            yield Note(META, event.now_ns, b'{"model": "m"}')
            due_ns = event.now_ns
        if event.now_ns >= due_ns:
            yield Note(EMBEDDING, due_ns, b"vector %d" % due_ns)
            yield Note(TRUTH, due_ns, _truth(due_ns))
            due_ns += 500 * MS


def _truth(t_ns: int) -> bytes:
    told = {"t0": t_ns // 1000, "t1": t_ns // 1000 + 500_000, "s": "truth", "present": {}}
    return json.dumps(told).encode()


def mixed(events: Iterable[Event]) -> Iterator[Event]:
    """The same run with pictures as they are in logs of others: grey, uncompressed colour."""
    for number, event in enumerate(events):
        if isinstance(event, Arrived) and event.sample.modality == "vision" and number % 2:
            array = event.sample.data
            assert isinstance(array, np.ndarray)
            kept = Encoded(array.tobytes(), "rgb8", array.shape[:2])
            yield replace(event, sample=replace(event.sample, data=kept))
        else:
            yield event


def events_of(path: Path) -> list[Event]:
    log = OwnLog(path)
    try:
        return [event for event in log.events() if not isinstance(event, Truth)]
    finally:
        log.close()


def messages_of(path: Path) -> list[tuple[str, int, int, bytes]]:
    """Topic, both stamps and bytes of every message, in the order of the file."""
    log = McapLog(path)
    try:
        return [
            (m.channel.topic, m.log_ns, m.publish_ns, m.payload)
            for part in log.parts()
            for m in getattr(part, "messages", ())
        ]
    finally:
        log.close()
