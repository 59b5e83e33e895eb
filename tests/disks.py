"""Disks for recordings: slow, full, broken; and what a recording holds."""

import errno
import io
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from sinks.mcap.file import McapFile
from sources.recording.format import JOURNAL
from sources.recording.journal import Took, decode
from sources.replay.container import Chunk, McapLog
from sources.replay.own import OwnLog
from streamer.events import Arrived, Event
from streamer.logfile import ChannelSpec
from streamer.types import Truth


class SlowFile(McapFile):
    """Closing a chunk takes until `gate` is open. `closed` is set when one has been."""

    def __init__(self, path: Path, gate: threading.Event) -> None:
        super().__init__(path)
        self.gate, self.closed = gate, threading.Event()

    def close_chunk(self) -> None:
        self.gate.wait()
        super().close_chunk()
        self.closed.set()


class FullFile(McapFile):
    """The disk is full behind `chunks` chunks."""

    def __init__(self, path: Path, chunks: int) -> None:
        super().__init__(path)
        self._left = chunks

    def close_chunk(self) -> None:
        if not self._left:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._left -= 1
        super().close_chunk()


class DyingCard(type(Path())):
    """A file of which the disk gives nothing from byte `broken` on."""

    broken = 0

    def open(self, *args: Any, **named: Any) -> Any:
        return io.BufferedReader(_Dying(self, self.broken))


class _Dying(io.FileIO):
    def __init__(self, path: Path, broken: int) -> None:
        super().__init__(str(path))
        self._broken = broken

    def readinto(self, buffer: Any, /) -> int:
        left = self._broken - self.tell()
        if left <= 0:
            raise OSError(errno.EIO, "Input/output error")
        data = super().read(min(left, len(buffer))) or b""
        buffer[: len(data)] = data
        return len(data)


class BrokenFile(McapFile):
    """Has a bug."""

    def message(
        self,
        channel: ChannelSpec,
        log_ns: int,
        sensor_ns: int,
        payload: bytes,
        sequence: int | None = None,
    ) -> None:
        raise ZeroDivisionError(f"a bug at {channel.topic}")


def events_of(path: Path) -> list[Event]:
    """What a recording says happened. What was cut off is no matter, anything else is."""
    log = OwnLog(path)
    try:
        events = [event for event in log.events() if not isinstance(event, Truth)]
        assert all(problem.startswith("cut off") for problem in log.problems), log.problems
        return events
    finally:
        log.close()


def told(event: Event) -> tuple[object, ...]:
    """What makes two events the same, but for the data of a sample."""
    if isinstance(event, Arrived):
        sample = event.sample
        return (event.now_ns, sample.stream, sample.t_ns, sample.duration_ns, event.live)
    return (event,)


def metadata(path: Path, name: str) -> dict[str, str]:
    log = McapLog(path)
    try:
        return log.metadata(name) or {}
    finally:
        log.close()


def lost_by_journal(path: Path) -> Counter[tuple[str, str]]:
    lost: Counter[tuple[str, str]] = Counter()
    for chunk in chunks_of(path):
        for message in chunk.messages:
            if message.channel.topic == JOURNAL:
                for stream, causes in decode(message.payload).lost.items():
                    lost.update({(stream, cause): count for cause, count in causes.items()})
    return lost


def check_chunks(path: Path) -> None:
    """In every chunk are exactly the messages of which its journal tells."""
    for chunk in chunks_of(path):
        there: Counter[str] = Counter()
        said: Counter[str] = Counter()
        for message in chunk.messages:
            if message.channel.topic == JOURNAL:
                for entry in decode(message.payload).entries:
                    if isinstance(entry, Took):
                        said[entry.stream] += entry.messages
            elif stream := dict(message.channel.metadata).get("stream"):
                there[stream] += 1
        assert there == said


def chunks_of(path: Path) -> list[Chunk]:
    log = McapLog(path)
    try:
        return [part for part in log.parts() if isinstance(part, Chunk)]
    finally:
        log.close()
