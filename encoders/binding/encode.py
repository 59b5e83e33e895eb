"""One tower as training calls it."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from encoders.imagebind.config import Tower
from encoders.imagebind.model import ImageBindModel


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Where numbers are multiplied, and how: weights stay float32, bf16 is for products."""

    device: torch.device
    bf16: bool

    def unit_vectors(
        self, model: ImageBindModel, tower: Tower, x: Tensor, kept: Tensor | None = None
    ) -> Tensor:
        """float32 (B, D), with gradients; from the patches `kept` (B, k), or from all."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            seen = None if kept is None else kept.to(self.device)
            pooled = model.pooled(tower, x.to(self.device), seen)
        return functional.normalize(pooled.float(), dim=-1)
