"""A checkpoint of imagebind_huge's names, shapes and size: 4.8 GB, its numbers drawn by name."""

import math
import mmap
import zlib
from pathlib import Path

import torch
from torch import Tensor
from torch.serialization import set_default_mmap_options, skip_data

from encoders.imagebind.checkpoint import tower_of
from tests import golden


def numbers(name: str, shape: tuple[int, ...]) -> Tensor:
    """float32, a function of the name alone; mask and scales as in the published file."""
    if name.endswith(".mask"):
        return torch.full(shape, -math.inf).triu(1)
    if name.endswith("log_logit_scale"):
        return torch.full(shape, math.log(20))
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    return torch.empty(shape).uniform_(-0.05, 0.05, generator=generator)


def make_huge(path: Path) -> dict[str, tuple[int, ...]]:
    """Write the file, never more than a tower in memory. Returns its shapes."""
    shapes = {name: tuple(s) for name, s in golden.manifest("huge")["state_dict"].items()}
    with skip_data():  # memory that nobody looks at costs nothing, and the file has holes
        torch.save({name: torch.empty(shape) for name, shape in shapes.items()}, path)
    towers = {tower_of(name) for name in shapes}
    with set_default_mmap_options(mmap.MAP_SHARED):
        for tower in towers:
            state: dict[str, Tensor] = torch.load(path, mmap=True, weights_only=True)
            for name, shape in shapes.items():
                if tower_of(name) == tower:
                    state[name].copy_(numbers(name, shape))
            del state
    return shapes
