"""Records a run while it goes on: a deep queue, and a thread that compresses and writes.

The queue is bounded. A live run never waits for it: what does not fit is left out, and the file
says so. A run from files waits for room.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sources.recording.about import About
from sources.recording.encode import Pictures
from sources.recording.recording import RecorderState, Recording
from streamer.clock import monotonic_ns
from streamer.events import Arrived, Event
from streamer.logfile import ChannelSpec, LogFile
from streamer.types import AudioBlock, Data, ImuBlock, Tick

log = logging.getLogger(__name__)

QUEUE_ITEMS = 50_000
CHUNK_NS = 500_000_000
CHUNK_BYTES = 4 << 20
RUN = "run"
"""In place of a stream, for what belongs to none: time that passed, and what was published."""


@dataclass(frozen=True, slots=True, eq=False)
class Note:
    """A message that was published, in the bytes that went on the wire."""

    channel: ChannelSpec
    log_ns: int
    payload: bytes


class Recorder:
    """A tap of a run. `state` and `why` tell whether it still records."""

    def __init__(
        self,
        about: About,
        open_file: Callable[[], LogFile],
        *,
        pictures: Pictures = "jpeg",
        quality: int = 90,
        queue_bytes: int = 64 << 20,
    ) -> None:
        self.state: RecorderState = "recording"
        self.why = ""
        self._about, self._open_file = about, open_file
        self._pictures: Pictures = pictures
        self._quality, self._queue_bytes = quality, queue_bytes
        self._items: deque[Event | Note] = deque()
        self._bytes = 0
        self._lost: dict[tuple[str, str], int] = {}
        self.lost: dict[str, dict[str, int]] = {}
        self._stopping = False
        self._changed = threading.Condition()
        self._loop = asyncio.get_running_loop()
        self._roomy = asyncio.Event()
        self._roomy.set()
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator["Recorder", None]:
        """Recording until left. The file is whole then."""
        self._thread.start()
        try:
            yield self
        finally:
            with self._changed:
                self._stopping = True
                self._changed.notify()
            await asyncio.to_thread(self._thread.join)

    def report(self) -> dict[str, object]:
        """JSON-ready: the state, and what was left out of the file."""
        return {"state": self.state, "why": self.why, "lost": self.lost}

    # -- in the event loop ---------------------------------------------------------------------

    def heard(self, event: Event, ticks: Sequence[Tick]) -> None:
        del ticks  # cut again from what the file holds
        stream = event.sample.stream if isinstance(event, Arrived) else RUN
        self._put(event, stream)

    def note(self, channel: ChannelSpec, log_ns: int, payload: bytes) -> None:
        self._put(Note(channel, log_ns, payload), RUN)

    async def room(self) -> None:
        await self._roomy.wait()

    def _put(self, item: Event | Note, stream: str) -> None:
        size = weight(item)
        with self._changed:
            if self.state != "recording":
                return
            # One that is larger than the whole queue passes alone.
            full = bool(self._items) and self._bytes + size > self._queue_bytes
            if full or len(self._items) >= QUEUE_ITEMS:
                key = (stream, "queue")
                self._lost[key] = self._lost.get(key, 0) + 1
                return
            self._items.append(item)
            self._bytes += size
            if self._bytes * 2 > self._queue_bytes or len(self._items) * 2 > QUEUE_ITEMS:
                self._roomy.clear()
            self._changed.notify()

    # -- in the thread -------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._record()
            self.state = "closed"
        except OSError as error:
            with self._changed:
                self.state, self.why = "failed", error.strerror or str(error)
                self._items.clear()
            log.warning("recording stopped: %s", self.why)
        finally:
            self._loop.call_soon_threadsafe(self._roomy.set)

    def _record(self) -> None:
        recording = Recording(self._open_file(), self._about, self._pictures, self._quality)
        due_ns = monotonic_ns() + CHUNK_NS
        while True:
            taken, lost, stopping = self._take((due_ns - monotonic_ns()) / 1e9)
            for (stream, cause), count in lost.items():
                recording.lose(stream, cause, count)
            self.lost = recording.lost
            for item in taken:
                if isinstance(item, Note):
                    recording.note(item.channel, item.log_ns, item.payload)
                else:
                    recording.take(item)
                if monotonic_ns() >= due_ns or recording.chunk_bytes >= CHUNK_BYTES:
                    recording.close_chunk()
                    due_ns = monotonic_ns() + CHUNK_NS
            if monotonic_ns() >= due_ns:
                recording.close_chunk()
                due_ns = monotonic_ns() + CHUNK_NS
            if stopping and not taken:
                recording.finish()
                return

    def _take(
        self, patience_s: float
    ) -> tuple[list[Event | Note], dict[tuple[str, str], int], bool]:
        """A few items at a time, so that what waits is counted where it waits."""
        with self._changed:
            if not self._items and not self._stopping:
                self._changed.wait(max(0.0, patience_s))
            taken = [self._items.popleft() for _ in range(min(len(self._items), 16))]
            self._bytes -= sum(weight(item) for item in taken)
            lost, self._lost = self._lost, {}
            roomy = self._bytes * 2 <= self._queue_bytes and len(self._items) * 2 <= QUEUE_ITEMS
        if roomy and not self._roomy.is_set():
            self._loop.call_soon_threadsafe(self._roomy.set)
        return taken, lost, self._stopping


def weight(item: Event | Note) -> int:
    """About how many bytes an item holds in memory."""
    if isinstance(item, Note):
        return len(item.payload) + 200
    return 200 + (_nbytes(item.sample.data) if isinstance(item, Arrived) else 0)


def _nbytes(data: Data) -> int:
    if isinstance(data, AudioBlock):
        return data.samples.nbytes
    if isinstance(data, ImuBlock):
        return data.t_ns.nbytes + data.values.nbytes
    return int(getattr(data, "nbytes", 0))
