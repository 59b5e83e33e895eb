"""Video, sound and GoPro telemetry of a media file: anything libav reads."""

import heapq
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, model_validator

from sources.background import in_thread
from sources.epoch import DEFAULT_START, StartOrFile
from streamer.protocols import Clock
from streamer.types import Modality, Sample, StreamInfo


class MediaStreams(BaseModel):
    """What to take from the file, and under which stream name; what is left out is not read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vision: str | None = Field(default=None, min_length=1)
    audio: str | None = Field(default=None, min_length=1)
    imu: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _not_empty(self) -> "MediaStreams":
        if not (self.vision or self.audio or self.imu):
            raise ValueError("name at least one of vision, audio, imu")
        return self


class Media(BaseModel):
    """A media file as a source. Samples come in order of time; nothing is ever dropped.

    Vision is a `Deferred` picture for every frame, audio the first channel at the file's own rate,
    IMU the accelerometer and gyroscope of a GoPro's telemetry (GPMF) track.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)

    kind: Literal["media"] = "media"
    path: Path
    names: MediaStreams = Field(alias="streams")
    video_track: NonNegativeInt | None = None
    """Counted among the file's video tracks; None = the one libav rates best (disposition, then
    number of frames and bit rate), as its players do."""
    audio_track: NonNegativeInt | None = None
    """Counted among the file's audio tracks; None = libav's best, which prefers the one that
    belongs to its best video."""
    start: StartOrFile = DEFAULT_START
    """When the recording starts: the file's earliest time stamp falls on it. `file` takes the date
    that the container carries; cameras often write their local time there as if it were UTC."""

    @property
    def live(self) -> bool:
        return False

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        named: tuple[tuple[str | None, Modality], ...] = (
            (self.names.vision, "vision"),
            (self.names.audio, "audio"),
            (self.names.imu, "imu"),
        )
        return tuple(StreamInfo(name, modality) for name, modality in named if name is not None)

    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncGenerator[AsyncIterator[Sample], None]:
        """The samples, oldest first. Raises `SourceLost`; the clock is not used."""
        async with in_thread(self._samples) as samples:
            yield samples

    def _samples(self) -> Generator[Sample, None, None]:
        from sources.media import tracks

        recording = tracks.Recording(self.path, None if self.start == "file" else self.start)
        with ExitStack() as stack:
            chosen: list[Generator[Sample, None, None]] = []
            if self.names.vision:
                chosen.append(tracks.video(recording, self.names.vision, self.video_track))
            if self.names.audio:
                chosen.append(tracks.audio(recording, self.names.audio, self.audio_track))
            if self.names.imu:
                chosen.append(tracks.telemetry(recording, self.names.imu))
            for track in chosen:
                stack.enter_context(closing(track))
            yield from heapq.merge(*chosen, key=_stamp)


def _stamp(sample: Sample) -> int:
    return sample.t_ns
