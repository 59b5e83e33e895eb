"""Draws docs/pictures/world.png: what five senses make of eight concepts of the simulated world.

    python -m benchmarks.world_picture [--out docs/pictures/world.png]

A column is one scene of one concept. A sense that cannot perceive the concept is drawn pale: it
shows the room, the background noise or the swaying of the robot all the same.
"""

import argparse
import io
from collections.abc import Callable
from pathlib import Path
from textwrap import fill
from typing import Any, TypeAlias

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from numpy.typing import NDArray
from PIL import Image

from sources.world import inertial, sensors
from sources.world.concepts import BY_NAME
from sources.world.moments import (
    FRAME_S,
    IMU_HZ,
    LENGTH_S,
    MODALITIES,
    RENDERED,
    THERMAL,
    frame_key,
)
from sources.world.scene import Scene, draw
from sources.world.sound import soundtrack
from sources.world.synthesis import RATE_HZ
from sources.world.view import look
from streamer.types import Modality

# Concept and seed: chosen for scenes that read well when small.
COLUMNS = (
    ("a kettle boiling", 8),
    ("an alarm ringing", 9),
    ("a dog barking", 1),
    ("a fire burning", 7),
    ("a block of ice melting", 3),
    ("a drone hovering", 2),
    ("the robot climbing stairs", 3),
    ("the robot turning left", 5),
)
ROWS: dict[Modality, str] = {
    "vision": "camera", "depth": "depth", "thermal": "heat",
    "audio": "sound, 2 s\nto 8 kHz", "imu": "motion, 5 s",
}  # fmt: skip
PALE = 0.22
INK, SOFT, UPWARD, TURNING = "#222222", "#777777", "#b3541e", "#1f5fa8"
DEPTH, HEAT, SOUND = "viridis_r", "inferno", "magma"
DEPTH_M, HEAT_C, SOUND_DB = Normalize(0, 6), Normalize(10, 50), Normalize(-75, -15)
COLOURS = 256
"""Of the whole picture: a palette makes it a third of the size, and nothing is lost to the eye."""

Show: TypeAlias = Callable[[Axes, Scene, float], None]


def camera(axes: Axes, scene: Scene, alpha: float) -> None:
    t_s = scene.window_end_s - FRAME_S
    axes.imshow(sensors.camera(look(scene, t_s, *RENDERED), frame_key(scene, t_s)), alpha=alpha)


def depth(axes: Axes, scene: Scene, alpha: float) -> None:
    t_s = scene.window_end_s - FRAME_S
    metres = sensors.depth(look(scene, t_s, *RENDERED), frame_key(scene, t_s))
    colours = mpl.colormaps[DEPTH].with_extremes(bad="black")
    axes.imshow(np.ma.masked_equal(metres, 0), cmap=colours, norm=DEPTH_M, alpha=alpha)


def heat(axes: Axes, scene: Scene, alpha: float) -> None:
    t_s = scene.window_end_s - FRAME_S
    celsius = sensors.thermal(look(scene, t_s, *RENDERED), frame_key(scene, t_s), *THERMAL)
    axes.imshow(celsius, cmap=HEAT, norm=HEAT_C, alpha=alpha)


def sound(axes: Axes, scene: Scene, alpha: float) -> None:
    start_s = scene.window_end_s - LENGTH_S["audio"]
    count = round(LENGTH_S["audio"] * RATE_HZ)
    heard = soundtrack(scene.voices, scene.ambience, start_s, count)
    axes.imshow(
        spectrogram(heard), cmap=SOUND, norm=SOUND_DB, alpha=alpha, origin="lower", aspect="auto"
    )


def spectrogram(heard: NDArray[np.float32]) -> NDArray[np.float64]:
    """Decibels of full scale, (frequencies, times), of 32 ms every 8 ms."""
    frames = np.lib.stride_tricks.sliding_window_view(heard.astype(np.float64), 512)[::128]
    window = np.hanning(512)
    spectrum = np.abs(np.fft.rfft(frames * window, axis=1)) * 2 / window.sum()
    return 20 * np.log10(spectrum.T + 1e-6)


