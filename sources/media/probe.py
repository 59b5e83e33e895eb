"""What a file holds, for programs that are given files without a configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from streamer.errors import SourceLost
from streamer.types import Modality

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream


@dataclass(frozen=True, slots=True)
class Contents:
    """`durations_s` by modality; None = the file does not say. A picture has a duration of 0.

    A picture is "vision" here: whether it is depth or thermal, its file does not tell.
    """

    kind: Literal["media", "picture"]
    durations_s: Mapping[Modality, float | None]


def probe(path: Path) -> Contents:
    """Look at a media or picture file without decoding it. Blocking.

    Raises `SourceLost` when it is neither (a table is not guessed at), or holds no usable track.
    """
    from sources.media.container import describe, opened, video_tracks
    from sources.media.tracks import telemetry_index

    with opened(path) as container:
        videos, sounds = video_tracks(container), container.streams.audio
        if container.format.name == "image2" or container.format.name.endswith("_pipe"):
            if not videos or not videos[0].width:
                raise SourceLost(f"{path}: not a picture, or damaged")
            return Contents("picture", {"vision": 0.0})
        durations: dict[Modality, float | None] = {}
        if videos:
            durations["vision"] = _seconds(container, container.streams.best("video") or videos[0])
        if sounds:
            durations["audio"] = _seconds(container, container.streams.best("audio") or sounds[0])
        held = describe(container)
        data = container.streams.data
        index = telemetry_index(path) if data else None
        if index is not None:
            durations["imu"] = _seconds(container, container.streams[index])
    if not durations:
        raise SourceLost(f"{path}: video, sound or GoPro telemetry was expected; it has {held}")
    return Contents("media", durations)


def _seconds(container: "InputContainer", stream: "Stream") -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else float(Fraction(container.duration, 1_000_000))
