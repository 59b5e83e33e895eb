"""Weights that come from no file, and the hash of weights wherever they come from."""

import hashlib
import math
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from encoders.imagebind.model import ImageBindModel
from encoders.imagebind.towers import LOGIT_SCALES, causal_mask

_CHUNK = 1 << 22  # numbers drawn at once; 16 MB of float32 that live beside the finished weights


@torch.no_grad()
def random_weights(
    model: ImageBindModel,
    seed: int,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> None:
    """Give `model` seeded random weights; its vectors tell inputs apart but mean nothing.

    The numbers of a parameter depend on `seed` and its name alone: the same for any subset of the
    towers, on any device, and half precision is float32 rounded. Build `model` on the meta device:
    its parameters are replaced, not filled, so that nothing of the wrong dtype is ever held.
    """
    state = {
        name: _draw(name, tensor.shape, seed, dtype).to(device)
        for name, tensor in model.state_dict().items()
    }
    model.load_state_dict(state, strict=True, assign=True)


def _draw(name: str, shape: torch.Size, seed: int, dtype: torch.dtype) -> Tensor:
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "log_logit_scale":
        return torch.tensor(math.log(LOGIT_SCALES[name.split(".")[1]]))  # pyright: ignore
    if leaf == "mask":
        return causal_mask(shape[0]).to(dtype)
    if len(shape) == 1:
        return torch.full(shape, 1.0 if leaf == "weight" else 0.0, dtype=dtype)
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "little", signed=True))
    # Uniform, not normal: its bits are the same on every processor, and only the variance matters.
    bound = _spread(name, shape) * math.sqrt(3)
    tensor = torch.empty(shape, dtype=dtype)
    for chunk in tensor.view(-1).split(_CHUNK):
        drawn = torch.empty(len(chunk)).uniform_(-bound, bound, generator=generator)
        chunk.copy_(drawn)
    return tensor
GAIN={'q':1.0,'cls':0.02,'pos':0.02,'bias':0.02,'tok':1.0}

def _spread(name: str, shape: torch.Size) -> float:
    if "token_embedding" in name: return GAIN['tok']
    if 'cls_token' in name: return GAIN['cls']
    if 'pos_embed' in name: return GAIN['pos']
    if 'bias_' in name: return GAIN['bias']
    f= 1 / math.sqrt(math.prod(shape[1:]))
    if 'in_proj' in name: f*=GAIN['q']
    return f