def motion(axes: Axes, scene: Scene, alpha: float) -> None:
    seconds = LENGTH_S["imu"]
    t_s = scene.window_end_s - seconds + np.arange(round(seconds * IMU_HZ)) / IMU_HZ
    values = inertial.readings(scene.motion, t_s, scene.seed).astype(np.float64)
    # Each to its own scale: 4 m/s^2 beside weight, and 0.4 rad/s.
    up, turn = (values[:, 2] - 9.80665) / 4, values[:, 5] / 0.4
    for trace, middle, colour in ((up, 0.55, UPWARD), (turn, -0.55, TURNING)):
        smooth = np.convolve(trace, np.full(20, 1 / 20), "valid")
        axes.axhline(middle, color=SOFT, linewidth=0.4, alpha=alpha)
        axes.plot(t_s, middle + trace, color=colour, linewidth=0.3, alpha=0.35 * alpha)
        axes.plot(t_s[10:-9], middle + smooth, color=colour, linewidth=0.9, alpha=alpha)
    axes.set(xlim=(t_s[0], t_s[-1]), ylim=(-1.25, 1.25))


SHOWN: dict[Modality, Show] = {
    "vision": camera, "depth": depth, "thermal": heat, "audio": sound, "imu": motion,
}  # fmt: skip


def picture() -> Any:
    """The figure, 1600 x 740 pixels at 100 dots an inch."""
    figure, grid = plt.subplots(
        len(ROWS), len(COLUMNS), figsize=(16, 7.4), squeeze=False,
        gridspec_kw={"left": 0.07, "right": 0.94, "top": 0.915, "bottom": 0.012,
                     "wspace": 0.04, "hspace": 0.05},
    )  # fmt: skip
    for column, (name, seed) in enumerate(COLUMNS):
        scene = draw(seed, (name,))
        grid[0, column].set_title(fill(name, 20), fontsize=12, color=INK, pad=7)
        for row, modality in enumerate(ROWS):
            axes = grid[row, column]
            perceived = modality in BY_NAME[name].senses
            SHOWN[modality](axes, scene, 1.0 if perceived else PALE)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set(color=INK if perceived else "#dddddd", linewidth=0.8)
    for row, label in enumerate(ROWS.values()):
        grid[row, 0].set_ylabel(
            label, fontsize=12, color=INK, rotation=0, ha="right", va="center", labelpad=8
        )
    for row, (colours, scale, unit) in enumerate(
        ((DEPTH, DEPTH_M, "metres"), (HEAT, HEAT_C, "degrees C")), start=1
    ):
        bar(figure, grid[row, -1], ScalarMappable(scale, colours), unit)
    bar(figure, grid[3, -1], ScalarMappable(SOUND_DB, SOUND), "dB of\nfull scale")
    beside = grid[4, -1].get_position()
    for share, colour, text in (
        (0.72, UPWARD, "acceleration\nupwards"),
        (0.28, TURNING, "rate of\nturn, left +"),
    ):
        figure.text(
            beside.x1 + 0.006, beside.y0 + share * beside.height, text, color=colour,
            fontsize=9.5, va="center",
        )  # fmt: skip
    return figure


def bar(figure: Any, axes: Axes, colours: Any, unit: str) -> None:
    """A scale to the right of the last column."""
    place = axes.get_position()
    beside = figure.add_axes((place.x1 + 0.007, place.y0 + 0.03, 0.006, place.height - 0.035))
    scale = figure.colorbar(colours, cax=beside)
    scale.outline.set_visible(False)
    scale.ax.tick_params(labelsize=8, color=SOFT, labelcolor=SOFT, length=2, pad=2)
    scale.ax.set_xlabel(unit, fontsize=8.5, color=SOFT, ha="left", x=0, labelpad=3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures/world.png"))
    out: Path = parser.parse_args().out
    assert set(ROWS) == set(MODALITIES)
    drawn = io.BytesIO()
    picture().savefig(drawn, format="png", dpi=100)
    Image.open(drawn).convert("RGB").quantize(
        COLOURS, Image.Quantize.MEDIANCUT, kmeans=3, dither=Image.Dither.FLOYDSTEINBERG
    ).save(out, optimize=True)


if __name__ == "__main__":
    main()
