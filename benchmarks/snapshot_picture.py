"""Draws docs/pictures/snapshot.png: what `streamer snapshot` makes of the simulated robot.

python -m benchmarks.snapshot_picture [--out docs/pictures/snapshot.png]
"""

import argparse
from pathlib import Path

import cv2
from PIL import Image

from sources.epoch import DEFAULT_START, to_ns
from sources.world.live import FRAME_HZ, captures, data
from streamer.cli.snapshot.draw import draw
from streamer.cli.snapshot.sheet import side_by_side
from streamer.cli.snapshot.take import Taken
from streamer.types import NS_PER_S, Modality, Sample

SEED, IMU_HZ = 7, 200
FROM_NS, UNTIL_NS = 8 * NS_PER_S, 13 * NS_PER_S
"""The second scene: a drone, and a kettle that boils."""
ORDER: dict[Modality, str] = {
    "vision": "camera", "depth": "depth", "thermal": "thermal", "audio": "microphone", "imu": "imu",
}  # fmt: skip
COLOURS = 256
SHARE = 0.75
"""Of the size of the pictures themselves: still legible, and a page of documentation is narrow."""


def taken(modality: Modality) -> Taken:
    """What the sensor gives in some seconds of the world, in no time."""
    start_ns = to_ns(DEFAULT_START)
    found = [each for each in captures(modality, UNTIL_NS) if each.t_ns >= FROM_NS]
    result = Taken(ORDER[modality], modality, UNTIL_NS - FROM_NS)
    for capture in found[-1:] if modality in FRAME_HZ else found:
        sensed = data(SEED, capture, start_ns, IMU_HZ)
        t_ns = start_ns + capture.t_ns
        result.add(Sample(ORDER[modality], modality, t_ns, capture.duration_ns, sensed))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures/snapshot.png"))
    out: Path = parser.parse_args().out
    whole = side_by_side([draw(taken(modality))[0] for modality in ORDER], 3)
    small = cv2.resize(whole, None, fx=SHARE, fy=SHARE, interpolation=cv2.INTER_AREA)
    # A palette makes it a fraction of the size.
    Image.fromarray(small).quantize(
        COLOURS, Image.Quantize.MEDIANCUT, kmeans=3, dither=Image.Dither.NONE
    ).save(out, optimize=True)


if __name__ == "__main__":
    main()
