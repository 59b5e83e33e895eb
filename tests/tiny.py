"""A model small enough for every test, and inputs for each of its towers."""

from typing import Any

import torch
from torch import Tensor

from encoders.imagebind.config import TOWERS, Tower
from encoders.imagebind.model import ImageBindModel
from encoders.imagebind.weights import random_weights

TINY: dict[str, Any] = {
    "out_embed_dim": 16,
    "image_size": 32,
    "vocab_size": 60,
    "context_length": 9,
    "audio_num_mel_bins": 32,
    "audio_target_len": 46,
    "imu_steps": 40,
    **{f"{tower}_embed_dim": 24 for tower in TOWERS},
    **{f"{tower}_num_blocks": 2 for tower in TOWERS},
    **{f"{tower}_num_heads": 3 for tower in TOWERS},
}


def tiny_model(*towers: Tower, dtype: torch.dtype = torch.float32, seed: int = 0) -> ImageBindModel:
    with torch.device("meta"):
        model = ImageBindModel(towers or TOWERS, **TINY).eval()
    random_weights(model, seed, dtype=dtype)
    return model


def inputs(tower: Tower, *leading: int, seed: int = 0) -> Tensor:
    """Noise shaped as inputs of `tiny_model`, pictures for vision; `leading` is batch and clips."""
    shape = ImageBindModel([tower], **TINY).config.item_shapes(tower)[0]
    generator = torch.Generator().manual_seed(seed)
    if tower == "text":
        return torch.randint(1, TINY["vocab_size"], (*leading, *shape), generator=generator)
    return torch.randn((*leading, *shape), generator=generator)
