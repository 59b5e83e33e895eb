"""RGB pictures for the vision tower, and the resize and crop that depth and thermal share."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from streamer.errors import EncoderFailed

# CLIP's training statistics, in 0..1 RGB.
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)

# A picture one pixel high would be enlarged to millions of columns, of which the crop keeps 224.
WIDEST_ASPECT = 16


def image(rgb: NDArray[np.uint8], size: int = 224) -> Tensor:
    """One RGB picture, uint8 (H, W, 3), as the vision tower takes stills: (3, size, size)."""
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise EncoderFailed(f"vision: expected RGB uint8 (H, W, 3), got {rgb.dtype} {rgb.shape}")
    return normalise(resize_crop(tensor(rgb).permute(2, 0, 1), size).float().div_(255))


def clip(first: NDArray[np.uint8], last: NDArray[np.uint8], size: int = 224) -> Tensor:
    """The first and the last frame of a window, uint8 (H, W, 3) each: (3, 2, size, size)."""
    return torch.stack((image(first, size), image(last, size)), dim=1)


def normalise(rgb: Tensor) -> Tensor:
    """CLIP's mean and deviation on RGB in 0..1, (3, H, W)."""
    return (rgb - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def resize_crop(picture: Tensor, size: int, width: int | None = None) -> Tensor:
    """Short side to `size`, bicubic with antialias, then the centre square: (C, size, size).

    Takes (C, H, W) uint8 or float32 and keeps the type. The long side is truncated to an integer
    and the crop's offset rounded, as torchvision does, because the weights were trained so.

    `width` (an even number more than `size`) keeps more at both sides, (C, size, width), for
    training, which shifts the square: its middle is the square exactly. A picture that is not
    wide enough is continued by its outermost columns.
    """
    picture = _middle(picture)
    sides = picture.shape[1:]
    short = min(sides)
    resized = (size * sides[0] // short, size * sides[1] // short)
    # Not contiguous on purpose: for pixels that lie RGBRGB, torch has a fast path for uint8.
    scaled = interpolate(
        picture[None], size=resized, mode="bicubic", antialias=True, align_corners=False
    )[0]
    top, left = (round((side - size) / 2) for side in resized)
    if width is None or width == size:
        return scaled[:, top : top + size, left : left + size]
    first = left - (width - size) // 2
    columns = torch.arange(first, first + width).clamp_(0, resized[1] - 1)
    return scaled[:, top : top + size, columns]


def tensor(array: NDArray[Any]) -> Tensor:
    """The array as a tensor, copied only when torch could not take it (read-only, flipped)."""
    return torch.from_numpy(np.require(array, requirements=("C", "W")))


def _middle(picture: Tensor) -> Tensor:
    """The middle of a picture that is too long, so that enlarging it stays small."""
    height, width = picture.shape[1:]
    longest = WIDEST_ASPECT * min(height, width)
    top, left = max(0, height - longest) // 2, max(0, width - longest) // 2
    return picture[:, top : top + longest, left : left + longest]
