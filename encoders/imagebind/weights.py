"""Weights that come from no file."""

import hashlib
import math

import torch
from torch import Tensor

from encoders.imagebind.config import IMU_AXES
from encoders.imagebind.model import ImageBindModel
from encoders.imagebind.towers import LOGIT_SCALES, causal_mask

_CHUNK = 1 << 20  # numbers drawn at once: 4 MB of float32 beside the finished weights


@torch.no_grad()
def random_weights(
    model: ImageBindModel,
    seed: int,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> None:
    """Give `model` seeded random weights: its vectors tell inputs apart but mean nothing.

    The numbers of a parameter depend on `seed` and its name and shape alone: the same for any
    subset of the towers, on any device, and half precision is float32 rounded. Parameters are
    replaced, not filled: build `model` on the meta device and nothing is ever held twice.
    """
    # One buffer for all: many short-lived ones would leave holes of a third of the model's size.
    scratch = torch.empty(_CHUNK)
    state = {
        name: _draw(name, tensor.shape, seed, dtype, scratch).to(device)
        for name, tensor in model.state_dict().items()
    }
    model.load_state_dict(state, assign=True)


def _draw(name: str, shape: torch.Size, seed: int, dtype: torch.dtype, scratch: Tensor) -> Tensor:
    leaf = name.rpartition(".")[2]
    if leaf == "log_logit_scale":
        scale = next(scale for tower, scale in LOGIT_SCALES.items() if f".{tower}." in name)
        return torch.tensor(math.log(scale))
    if leaf == "mask":
        return causal_mask(shape[0]).to(dtype)
    if len(shape) == 1:
        return torch.full(shape, 1.0 if leaf == "weight" else 0.0, dtype=dtype)
    key = hashlib.sha256(f"{seed} {name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(key[:8], "little", signed=True))
    # Uniform, not normal: the same bits on every processor, and only the variance matters.
    bound = math.sqrt(3) * _deviation(name, shape)
    tensor = torch.empty(shape, dtype=dtype)
    for chunk in tensor.view(-1).split(_CHUNK):
        chunk.copy_(scratch[: len(chunk)].uniform_(-bound, bound, generator=generator))
    if "_stem." in name:
        _answer_to_contrast(tensor.view(shape[0], IMU_AXES if ".imu." in name else shape[1], -1))
    return tensor


def _deviation(name: str, shape: torch.Size) -> float:
    if "token_embedding" in name:
        return 1.0
    # Small beside the input's part of a token: large ones would be the same for every input.
    if name.endswith(("cls_token", "pos_embed", "bias_k", "bias_v")):
        return 0.02
    return 1 / math.sqrt(math.prod(shape[1:]))


def _answer_to_contrast(taps: Tensor) -> None:
    """Make a stem (width, channels, taps) answer to differences inside a patch, in place.

    Depth is positive and an IMU at rest feels gravity, so the mean of a patch would drown its
    contents, and random towers would give all inputs nearly one vector. So the second half of a
    kernel is the first with its sign turned (exact in half precision too), but for one kernel in
    eight, which is weaker and sees the mean.
    """
    half = taps.shape[-1] // 2
    mean = 0.25 * taps[::8]
    taps[..., taps.shape[-1] - half :] = -taps[..., :half]
    taps[::8] = mean
