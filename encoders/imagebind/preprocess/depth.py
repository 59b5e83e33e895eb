"""Depth pictures for the depth tower: metres become disparity of one virtual camera.

The weights were trained on disparity, baseline x focal length / metres. A robot's own baseline
would make the same wall look nearer or farther than the training cameras saw it, so every sensor
is read as the Kinect of the training data.
"""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from encoders.imagebind.preprocess.pictures import resize_crop, tensor
from streamer.errors import EncoderFailed

KINECT_PX_M = 0.075 * 518.86
NEAREST_M, FARTHEST_M = 0.01, 50.0
LEAST_PX, MOST_PX = 0.01, 75.0

# Preset: (metres are multiplied by this first, then mean and deviation of disparity / 75).
PRESETS = {
    "sun": (8.0, 0.0418, 0.0295),
    "plain": (1.0, 0.0, 1.0),
    "metric": (1.0, 0.318, 0.115),
}


class DepthInput(BaseModel):
    """How metres are normalised. The reference never published it, hence three presets.

    `sun`: the published constants, which fit SUN RGB-D only when its files are read 8 times too
    far, as the published snippet reads them. `plain`: no mean or deviation (Omnivore, the training
    code the tower came from). `metric`: statistics of SUN RGB-D in true metres. Choose the one
    whose depth embeddings agree most with the vision embeddings of the same moments. `sun` reads
    everything beyond 6.25 m as equally far, so it sees little of a street.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    preset: Literal["sun", "plain", "metric"] = "sun"


def image(
    metres: NDArray[np.float32],
    size: int = 224,
    options: DepthInput | None = None,
    width: int | None = None,
) -> Tensor:
    """One depth picture, float32 (H, W) metres, 0 or not finite = no return: (1, size, size).

    `width` as in `pictures.resize_crop`.
    """
    if metres.dtype.kind != "f" or metres.ndim != 2 or metres.size == 0:
        raise EncoderFailed(
            f"depth: expected metres float32 (H, W), got {metres.dtype} {metres.shape}"
        )
    farther, mean, std = PRESETS[(options or DepthInput()).preset]
    filled = fill_holes(metres.astype(np.float32, copy=False))
    seen = np.clip(np.minimum(filled, FARTHEST_M) * farther, NEAREST_M, FARTHEST_M)
    disparity = np.clip(KINECT_PX_M / seen, LEAST_PX, MOST_PX) / MOST_PX
    return (resize_crop(tensor(disparity)[None], size, width) - mean) / std


def fill_holes(metres: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give pixels without a return the depth of the nearest pixel that has one.

    A zero would become the nearest possible surface. A picture without any return is read as
    nothing within range: all of it at the far clip.
    """
    valid = np.isfinite(metres) & (metres > 0)
    if valid.all():
        return metres
    if not valid.any():
        return np.full_like(metres, FARTHEST_M)
    hole = ~valid
    _, labels = cv2.distanceTransformWithLabels(
        hole.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = labels.astype(np.intp)
    depth_of = np.empty(int(nearest.max()) + 1, np.float32)
    depth_of[nearest[valid]] = metres[valid]
    filled = metres.copy()
    filled[hole] = depth_of[nearest[hole]]
    return filled
