"""Writes moments of the simulated world into files of the usual kinds, to have something to search.

python docs/how-to/world_files.py FOLDER [CONCEPT...]

Two moments of each concept: pictures (.png), sound (.wav), depth (.depth.npy, metres), heat
(.heat.npy, degrees Celsius) and motion (.csv), as far as the sense can perceive the concept.
"""

import sys
import wave
from pathlib import Path

import cv2
import numpy as np

from sources.world.concepts import CONCEPTS
from sources.world.moments import WorldMoments
from streamer.types import NS_PER_S, AudioBlock, ImuBlock, Window, pixels

SEED = 9_000_000  # of no training and no evaluation


def write(window: Window, path: Path) -> None:
    """The window as a file; `path` is without ending."""
    data = window.samples[-1].data
    if isinstance(data, AudioBlock):
        with wave.open(f"{path}.wav", "wb") as file:
            file.setparams((1, 2, data.rate_hz, 0, "NONE", ""))
            file.writeframes((data.samples.clip(-1, 1) * 32767).astype("<i2").tobytes())
    elif isinstance(data, ImuBlock):
        seconds = (data.t_ns - data.t_ns[0]) / NS_PER_S
        rows = np.column_stack([seconds, data.values])
        header = "t_s,ax,ay,az,gx,gy,gz"
        np.savetxt(f"{path}.csv", rows, "%.6f", ",", header=header, comments="")
    elif window.modality == "vision":
        cv2.imwrite(f"{path}.png", cv2.cvtColor(pixels(window.samples[-1]), cv2.COLOR_RGB2BGR))
    else:
        name = "heat" if window.modality == "thermal" else window.modality
        np.save(f"{path}.{name}.npy", pixels(window.samples[-1]))


def main(folder: Path, wanted: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    moments = WorldMoments(SEED, 4 * len(CONCEPTS))
    # The even moments of a world hold one concept, each in turn.
    for index in range(0, len(moments), 2):
        (concept,) = moments.scene(index).concepts
        if not wanted or concept in wanted:
            number = 1 + index // (2 * len(CONCEPTS))
            for window in moments[index].windows.values():
                write(window, folder / f"{concept.replace(' ', '-')}-{number}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
