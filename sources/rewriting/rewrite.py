"""What happened in logs, once more into a file: the way of cut, merge and convert."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from sources.recording.journal import Left
from sources.recording.note import Note
from sources.recording.parts import CHUNK_BYTES, CHUNK_NS
from sources.recording.recorder import RUN
from sources.recording.recording import Recording
from sources.replay.log import Log, damage
from sources.replay.own import OwnLog
from sources.rewriting.standing import standing
from streamer.errors import SourceLost
from streamer.events import Arrived, Event
from streamer.types import Truth

Item: TypeAlias = Event | Note | Left
Hear: TypeAlias = Callable[[int], object]
"""Told the time in the log that has been reached, now and then."""


def everything(
    path: Path,
    log: Log,
    streams: Collection[str] | None = None,
    from_ns: int | None = None,
    to_ns: int | None = None,
) -> Iterator[tuple[int, Item]]:
    """What happened, and beside it what was published, with the time that had been reached.

    Never decreasing. Of the logs of others there is nothing but their samples.
    """
    reached_ns = 0
    if isinstance(log, OwnLog):
        names = {info.name for info in log.streams}
        away = names - names.intersection(names if streams is None else streams)
        if from_ns is not None:
            reached_ns = from_ns
            stood = standing(path, from_ns)
            yield from ((from_ns, note) for note in stood if not _is_of(note, away))
        found = (i for i in log.items(streams, from_ns, to_ns) if not _is_of(i, away))
    else:
        found = log.events(streams, from_ns, to_ns)
    for item in found:
        if isinstance(item, Truth):
            continue  # in logs of ours it is among what was published
        if not isinstance(item, Note | Left):
            reached_ns = max(reached_ns, item.now_ns)
        yield reached_ns, item


def _is_of(item: Item | Truth, streams: Collection[str]) -> bool:
    """What was published of a stream has it as a level of its topic."""
    if isinstance(item, Left):
        return item.stream in streams
    return isinstance(item, Note) and not set(item.channel.topic.split("/")).isdisjoint(streams)


@dataclass(slots=True)
class Rewritten:
    """What went into the new file. `problems`: what could not, by cause."""

    samples: Counter[str] = field(default_factory=Counter[str])
    notes: int = 0
    first_ns: int | None = None
    last_ns: int = 0
    ticks: int = 0
    windows: str = ""
    problems: Counter[str] = field(default_factory=Counter[str])


def rewrite(
    items: Iterable[Item], recording: Recording, hear: Hear, logs: Sequence[Log] = ()
) -> Rewritten:
    """Closes the file. Raises OSError, and what `items` raises. `logs`: where `items` are from;
    what is damaged in them is missing in the new one."""
    done = Rewritten()
    due_ns: int | None = None
    for item in items:
        if isinstance(item, Note):
            recording.note(item.channel, item.log_ns, item.payload)
            done.notes += 1
        elif isinstance(item, Left):
            recording.lose(item.stream, item.cause, item.count)
        elif _take(item, recording, done):
            done.first_ns = item.now_ns if done.first_ns is None else done.first_ns
            done.last_ns = max(done.last_ns, item.now_ns)
        now_ns = done.last_ns
        due_ns = now_ns + CHUNK_NS if due_ns is None else due_ns
        if now_ns >= due_ns or recording.chunk_bytes >= CHUNK_BYTES:
            recording.close_chunk()
            hear(now_ns)
            due_ns = now_ns + CHUNK_NS
    for log in logs:
        done.problems.update(log.problems)
        if missing := damage(log).total():
            recording.lose(RUN, "damaged", missing)
    recording.finish()
    done.ticks, done.windows = recording.running.ticks, recording.running.hexdigest()
    return done


def _take(event: Event, recording: Recording, done: Rewritten) -> bool:
    """False for a sample that no log of ours can hold: it is counted, and left out."""
    if not isinstance(event, Arrived):
        recording.take(event)
        return True
    sample = event.sample
    if sample.t_ns < 0:
        done.problems[f"{sample.stream}: stamps before 1970"] += 1
        return False
    try:
        recording.take(event)
    except SourceLost:
        # Pictures of others may have to be decoded to be kept.
        done.problems[f"{sample.stream}: pictures cannot be decoded"] += 1
        recording.lose(sample.stream, "damaged", 1)
        return False
    done.samples[sample.stream] += 1
    return True
