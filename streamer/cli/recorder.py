"""Opens the recorder of a run: where sources, sinks and configuration meet."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import yaml

from configs.record import Record, part
from configs.redacted import redacted
from configs.schema import RunConfig
from encoders.imagebind.runtime import ImageBindEncoder
from sinks.mcap.file import McapFile
from sinks.mcap.shelf import Shelf
from sources.recording.about import About
from sources.recording.excerpt import Fresh
from sources.recording.flight import Flight
from sources.recording.recorder import Recorder
from sources.replay.log import open_log
from sources.replay.source import Replay
from streamer.clock import SystemClock
from streamer.errors import ConfigError
from streamer.protocols import Clock, OpenEncoder, OpenSink, Source
from streamer.types import RecordingStatus

TELL_S = 1.0
"""How often it is looked at what was dropped."""


def recorder(
    settings: Record, config: RunConfig, clock: SystemClock, encoder: OpenEncoder
) -> Recorder:
    """Not open yet. `config` is what the log will say the run was of, with `encoder`.

    A log that is recorded again, with embeddings now, stays one of what happened then. Raises
    `ConfigError`.
    """
    model = {"model": encoder.name, "model_hash": encoder.hash} if settings.embeddings else {}
    again = [about for source in config.sources if (about := _recorded(source)) is not None]
    if any(about.live for about in again) and len(again) < len(config.sources):
        # Their samples came at one clock, those of files at none.
        raise ConfigError("record: expected a live log as the only source, or none among files")
    began_ns = clock.now_ns()
    about = About(
        live=config.live or any(about.live for about in again),
        streams=tuple(info for source in config.sources for info in source.streams),
        plan=config.plan(),
        started_ns=min((about.started_ns for about in again), default=began_ns),
        clock_error_ns=clock.error_ns,
        config=yaml.safe_dump(redacted(config.model_dump(mode="json", warnings=False))),
        more=_calibration(config) | model,
    )
    path, numbers = settings.file(began_ns), count()
    return Recorder(
        about,
        lambda: McapFile(part(path, next(numbers)), fsync=settings.fsync),
        pictures=settings.pictures,
        quality=settings.quality,
        queue_bytes=round(settings.queue_mb * (1 << 20)),
        rotation=settings.rotation,
        lossless=not config.live,
        flight=_flight(settings, about),
    )


def _flight(settings: Record, about: About) -> Callable[[Callable[[], None]], Flight] | None:
    flight = settings.flight
    if flight is None:
        return None
    shelf = Shelf(
        settings.path,
        round(flight.most_mb * 1e6),
        round(flight.free_mb * 1e6),
        fsync=settings.fsync,
    )

    def fresh(at_ns: int) -> Fresh:
        room = shelf.room()
        return Fresh(shelf.begin(at_ns), room, shelf.spare)

    return lambda settled: Flight(
        about, fresh, flight.bounds, settled, settings.pictures, settings.quality
    )


def _calibration(config: RunConfig) -> dict[str, str]:
    """The text of the file that the encoder's conventions came from: the log outlives it."""
    encoder = config.encoder
    if not isinstance(encoder, ImageBindEncoder) or encoder.calibration is None:
        return {}
    try:
        return {"calibration": Path(encoder.calibration).read_text(encoding="utf-8")}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"encoder.calibration: {encoder.calibration}: {error}") from None


@asynccontextmanager
async def recording(
    keep: Recorder, sinks: Sequence[OpenSink], clock: Clock, failed: Callable[[], None]
) -> AsyncGenerator[Recorder]:
    """Record while inside. `sinks` hear when its state changes, and how it ended.

    `failed` is called when the disk takes no more. A bug in the recorder ends what is inside.
    """
    teller = _Teller(keep, sinks, clock)

    async def watch() -> None:
        while keep.state in ("armed", "recording"):
            # Not wait_for, which can swallow being cancelled (Python 3.11).
            with suppress(TimeoutError):
                async with asyncio.timeout(TELL_S):
                    await keep.news()
            keep.check()
            await teller.tell()
        # It may have ended while the sinks were told.
        keep.check()
        if keep.state == "failed":
            failed()

    try:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watch(), name="recording status")
            async with keep.open():
                yield keep
            watching.cancel()
    except BaseExceptionGroup as errors:
        # One error is told as itself, whether it was the run's or the recorder's.
        raise errors.exceptions[0] if len(errors.exceptions) == 1 else errors from None
    await teller.tell()


class _Teller:
    def __init__(self, keep: Recorder, sinks: Sequence[OpenSink], clock: Clock) -> None:
        self._keep, self._sinks, self._clock = keep, sinks, clock
        self._told: RecordingStatus | None = None

    async def tell(self) -> None:
        """If there is something new to tell. How much was written so far alone is not."""
        status, told = self._keep.status(), self._told
        if told is None and not status.path and status.state != "armed":
            return
        if told is not None and _news(status) == _news(told):
            return
        same = told is not None and told.state == status.state
        since_ns = told.since_ns if told is not None and same else self._clock.now_ns()
        self._told = replace(status, since_ns=since_ns)
        for sink in self._sinks:
            await sink.publish(self._told)


def _news(status: RecordingStatus) -> object:
    return status.state, status.path, status.why, dict(status.dropped)


def _recorded(source: Source) -> About | None:
    """What a log says of the run that it is of."""
    if not isinstance(source, Replay):
        return None
    log = open_log(source.path, source.topics)
    log.close()
    return log.about
