"""Where training starts: a finished model, or initial numbers that let every signal through."""

from pathlib import Path

import torch
from torch import Tensor, nn

from encoders.binding.export import EMBEDDING
from encoders.binding.vocabulary import Vocabulary
from encoders.imagebind.checkpoint import load_towers
from encoders.imagebind.config import ModelConfig, Tower
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


@torch.no_grad()
def start_from(
    model: ImageBindModel, weights: Path, sizes: ModelConfig, words: Vocabulary | None = None
) -> None:
    """Copy the towers of `model` out of a weights file of the same `sizes`.

    `words` says whose rows the model's token embedding has; words that were never trained get the
    mean of those that were. Temperatures stay the model's own. Raises `EncoderFailed` for a file
    that does not fit.
    """
    with torch.device("meta"):
        finished = ImageBindModel(model.modalities, **sizes.model_dump())
    load_towers(finished, weights)
    state = finished.state_dict()
    if words is not None:
        state[f"{EMBEDDING}.weight"] = state[f"{EMBEDDING}.weight"][torch.from_numpy(words.ids)]
    scales = [name for name in state if name.endswith("log_logit_scale")]
    model.load_state_dict({n: t for n, t in state.items() if n not in scales}, strict=False)
