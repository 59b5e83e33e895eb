"""Towers built and filled when they are asked for, and the hash of what they are filled from."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import torch

from encoders.cache_folder import CacheFolder
from encoders.imagebind.checkpoint import load_towers
from encoders.imagebind.config import TOWERS, ModelConfig, Tower
from encoders.imagebind.device import Placement
from encoders.imagebind.identity import contents_hash, model_hash
from encoders.imagebind.model import ImageBindModel
from encoders.imagebind.weights import random_weights


@dataclass(frozen=True, slots=True)
class Weights:
    """Where the numbers of a model come from, and what they become. No `path`: random ones."""

    path: Path | None
    seed: int
    sizes: ModelConfig
    where: Placement

    def load(self, towers: Collection[Tower]) -> ImageBindModel:
        """The towers, ready to be used. Raises EncoderFailed: damaged, or of another model."""
        with torch.device("meta"):
            model = ImageBindModel([t for t in TOWERS if t in towers], **self.sizes.model_dump())
        model.eval()
        dtype, device = self.where.dtype, self.where.device
        if self.path is None:
            random_weights(model, self.seed, dtype=dtype, device=device)
        else:
            load_towers(model, self.path, dtype=dtype, device=device)
        return model

    def hash(self, cache: CacheFolder) -> str:
        """`identity.model_hash`: the same for any towers, precision, device and path."""
        if self.path is None:
            # Random numbers depend on the seed, their names and their shapes alone.
            return model_hash(f"random {self.seed}", self.sizes)
        return model_hash(contents_hash(self.path, cache), self.sizes)

    @property
    def precision(self) -> str:
        """The type that the numbers are used in: `float32`, `bfloat16`, `float16`."""
        return str(self.where.dtype).removeprefix("torch.")
