"""One recording on its way into a file: samples, their order, and the digests of their windows.

Synchronous, and without a clock of its own. Every chunk stands for itself: what its journal tells
is in it, so a file that was cut off is whole up to its last chunk.
"""

from pathlib import Path
from typing import Literal

import cbor2

from sources.recording.about import About
from sources.recording.digest import RunningDigest, TickDigest, digest
from sources.recording.encode import Pictures, record
from sources.recording.film import Film
from sources.recording.format import CONFIG, DIGEST, JOURNAL, MADE, SESSION, WINDOWS
from sources.recording.journal import Journal
from streamer.events import Arrived, Ended, Event
from streamer.logfile import ChannelSpec, LogFile
from streamer.ticks import make_join
from streamer.types import Counts

JOURNAL_CHANNEL = ChannelSpec(JOURNAL, "cbor")
WINDOWS_CHANNEL = ChannelSpec(WINDOWS, "cbor")


class Recording:
    """Takes what happened in a run, in its order. Samples of a log are kept byte for byte.

    The windows are cut here once more, from what the file holds and from its first event on: that
    is what a replay of the file cuts too, wherever in a run the file began.
    """

    def __init__(
        self,
        file: LogFile,
        about: About,
        pictures: Pictures = "jpeg",
        quality: int = 90,
    ) -> None:
        self.lost: dict[str, dict[str, int]] = {}
        self.chunks = 0
        self.running = RunningDigest()
        self._file, self._about = file, about
        self._pictures: Pictures = pictures
        self._quality = quality
        self._films: dict[str, Film] = {}
        self._join = make_join(about.streams, about.plan)
        self._journal = Journal(about.live)
        self._noted = False
        self._made: list[tuple[ChannelSpec, int, bytes]] = []
        self._made_bytes = 0
        self._now_ns = about.started_ns
        self._over = False
        file.metadata(SESSION, about.session())
        if about.config:
            file.metadata(CONFIG, {"yaml": about.config})

    def take(self, event: Event) -> None:
        self._now_ns = event.now_ns
        if isinstance(event, Arrived):
            kept = record(event.sample, self._pictures, self._quality, self._films)
            for message in kept.messages:
                self._file.message(kept.channel, message.log_ns, message.sensor_ns, message.payload)
            self._journal.entries.append(kept.took(event.now_ns))
            event = Arrived(event.now_ns, kept.sample, event.live)
        else:
            self._journal.entries.append(event)
            self._over = isinstance(event, Ended) and len(event.streams) == len(self._about.streams)
        for tick in self._join.take(event):
            self._tell(digest(tick))

    def note(self, channel: ChannelSpec, log_ns: int, payload: bytes) -> None:
        """Something that was published, in its bytes.

        What was made of the sensors waits for the end of the chunk, and has one of its own behind
        it: the index tells who looks for it where it is, and they need not read all pictures.
        """
        if channel.topic.startswith(MADE):
            self._made.append((channel, log_ns, payload))
            self._made_bytes += len(payload)
        else:
            self._file.message(channel, log_ns, log_ns, payload)
            self._noted = True

    def lose(self, stream: str, cause: str, count: int) -> None:
        """Something that the file should hold, and does not."""
        for lost in (self.lost, self._journal.lost):
            causes = lost.setdefault(stream, {})
            causes[cause] = causes.get(cause, 0) + count

    @property
    def chunk_bytes(self) -> int:
        return self._file.chunk_bytes + self._made_bytes

    @property
    def bytes_written(self) -> int:
        return self._file.bytes_written

    @property
    def path(self) -> Path:
        return self._file.path

    def close_chunk(self) -> None:
        journal = self._journal
        if journal.entries or journal.lost:
            self._file.message(JOURNAL_CHANNEL, self._now_ns, self._now_ns, journal.encode())
            self._journal = Journal(self._about.live)
            self._noted = True
        if self._noted:
            self._close()
            self._noted = False
        if self._made:
            for channel, log_ns, payload in self._made:
                self._file.message(channel, log_ns, log_ns, payload)
            self._close()
            self._made.clear()
            self._made_bytes = 0

    def _close(self) -> None:
        self._file.close_chunk()
        self.chunks += 1

    def finish(self) -> None:
        """The recording ends here, whether or not the run does.

        Windows that are open close, as they do at the end of a replay. If the run goes on, the
        journal knows of no end: that of the file is one.
        """
        if not self._over:
            streams = tuple(info.name for info in self._about.streams)
            for tick in self._join.take(Ended(self._now_ns, streams)):
                self._tell(digest(tick))
        self.close_chunk()
        self._file.metadata(DIGEST, self._summary())
        self._file.close()

    def abandon(self) -> None:
        """The disk takes no more: what is whole in the file stays."""
        self._file.abandon()

    def _tell(self, tick: TickDigest) -> None:
        self._noted = True
        self.running.add(tick)
        told = {"end": tick.end_ns, "windows": dict(tick.windows)}
        # In time the windows lie where they end; the file has them where they closed.
        self._file.message(WINDOWS_CHANNEL, tick.end_ns, self._now_ns, cbor2.dumps(told))

    def _summary(self) -> dict[str, str]:
        accounts = {name: w.account for name, w in self._join.windowers.items()}
        counts = {f"samples.{name}": str(a.produced) for name, a in accounts.items()}
        lost = {
            f"lost.{stream}.{cause}": str(count)
            for stream, causes in self.lost.items()
            for cause, count in causes.items()
        }
        return {
            "windows": self.running.hexdigest(),
            "ticks": str(self.running.ticks),
            **counts,
            **lost,
        }


RecorderState = Literal["armed", "recording", "failed", "closed"]


def total(lost: dict[str, dict[str, int]]) -> Counts:
    """By cause, over all streams."""
    causes: dict[str, int] = {}
    for by in lost.values():
        for cause, count in by.items():
            causes[cause] = causes.get(cause, 0) + count
    return causes
