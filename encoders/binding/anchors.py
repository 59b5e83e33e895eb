"""The frozen image vectors that stage 2 binds to, computed once."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from encoders.binding import augment
from encoders.binding.cache import Cache, locked
from encoders.binding.encode import Arithmetic
from encoders.binding.inputs import MARGIN, Progress
from encoders.imagebind.model import ImageBindModel

SHIFTS = (MARGIN // 4, MARGIN // 2, 3 * MARGIN // 4)
"""The views: where the square of image, depth and thermal is cut, in columns.

The middle one is that of live runs: a tower that never met it can fail on it where the data vary
little, since every other cut puts an edge elsewhere in its patch.
"""

_BATCH = 128


def anchors(
    path: Path,
    model: ImageBindModel,
    cache: Cache,
    shifts: tuple[int, ...],
    arithmetic: Arithmetic,
    progress: Progress = lambda done, total: None,
) -> NDArray[np.float32]:
    """Unit vectors (len(shifts), n, D) of the cache's pictures; zeros where there is none."""
    with locked(path.with_suffix(".lock")):
        if not path.exists():
            vectors = _compute(model, cache, shifts, arithmetic, progress)
            made = path.with_suffix(".tmp")
            with made.open("wb") as file:
                np.save(file, vectors)
            made.replace(path)
    return np.load(path)


@torch.inference_mode()
def _compute(
    model: ImageBindModel,
    cache: Cache,
    shifts: tuple[int, ...],
    arithmetic: Arithmetic,
    progress: Progress,
) -> NDArray[np.float32]:
    model.eval()
    rows = cache.rows["vision"]
    out = np.zeros((len(shifts), len(cache), model.config.out_embed_dim), np.float32)
    for first in range(0, len(rows), _BATCH):
        batch = rows[first : first + _BATCH]
        pictures = cache.arrays["vision"][batch]
        for view, shift in enumerate(shifts):
            squares = augment.crop(pictures, np.full(len(batch), shift))
            vectors = arithmetic.unit_vectors(model, "vision", augment.plain(squares))
            out[view, batch] = vectors.cpu().numpy()
        progress(first + len(batch), len(rows))
    return out
