"""Where training starts from: initial numbers that let every signal through."""

import torch
from torch import Tensor, nn

from encoders.binding.export import EMBEDDING
from encoders.imagebind.config import Tower
from encoders.imagebind.model import ImageBindModel
from encoders.imagebind.towers import ImuStem, Stem, patch_weight, patches_of

# Of the largest second moment: anything weaker is taken for noise and not raised any further.
FLOOR = {"imu": 1e-5, "audio": 1e-3, "depth": 1e-3, "thermal": 1e-3}


@torch.no_grad()
def start_text(model: ImageBindModel) -> None:
    """Words begin as far apart as 0.3: with 0.02 the loss stood still for 11 k samples."""
    nn.init.normal_(model.get_parameter(f"{EMBEDDING}.weight"), std=0.3)


@torch.no_grad()
def whiten_stem(model: ImageBindModel, tower: Tower, inputs: Tensor) -> None:
    """Start a stem so that all directions in which `inputs` differ weigh the same.

    A stem is linear and has no bias, and the LayerNorm behind it divides by what is largest: the
    9.8 m/s^2 of gravity would leave nothing of a gyroscope's 0.1 rad/s, nor the mean of a depth
    picture of its edges. So the patches are whitened by their uncentred second moment (LSUV,
    arXiv 1511.06422, with a full matrix), along as many of its strongest axes as the stem is wide,
    and then turned at random. `inputs` are a few hundred windows as the tower takes them.
    """
    stem = next(m for m in model.modules() if isinstance(m, Stem | ImuStem))
    patches = patches_of(stem, inputs).flatten(0, 1).double()
    values, axes = torch.linalg.eigh(patches.T @ patches / len(patches))
    weight = patch_weight(stem)
    strongest = min(weight.shape)
    values = values[-strongest:].clamp(min=FLOOR[tower] * float(values[-1]))
    rotation = nn.init.orthogonal_(torch.empty(len(weight), strongest, dtype=torch.float64))
    weight.copy_((rotation @ (axes[:, -strongest:] * values.rsqrt()).T).to(weight.dtype))
