"""A data set that a tiny model learns in seconds, and the sizes of such a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders.imagebind.config import TOWERS
from streamer.types import (
    NS_PER_S,
    AudioBlock,
    Data,
    ImuBlock,
    Modality,
    Moment,
    Quality,
    Sample,
    Span,
    Window,
)

KINDS = 32
COLOURS = ("red", "green", "blue", "yellow")
WALLS = ("black", "white", "pink", "cyan")
RGB = ((250, 20, 20), (20, 250, 20), (20, 20, 250), (250, 250, 20))
WALL_RGB = ((30, 30, 30), (230, 230, 230), (230, 130, 180), (60, 200, 200))

SIZES: Mapping[str, Any] = {
    "out_embed_dim": 32,
    "image_size": 32,
    "kernel_size": (2, 8, 8),
    "depth_kernel_size": 8,
    "thermal_kernel_size": 8,
    "audio_num_mel_bins": 32,
    "audio_target_len": 106,
    "audio_drop_path": 0.1,
    "imu_steps": 200,
    "imu_drop_path": 0.0,
    **{f"{tower}_embed_dim": 48 for tower in TOWERS},
    **{f"{tower}_num_blocks": 2 for tower in TOWERS},
    **{f"{tower}_num_heads": 3 for tower in TOWERS},
}


@dataclass(frozen=True)
class Toys:
    """Moment i is of kind i % 32: colour and size of a square, and the wall behind it.

    With `silence`, every third moment has no sound. `note` begins every caption.
    """

    count: int = KINDS
    silence: bool = False
    note: str = ""

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int, /) -> Moment:
        kind = index % KINDS
        windows: dict[Modality, Window] = {
            "vision": _window("vision", _picture(kind), _picture(kind)),
            "depth": _window("depth", _metres(kind)),
            "thermal": _window("thermal", 4 * _metres(kind)),
            "imu": _window("imu", _turn(kind)),
        }
        if not (self.silence and index % 3 == 2):
            windows["audio"] = _window("audio", _tone(kind))
        return Moment(windows, captions(kind, self.note))


def captions(kind: int, note: str = "") -> tuple[str, ...]:
    colour, size, wall = COLOURS[kind % 4], ("small", "big")[kind // 4 % 2], WALLS[kind // 8]
    return (f"{note}a {size} {colour} square on a {wall} wall", f"{wall} wall, {colour}, {size}")


def _window(modality: Modality, *data: Data) -> Window:
    span = Span(0, (5 if modality == "imu" else 2) * NS_PER_S)
    samples = tuple(Sample(modality, modality, 0, span.length_ns, each) for each in data)
    return Window(modality, modality, span, samples, Quality(1.0))


def _square(kind: int) -> tuple[slice, slice]:
    side = (12, 28)[kind // 4 % 2]
    return slice(24 - side // 2, 24 + side // 2), slice(40 - side // 2, 40 + side // 2)


def _picture(kind: int) -> NDArray[np.uint8]:
    picture = np.full((48, 80, 3), WALL_RGB[kind // 8], np.uint8)
    picture[_square(kind)] = RGB[kind % 4]
    return picture


def _metres(kind: int) -> NDArray[np.float32]:
    metres = np.full((48, 80), (6.0, 4.8, 3.9, 3.2)[kind // 8], np.float32)
    metres[_square(kind)] = 0.6 + kind % 4 * 0.6
    return metres


def _tone(kind: int) -> AudioBlock:
    """Pitch by kind / 4, rhythm by kind % 4."""
    t_s = np.arange(2 * 16_000) / 16_000
    loud = np.sin(2 * np.pi * (1, 2, 4, 8)[kind % 4] * t_s) > 0
    sound = 0.2 * loud * np.sin(2 * np.pi * 250 * 1.5 ** (kind // 4) * t_s)
    return AudioBlock(sound.astype(np.float32), 16_000)


def _turn(kind: int) -> ImuBlock:
    """At rest but for one axis, kind % 4, that shakes at a rhythm by kind / 4."""
    t_ns = np.arange(1000, dtype=np.int64) * (NS_PER_S // 200)
    values = np.zeros((1000, 6), np.float32)
    values[:, 2] = 9.80665
    values[:, (0, 1, 3, 4)[kind % 4]] += 0.3 * np.sin(
        2 * np.pi * 0.4 * 1.5 ** (kind // 4) * t_ns / NS_PER_S
    )
    return ImuBlock(t_ns, values)
