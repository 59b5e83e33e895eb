"""A trained model to start from, and how much of a tower may change: for models too large to train
from nothing, such as imagebind_huge.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from encoders.binding.adapt import add_lora, heads_only, merge_lora
from encoders.imagebind.checkpoint import load_towers, towers_in
from encoders.imagebind.config import ModelConfig, Tower
from encoders.imagebind.model import ImageBindModel

Change: TypeAlias = Literal["all", "heads", "lora"]


@dataclass(frozen=True, slots=True)
class Base:
    """Its vision tower gives the anchors, its text tower stays; the others may be adapted.

    `change`: all weights of a tower, its head alone, or its head and low-rank adapters of `rank`
    beside its attention.
    """

    weights: Path
    change: Change = "lora"
    rank: int = 4
    alpha: float = 4.0

    def tower(self, sizes: ModelConfig, tower: Tower) -> ImageBindModel:
        """The tower in float32, with what may change marked. Raises `EncoderFailed`."""
        model = _loaded(self.weights, sizes, (tower,), torch.float32)
        # Mapped weights are the file: training must not write there.
        own = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        model.load_state_dict(own, assign=True)
        if self.change == "heads":
            heads_only(model, tower)
        elif self.change == "lora":
            add_lora(model, tower, self.rank, self.alpha)
        return model

    def merge(self, model: ImageBindModel, tower: Tower) -> None:
        """Give a trained tower its published names and shapes again."""
        if self.change == "lora":
            merge_lora(model, tower)


def others(
    weights: Path, sizes: ModelConfig, towers: Collection[Tower | None]
) -> dict[str, Tensor]:
    """The state of all towers that a file has but `towers`, float16 (scales float32)."""
    left: list[Tower] = [tower for tower in towers_in(weights) if tower not in towers]
    return _loaded(weights, sizes, left, torch.float16).state_dict() if left else {}


def _loaded(
    weights: Path, sizes: ModelConfig, towers: Sequence[Tower], dtype: torch.dtype
) -> ImageBindModel:
    with torch.device("meta"):
        model = ImageBindModel(towers, **sizes.model_dump())
    load_towers(model, weights, dtype=dtype)
    return model
