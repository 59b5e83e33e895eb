"""What a topic's name says: the stream's name, and words about what is seen. Pure."""

import re
from collections.abc import Collection
from typing import Literal

_GENERIC = re.compile(
    r"(image|imu|audio)(_(raw|colou?r|rect|mono|data))+|image|raw|data|sample|stream"
    r"|compressed|compresseddepth",
    re.IGNORECASE,
)
"""Levels that tell what messages are, not of which sensor."""
_FORBIDDEN = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST = 60
_HEAT = re.compile(r"thermal|lwir|flir|lepton|boson|heat", re.IGNORECASE)
_INFRARED = re.compile(r"infra|(?<![a-z])n?ir(?![a-z])", re.IGNORECASE)
_DEPTH = re.compile(r"depth|disparity", re.IGNORECASE)
_HALVES = {
    "gyro": re.compile(r"gyro", re.IGNORECASE),
    "accel": re.compile(r"accel", re.IGNORECASE),
}


def says_heat(topic: str) -> bool:
    return _HEAT.search(topic) is not None


def says_infrared(topic: str) -> bool:
    """Near or far: a robot's infrared camera is a RealSense's more often than a thermal one."""
    return _INFRARED.search(topic) is not None


def says_depth(topic: str) -> bool:
    return _DEPTH.search(topic) is not None


def half(topic: str) -> Literal["gyro", "accel"] | None:
    """Which half of an inertial unit has this topic for itself."""
    gyro, accel = (_HALVES[name].search(topic) is not None for name in ("gyro", "accel"))
    if gyro == accel:
        return None
    return "gyro" if gyro else "accel"


def together(topic: str) -> str:
    """The same for both halves of one inertial unit."""
    return re.sub(r"gyro(scope)?|accel(erometer)?", "imu", topic, flags=re.IGNORECASE)


def stream_name(topic: str, taken: Collection[str]) -> str:
    """`/camera/color/image_raw` is `camera-color`; the whole topic where that is taken."""
    levels = [clean for level in topic.split("/") if (clean := _clean(level))]
    short = [level for level in levels if not _GENERIC.fullmatch(level)] or levels
    short = [level for level, before in zip(short, ["", *short], strict=False) if level != before]
    for words in (short, levels):
        name = "-".join(words)[-_LONGEST:].strip("-.") or "stream"
        if name not in taken:
            return name
    return next(f"{name}-{n}" for n in range(2, len(taken) + 3) if f"{name}-{n}" not in taken)


def _clean(level: str) -> str:
    return _FORBIDDEN.sub("_", level).strip("_-.")
