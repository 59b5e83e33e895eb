"""Which of the modes of a RealSense's sensors to open."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sources.realsense.delivery import TO_RGB
from sources.realsense.intake import KINDS, Kind
from streamer.errors import SourceLost


@dataclass(frozen=True, slots=True)
class Mode:
    """Pictures of `size` (width, height) at `hz`; of motion the nearest rate there is.

    None: as it comes, which is how a recording is played.
    """

    size: tuple[int, int] | None
    hz: int | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The sensor, the library's profile, and what was agreed on."""

    sensor: Any
    profile: Any
    hz: int
    what: str


def choose(name: str, sensors: Sequence[Any], wanted: dict[Kind, Mode]) -> dict[Kind, Chosen]:
    """Raises SourceLost that names what there is where a mode is not."""
    chosen: dict[Kind, Chosen] = {}
    for kind, mode in wanted.items():
        offers = [
            (sensor, profile)
            for sensor in sensors
            for profile in sensor.get_stream_profiles()
            if KINDS.get(profile.stream_type().name) == kind and _readable(profile)
        ]
        fitting = [offer for offer in offers if mode.size is None or _fits(offer[1], mode)]
        if not fitting:
            there = sorted({_told(profile) for _, profile in offers})
            asked = kind if mode.size is None else f"{kind} {_size(*mode.size)} at {mode.hz}"
            found = ", ".join(there) or "none (null leaves the stream out)"
            raise SourceLost(f"{name}: expected {asked}, there is {found}")
        sensor, profile = min(fitting, key=lambda offer: abs(offer[1].fps() - (mode.hz or 0)))
        chosen[kind] = Chosen(sensor, profile, profile.fps(), f"{kind} {_told(profile)}")
    return chosen


def _readable(profile: Any) -> bool:
    form = profile.format().name
    return form in {"z16", "rgb8", "motion_xyz32f"} or form in TO_RGB


def _fits(profile: Any, mode: Mode) -> bool:
    video = profile.as_video_stream_profile()
    form = profile.format().name
    return (
        (video.width(), video.height()) == mode.size
        and profile.fps() == mode.hz
        and (form in {"z16", "rgb8"})
    )


def _told(profile: Any) -> str:
    if not profile.is_video_stream_profile():
        return f"at {profile.fps()} Hz"
    video = profile.as_video_stream_profile()
    return f"{_size(video.width(), video.height())} at {profile.fps()}"


def _size(width: int, height: int) -> str:
    return f"{width}x{height}"
