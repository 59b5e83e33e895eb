"""Records a run while it goes on: a deep queue, and a thread that compresses and writes.

The queue is bounded. A live run never waits for it: what does not fit is left out, and the file
says so. A run from files waits for room.

A disk that takes no more ends the recording and not the run. It is not tried again: a full disk
would be filled anew with whatever somebody frees on it, in scraps of seconds, and one that is
broken is not mended by writing. The state says so until the run ends.
"""

import asyncio
import logging
import threading
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import TypeAlias

from sources.recording.about import About
from sources.recording.encode import Pictures
from sources.recording.excerpt import Mark
from sources.recording.flight import Flight
from sources.recording.note import Note
from sources.recording.parts import NEVER, PartReport, Parts, Rotation
from sources.recording.recording import RecorderState, total
from streamer.channels import Account
from streamer.errors import SourceLost
from streamer.events import Arrived, Ended, Event
from streamer.logfile import ChannelSpec, LogFile
from streamer.types import AudioBlock, Data, ImuBlock, RecordingStatus, Tick

log = logging.getLogger(__name__)

QUEUE_ITEMS = 50_000
BATCH = 16
RUN = "run"
"""In place of a stream, for what belongs to none: time that passed, and what was published."""


@dataclass(frozen=True, slots=True)
class Losses:
    """What did not fit into the queue at this place in it, by stream and cause."""

    counts: Counter[tuple[str, str]]


Item: TypeAlias = Event | Note | Mark
Queued: TypeAlias = Item | Losses


