"""Files of imagebind_huge's names, shapes and size that take a second and little of the disk.

Only the towers that are asked for have numbers; the others are holes, which read as zeros.
"""

import json
import mmap
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from encoders.imagebind.config import Tower
from encoders.imagebind.model import ImageBindModel
from encoders.imagebind.weights import random_weights

State: TypeAlias = dict[str, Tensor]

SIZE = 4_803_000_000
"""Bytes of its numbers in float32, rounded down."""


def write_huge(path: Path, *filled: Tower) -> Path:
    """All six towers in float32, as `.pth` or `.safetensors`."""
    with torch.device("meta"):
        names = ImageBindModel().state_dict()
    writer = _empty_pth if path.suffix == ".pth" else _empty_safetensors
    with writer(path, names) as state:
        for tower in filled:
            with torch.device("meta"):
                model = ImageBindModel([tower])
            random_weights(model, 0)
            for name, tensor in model.state_dict().items():
                state[name].copy_(tensor)
    assert path.stat().st_size > SIZE
    return path


@contextmanager
def _empty_pth(path: Path, names: State) -> Generator[State, None, None]:
    state = {name: torch.empty(tensor.shape) for name, tensor in names.items()}
    with torch.serialization.skip_data():
        torch.save(state, path)
    del state
    with torch.serialization.set_default_mmap_options(mmap.MAP_SHARED):
        yield torch.load(path, mmap=True, weights_only=True)


@contextmanager
def _empty_safetensors(
    path: Path, names: dict[str, Tensor]
) -> Generator[dict[str, Tensor], None, None]:
    offsets: dict[str, int] = {}
    end = 0
    for name, tensor in names.items():
        offsets[name] = end
        end += 4 * tensor.numel()
    described = {
        name: {
            "dtype": "F32",
            "shape": list(tensor.shape),
            "data_offsets": [offsets[name], offsets[name] + 4 * tensor.numel()],
        }
        for name, tensor in names.items()
    }
    header = json.dumps(described).encode()
    header += b" " * (-len(header) % 8)
    start = 8 + len(header)
    with path.open("xb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(start + end)
    whole = torch.from_file(str(path), shared=True, size=start + end, dtype=torch.uint8)
    yield {
        name: whole[start + offsets[name] :][: 4 * tensor.numel()]
        .view(torch.float32)
        .view(tensor.shape)
        for name, tensor in names.items()
    }
