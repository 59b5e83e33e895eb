"""The towers in weights on disk, as they are stored, held against the model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from encoders.imagebind.checkpoint import SCALE, check_tower, tower_of
from encoders.imagebind.config import TOWERS, ModelConfig, Tower
from encoders.imagebind.header import Header, read_header
from encoders.imagebind.model import ImageBindModel
from encoders.imagebind.statefile import Shape, open_state, tower_files
from encoders.imagebind.towers import causal_mask
from encoders.imagebind.trained_rows import IDS, check_ids
from streamer.errors import EncoderFailed


@dataclass(frozen=True, slots=True)
class StoredTower:
    """One tower's part of a file. `shapes` are the file's: of the words maybe the trained alone."""

    tower: Tower
    path: Path
    sizes: ModelConfig
    shapes: Mapping[str, Shape]
    dtype: torch.dtype
    """Of its largest tensor."""
    bytes: int
    """Of its numbers, as stored."""

    @property
    def parameters(self) -> int:
        return sum(torch.Size(shape).numel() for shape in self.shapes.values())

    def check(self, name: str, tensor: Tensor) -> None:
        """Raise EncoderFailed unless these are numbers to compute with."""
        if fault := _fault(name, tensor, self.sizes):
            raise EncoderFailed(f"{self.path}: tower {self.tower}: {name}: {fault}")


def stored_towers(path: Path) -> tuple[list[StoredTower], Header]:
    """All towers of a file or of a folder with one file each; names and shapes are checked.

    The model is that of the header, else imagebind_huge. No numbers are read. Raises EncoderFailed.
    """
    header = read_header(path)
    sizes = header.sizes or ModelConfig()
    found: list[StoredTower] = []
    if path.is_dir():
        for tower, file in tower_files(path).items():
            found += [each for each in _in_file(file, sizes) if each.tower == tower]
    else:
        found += _in_file(path, sizes)
    if not found:
        raise EncoderFailed(f"{path}: expected some of the towers {', '.join(TOWERS)}, got none")
    return found, header


def _in_file(path: Path, sizes: ModelConfig) -> list[StoredTower]:
    file = open_state(path)
    held = {tower_of(name) for name in file.shapes}
    towers: list[StoredTower] = []
    for tower in TOWERS:
        if tower not in held and None not in held:
            continue
        with torch.device("meta"):
            state = ImageBindModel([tower], **sizes.model_dump()).state_dict()
        check_tower(path, tower, {n: tuple(t.shape) for n, t in state.items()}, file.shapes)
        shapes = {n: shape for n, shape in file.shapes.items() if tower_of(n) == tower}
        tensors = [file.tensor(name) for name in shapes]
        dtype = max(tensors, key=lambda tensor: tensor.nbytes).dtype
        towers.append(
            StoredTower(tower, path, sizes, shapes, dtype, sum(t.nbytes for t in tensors))
        )
    return towers


def _fault(name: str, tensor: Tensor, sizes: ModelConfig) -> str:
    """What is wrong with the numbers of a tensor, or nothing."""
    if name == IDS:
        try:
            check_ids(tensor, sizes.vocab_size)
        except ValueError as error:
            return str(error)
        return ""
    if not tensor.is_floating_point():
        return f"expected floating point, got {tensor.dtype}"
    if name.endswith(".mask"):
        same = torch.equal(tensor.float(), causal_mask(sizes.context_length))
        return "" if same else "expected minus infinity above the diagonal and else 0"
    # Half precision has this on a CPU; the formats of 8 bits have not.
    low, high = (tensor.float() if tensor.itemsize < 2 else tensor).aminmax()
    return "" if low.isfinite() and high.isfinite() else "expected finite numbers, got others"


def kept_whole(name: str) -> bool:
    """Whether a tensor keeps its type when a tower is converted: scales, and token ids."""
    return name == IDS or name.endswith(SCALE)