class Recorder:
    """A tap of a run. `state` and `why` tell whether it still records.

    `accounts`, by stream: what was heard, and what of it is in closed chunks, which survive the
    end of this process. What is not in the file is dropped as `queue` (the disk was too slow),
    `damaged` (a picture that cannot be decoded, a stamp before 1970) or `failed` (the disk took no
    more).

    With `lossless`, for runs that wait for `room`, nothing is left out for want of it, whatever the
    log says that is recorded again.

    With `flight`, which is told what to call when all is in its ring, nothing is written until
    `trigger` is called, and what is in the ring counts as kept.
    """

    def __init__(
        self,
        about: About,
        open_file: Callable[[], LogFile],
        *,
        pictures: Pictures = "jpeg",
        quality: int = 90,
        queue_bytes: int = 64 << 20,
        rotation: Rotation = NEVER,
        lossless: bool = False,
        flight: Callable[[Callable[[], None]], Flight] | None = None,
    ) -> None:
        self._flight = None if flight is None else flight(self._settled)
        self.state: RecorderState = "recording" if self._flight is None else self._flight.state
        self.why = ""
        self.accounts = {info.name: Account() for info in about.streams} | {RUN: Account()}
        self.newest_ns: dict[str, int] = {}
        """The end of the newest sample of each stream, by its own stamp."""
        self._files: tuple[PartReport, ...] = ()
        self._failed_path = ""
        self._about, self._open_file = about, open_file
        self._pictures: Pictures = pictures
        self._quality, self._queue_bytes, self._rotation = quality, queue_bytes, rotation
        self._lossless = lossless
        self._items: deque[Queued] = deque()
        self._bytes = 0
        self._lost: Counter[tuple[str, str]] = Counter()
        self._in_chunk: Counter[str] = Counter()
        self._stopping = False
        self._changed = threading.Condition()
        self._bug: BaseException | None = None
        self._loop = asyncio.get_running_loop()
        self._roomy = asyncio.Event()
        self._roomy.set()
        self._news = asyncio.Event()
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator["Recorder", None]:
        """Recording until left. The file is whole then. Raises what a bug in the thread raised."""
        self._thread.start()
        try:
            yield self
        finally:
            with self._changed:
                self._stopping = True
                self._changed.notify()
            await asyncio.to_thread(self._thread.join)
        self.check()

    def check(self) -> None:
        """Raises what ended the thread, unless it was the disk."""
        if self._bug is not None:
            raise self._bug

    async def news(self) -> None:
        """Return once the state or the file is another than when this returned before."""
        await self._news.wait()
        self._news.clear()

    @property
    def lost(self) -> dict[str, dict[str, int]]:
        """What is not in the files and should be, by stream and cause."""
        with self._changed:
            return {s: account.dropped for s, account in self.accounts.items() if account.dropped}

    @property
    def files(self) -> tuple[PartReport, ...]:
        """As of the last closed chunk."""
        return self._files

    def status(self) -> RecordingStatus:
        """Without `since_ns`. The path is "" until there is a file."""
        files = self._files
        return RecordingStatus(
            self.state,
            self._failed_path or (files[-1].path if files else ""),
            self.why,
            bytes=sum(file.bytes for file in files),
            chunks=sum(file.chunks for file in files),
            dropped=total(self.lost),
        )

    def report(self) -> dict[str, object]:
        """JSON-ready: the state, the files, and by stream what is in them and what is not."""
        with self._changed:
            streams = {stream: account.report() for stream, account in self.accounts.items()}
        flight = {} if self._flight is None else {"flight": self._flight.report()}
        return {
            **flight,
            "state": self.state,
            "why": self.why,
            "files": [asdict(file) for file in self._files],
            "bytes": sum(file.bytes for file in self._files),
            "streams": streams,
            "lost": self.lost,
        }

    # -- in the event loop ---------------------------------------------------------------------

    def heard(self, event: Event, ticks: Sequence[Tick]) -> None:
        del ticks  # cut again from what the file holds
        if isinstance(event, Arrived):
            sample = event.sample
            newest_ns = self.newest_ns.get(sample.stream, sample.end_ns)
            self.newest_ns[sample.stream] = max(newest_ns, sample.end_ns)
        self._put(event)

    def note(
        self, channel: ChannelSpec, log_ns: int, payload: bytes, *, state: bool = False
    ) -> None:
        self._put(Note(channel, log_ns, payload, state))

    def trigger(self, cause: str, at_ns: int) -> None:
        """Keep what the flight recorder holds, and what comes next. `at_ns`: the run's clock."""
        self._put(Mark(cause, at_ns))

    async def room(self) -> None:
        await self._roomy.wait()

    def _put(self, item: Item) -> None:
        size, stream = weight(item), of(item)
        with self._changed:
            account = self.accounts[stream]
            account.produced += 1
            if self.state in ("failed", "closed") or self._stopping:
                account.drop("failed" if self.state == "failed" else "closed")
                return
            # What follows on a mark is the point; too many of them are as bad as anything.
            small = isinstance(item, Ended | Mark) and len(self._items) < 2 * QUEUE_ITEMS
            if not self._lossless and self._full(size) and not small:
                account.drop("queue")
                self._lost[stream, "queue"] += 1
                return
            if self._lost:
                # In the order of the queue: a hole belongs into the file in which it is.
                self._items.append(self._unsaid())
            self._items.append(item)
            self._bytes += size
            if not self._half_empty:
                self._roomy.clear()
            self._changed.notify()

    def _unsaid(self) -> Losses:
        lost, self._lost = self._lost, Counter()
        return Losses(lost)

    def _full(self, size: int) -> bool:
        # One that is larger than the whole queue passes alone.
        over = bool(self._items) and self._bytes + size > self._queue_bytes
        return over or len(self._items) >= QUEUE_ITEMS

    @property
    def _half_empty(self) -> bool:
        return self._bytes * 2 <= self._queue_bytes and len(self._items) * 2 <= QUEUE_ITEMS

    # -- in the thread -------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._record()
            self._end("closed")
        except OSError as error:
            self._failed_path = str(error.filename or "")
            self._end("failed", error.strerror or str(error))
            log.warning("recording stopped: %s", self.why)
        except BaseException as error:
            # Told to the run, which ends with it.
            self._bug = error
            self._end("failed", f"{type(error).__name__}: {error}")

    def _end(self, state: RecorderState, why: str = "") -> None:
        with self._changed:
            self.state, self.why = state, why
            self._items.clear()
            self._bytes = 0
            for account in self.accounts.values():
                if account.pending:
                    account.drop("failed", account.pending)
        # Nobody clears it any more.
        self._loop.call_soon_threadsafe(self._roomy.set)
        self._loop.call_soon_threadsafe(self._news.set)

    def _record(self) -> None:
        parts = self._flight or Parts(
            self._open_file,
            self._about,
            self._settled,
            self._pictures,
            self._quality,
            self._rotation,
        )
        self._show(parts)
        try:
            self._fill(parts)
            parts.finish()
        except BaseException:
            parts.abandon()
            raise
        finally:
            self._show(parts)

    def _fill(self, parts: Parts | Flight) -> None:
        """Until the run is over and the queue empty."""
        while True:
            taken, stopping = self._take(parts.due_s)
            for item in taken:
                if isinstance(item, Losses):
                    for (stream, cause), count in item.counts.items():
                        parts.lose(stream, cause, count)
                    continue
                if isinstance(item, Note):
                    parts.note(item)
                elif not isinstance(item, Mark):
                    if not self._keep(parts, item):
                        continue
                elif isinstance(parts, Flight):
                    parts.trigger(item)
                self._in_chunk[of(item)] += 1
                parts.pace()
            parts.pace()
            self._show(parts)
            if stopping and not taken:
                return

    def _keep(self, parts: Parts | Flight, event: Event) -> bool:
        """False for a sample that no log can hold: it is counted, and left out."""
        try:
            if isinstance(event, Arrived) and event.sample.t_ns < 0:
                raise SourceLost("a stamp before 1970")
            parts.take(event)
        except SourceLost:
            # Pictures may have to be decoded to be kept.
            stream = of(event)
            parts.lose(stream, "damaged", 1)
            with self._changed:
                self.accounts[stream].drop("damaged")
            return False
        return True

    def _settled(self) -> None:
        with self._changed:
            for stream, count in self._in_chunk.items():
                self.accounts[stream].delivered += count
        self._in_chunk.clear()

    def _show(self, parts: Parts | Flight) -> None:
        before = len(self._files), self.state, self.why
        self._files = parts.reports
        if isinstance(parts, Flight):
            self.state, self.why = parts.state, parts.why
        if (len(self._files), self.state, self.why) != before:
            self._loop.call_soon_threadsafe(self._news.set)

    def _take(self, patience_s: float) -> tuple[list[Queued], bool]:
        """A few items at a time, so that what waits is counted where it waits."""
        with self._changed:
            if not self._items and not self._stopping:
                self._changed.wait(max(0.0, patience_s))
            taken = [self._items.popleft() for _ in range(min(len(self._items), BATCH))]
            self._bytes -= sum(weight(item) for item in taken if not isinstance(item, Losses))
            if self._lost and not self._items:
                taken.append(self._unsaid())
            roomy, stopping = self._half_empty, self._stopping
        if roomy and not self._roomy.is_set():
            self._loop.call_soon_threadsafe(self._roomy.set)
        return taken, stopping


def of(item: Item) -> str:
    """Whose account it is on."""
    return item.sample.stream if isinstance(item, Arrived) else RUN


def weight(item: Item) -> int:
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
