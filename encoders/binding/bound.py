"""Stage 2: another tower learns to give its input the vector that the frozen image tower gives the
picture of the same moment (ImageBind, arXiv 2305.05665). No word and no label takes part.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encoders.binding import augment
from encoders.binding.accumulate import accumulate
from encoders.binding.anchors import SHIFTS
from encoders.binding.cache import Cache
from encoders.binding.draws import Batches, generator
from encoders.binding.encode import Arithmetic
from encoders.binding.fit import Outcome, Task, accuracy
from encoders.binding.loss import same_by_similarity, symmetric_info_nce
from encoders.binding.recipe import Recipe, left_out_at
from encoders.imagebind.model import ImageBindModel
from streamer.types import Modality

HELD_OUT = 1024  # pairs at most, for the score
_NOISE = {"depth": 0.05, "thermal": 0.02}  # of the largest deviation, in the tower's own unit


def bound(
    model: ImageBindModel,
    modality: Modality,
    cache: Cache,
    vectors: NDArray[np.float32],
    held_out: Cache,
    held_out_vectors: NDArray[np.float32],
    recipe: Recipe,
    seed: int,
    arithmetic: Arithmetic,
    *,
    shuffle: bool = False,
) -> Task:
    """`vectors` (views, n, D) are the anchors of `cache`, by view of `SHIFTS`.

    Pairs whose anchors are nearly the same show the same thing: they are not negatives
    (`Recipe.alike_above`). `shuffle` pairs every input with the picture of another moment: the
    control, after which whatever was measured has to fall to chance.
    """
    rows = pairs(cache, modality)
    partners = generator(seed, 3).permutation(rows) if shuffle else rows
    batches = Batches(len(rows), recipe.batch, seed)
    array = cache.arrays[modality]
    noise = augment.Noise.of(seed, max(1 << 18, 4 * int(np.prod(array.shape[1:]))))

    def backward(step: int) -> Outcome:
        rng = generator(seed, 2, step)
        picked = batches[step]
        views = rng.integers(0, len(SHIFTS), len(picked))
        shifts = np.array(SHIFTS)[views]
        x = varied(modality, array[rows[picked]], shifts, rng, noise)
        kept = augment.patches(len(x), model.config, modality, left_out_at(step, recipe), rng)
        anchor = torch.from_numpy(vectors[views, partners[picked]]).to(arithmetic.device)
        same = same_by_similarity(anchor, recipe.alike_above)
        loss, a, b = accumulate(
            lambda part: anchor[part],
            lambda part: arithmetic.unit_vectors(
                model, modality, x[part], None if kept is None else kept[part]
            ),
            recipe.parts,
            lambda a, b: symmetric_info_nce(a, b, recipe.temperature, same),
        )
        return Outcome(float(loss), accuracy(a, b, same))

    def score() -> float:
        rows = pairs(held_out, modality)[:HELD_OUT]
        scores: list[float] = []
        for batch in np.split(rows, range(recipe.batch, len(rows), recipe.batch)):
            x = as_live(modality, held_out.arrays[modality][batch])
            b = arithmetic.unit_vectors(model, modality, x)
            a = torch.from_numpy(held_out_vectors[0, batch]).to(arithmetic.device)
            scores.append(accuracy(a, b, same_by_similarity(a, recipe.alike_above)))
        return float(np.mean(scores))

    return Task(model, backward, score)


def pairs(cache: Cache, modality: Modality) -> NDArray[np.int64]:
    """The moments that have both a picture and this modality."""
    return np.intersect1d(cache.rows["vision"], cache.rows[modality])


def varied(
    modality: Modality,
    compact: NDArray[np.generic],
    shifts: NDArray[np.int64],
    rng: np.random.Generator,
    noise: augment.Noise,
) -> Tensor:
    """Compact inputs as their tower takes them, augmented."""
    match modality:
        case "depth" | "thermal":
            return augment.surfaces(augment.crop(compact, shifts), rng, noise, _NOISE[modality])
        case "audio":
            return augment.sounds(compact, rng)
        case "imu":
            return augment.motions(compact, rng, noise)
        case "vision":
            return augment.colours(augment.crop(compact, shifts), rng, noise)


def as_live(modality: Modality, compact: NDArray[np.generic]) -> Tensor:
    """Compact inputs as their tower takes them in a live run."""
    middle = augment.middles(len(compact))
    match modality:
        case "depth" | "thermal":
            return augment.crop(compact, middle).float()[:, None]
        case "audio":
            return torch.from_numpy(compact.astype(np.float32))[:, None]
        case "imu":
            return torch.from_numpy(np.array(compact, np.float32))
        case "vision":
            return augment.plain(augment.crop(compact, middle))
