"""`--verify` and `--digests`: what a replay makes, beside what was recorded."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from sinks.wire.bounds import WireError
from sinks.wire.embedding import decode_embedding
from sources.recording.digest import RunningDigest, TickDigest, digest
from sources.recording.format import EMBEDDING
from sources.recording.pictures import Encoded
from sources.recording.video import VideoFrame
from sources.replay import stored
from streamer.channels import Account
from streamer.cli.replay.compare import Cosines, Stored, Windows
from streamer.cli.replay.digests import DigestFile, DigestWriter
from streamer.events import Arrived, Event
from streamer.fusion import FUSED
from streamer.plan import Plan
from streamer.protocols import OpenEncoder
from streamer.types import Counts, Embedding, Message, Tick

EXACT, LOSSY = 0.9999, 0.99
"""Cosines: of streams that the log holds as they were, and of those it holds as JPEG or H.264."""
PASS, FAIL, UNKNOWN = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Reference:
    """What a replay should make. `summary` is that of the end; None where there is none.

    `damage` says what is wrong with the log, `lost` what its recorder left out.
    """

    windows: Iterator[TickDigest]
    embeddings: Iterator[Stored]
    summary: Mapping[str, str] | None
    number: int
    """Of embeddings."""
    model_hash: str
    damage: str
    lost: Counts
    plan: Plan | None = None


def of_log(path: Path) -> Reference:
    """By the digests in the log itself. Raises `SourceLost`."""
    told = stored.told(path)
    return Reference(
        stored.windows(path),
        _published(path),
        told.summary,
        told.embeddings,
        told.model_hash,
        told.damage,
        told.lost,
    )


def of_file(file: DigestFile) -> Reference:
    """By digests that another replay of the same log wrote."""
    return Reference(
        file.windows(),
        file.embeddings_of(),
        file.summary,
        file.embeddings,
        file.model_hash,
        "",
        {},
        file.plan,
    )


def _published(path: Path) -> Iterator[Stored]:
    for message in stored.messages(path, EMBEDDING):
        try:
            found = decode_embedding(message.payload).embedding
        except WireError:
            # In its place, so that it is missed there.
            stream = message.channel.topic.rpartition("/")[2]
            yield Stored(message.log_ns, stream, None)
        else:
            yield Stored(found.span.end_ns, found.stream, found.vector)


class Verifier:
    """A tap that hears the replay's ticks, and a sink that gets its embeddings.

    `encoder` is that of the replay: vectors of another model are not compared.
    """

    def __init__(self, reference: Reference, encoder: OpenEncoder, first_ns: int) -> None:
        self.windows = Windows(reference.windows)
        self._reference = reference
        self._cosines: Cosines | None = None
        if reference.number and reference.model_hash in ("", encoder.hash):
            # A replay saw nothing from before the log, and another one neither.
            from_ns = first_ns if reference.plan is None else 0
            self._cosines = Cosines(reference.embeddings, from_ns)
        self._lossy: set[str] = set()
        self.account = Account()

    def heard(self, event: Event, ticks: Sequence[Tick]) -> None:
        if isinstance(event, Arrived):
            data = event.sample.data
            jpeg = isinstance(data, Encoded) and data.codec == "jpeg"
            if jpeg or isinstance(data, VideoFrame):
                self._lossy |= {event.sample.stream, FUSED}
        for tick in ticks:
            self.windows.add(digest(tick))

    async def room(self) -> None:
        """There is always room."""

    async def publish(self, message: Message) -> None:
        if isinstance(message, Embedding) and self._cosines is not None:
            self._cosines.add(message, LOSSY if message.stream in self._lossy else EXACT)

    def report(self) -> Mapping[str, Any]:
        return self.account.report()

    def verdict(self, *, stopped: bool) -> tuple[int, str]:
        """The exit status, and the one line that says why."""
        reference, windows = self._reference, self.windows
        summary = reference.summary
        if stopped:
            return UNKNOWN, f"unknown: stopped early; {self._so_far()}"
        windows.finish(whole=summary is not None)
        first = windows.first
        if not first and self._cosines is not None and not reference.lost:
            # What the recorder left out, the live run's windows had.
            first = self._cosines.first
        if not first and summary is not None:
            first = self._last_word(summary)
        if first or reference.damage:
            parts = [f"the log is damaged: {reference.damage}"] if reference.damage else []
            parts += [f"first difference: {first}"] if first else []
            return FAIL, f"FAIL: {'; '.join(parts)}"
        if summary is None:
            return UNKNOWN, (
                "unknown: the log has no digest at its end, it was cut off or its recording was; "
                f"{self._so_far()}"
            )
        if reference.lost:
            lost = ", ".join(f"{n} ({cause})" for cause, n in sorted(reference.lost.items()))
            return UNKNOWN, f"unknown: its recorder left out {lost}; {self._so_far()}"
        if not windows.running.ticks:
            return UNKNOWN, "unknown: it is too short for a window, so there is nothing to compare"
        return PASS, f"pass: {self._so_far()}"

    def _last_word(self, summary: Mapping[str, str]) -> str:
        """Where ticks are told one by one and agree, it does too, unless it was changed."""
        running = self.windows.running
        was, now = summary.get("windows", ""), running.hexdigest()
        if was == now:
            return ""
        return f"the digest of all windows (recorded {was[:8]}, replayed {now[:8]})"

    def _so_far(self) -> str:
        windows = self.windows
        said = [f"{windows.agreed} windows in {windows.running.ticks} ticks agree"]
        cosines = self._cosines
        if cosines is None:
            said.append(
                "its embeddings are of another model and not compared"
                if self._reference.number
                else "it holds no embeddings"
            )
        else:
            if cosines.compared:
                said.append(f"{cosines.compared} embeddings agree to cosine {cosines.lowest:.5f}")
            if cosines.partial:
                said.append(f"{cosines.partial} that began before it are not compared")
            if cosines.missing:
                said.append(f"{cosines.missing} were not made while recording")
        return ", ".join(said)


class Writing:
    """A tap and a sink that write what the replay makes into a file of digests."""

    def __init__(self, file: TextIO, plan: Plan, encoder: OpenEncoder) -> None:
        self._writer = DigestWriter(file, plan, encoder)
        self._running = RunningDigest()
        self._account = Account()

    def heard(self, event: Event, ticks: Sequence[Tick]) -> None:
        del event
        for tick in ticks:
            found = digest(tick)
            self._running.add(found)
            self._writer.tick(found)

    async def room(self) -> None:
        """There is always room."""

    async def publish(self, message: Message) -> None:
        if isinstance(message, Embedding):
            self._writer.embedding(message)

    def report(self) -> Mapping[str, Any]:
        return self._account.report()

    def finish(self) -> str:
        """The digest of all windows."""
        self._writer.finish(self._running)
        return self._running.hexdigest()
