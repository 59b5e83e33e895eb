"""The numbers of one training, and its learning rate over time."""

import math
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]

WHOLE = 0.2
"""The last share of the steps, in which nothing is left out."""


class Recipe(BaseModel):
    """How one stage or tower is trained.

    `samples` is counted with repetition. `rate` is the peak: linear warm-up over the first
    `warm_up` share of the steps, then a cosine to 0. `temperature` is fixed, as ImageBind found
    better than learned. `micro_batches` splits a batch to save memory without changing the loss.
    `left_out` is the share of patches that a step does not look at, others for each input: half
    the patches make a step nearly twice as fast for about the same progress (FLIP, arXiv
    2212.00794). The last fifth of the steps sees all, as live runs do.
    `words_left_out`, of captions: each is drawn with 0 to this share of its words gone, so that no
    text is known by heart and every word has to mean something.
    `alike_above`: pairs whose frozen image vectors have a higher cosine are no negatives.

    Defaults suit the built-in model: small, batches of 64. imagebind_huge was trained with beta2
    0.95, `alike_above` 1 (arXiv 2305.05665) and

        tower    batch  rate    temperature  weight_decay  clip
        audio    2048   1.6e-3  0.05         0.2           1
        depth     512   1.6e-3  0.2          0.2           1
        thermal   512   5e-4    0.1          0.05          5
        imu       512   5e-4    0.2          0.5           1

    and stochastic depth of 0.1 for audio and 0.7 for the IMU, which belongs to the model's sizes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: Count
    batch: Annotated[int, Field(ge=2)] = 64
    micro_batches: Count = 1
    rate: Positive = 1e-3
    warm_up: Annotated[float, Field(ge=0, lt=1)] = 0.05
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    beta2: Annotated[float, Field(gt=0, lt=1)] = 0.98
    clip: Positive = 1.0
    temperature: Positive = 0.1
    left_out: Annotated[float, Field(ge=0, le=0.9)] = 0.0
    words_left_out: Annotated[float, Field(ge=0, le=0.9)] = 0.0
    alike_above: Annotated[float, Field(ge=-1, le=1)] = 1.0

    @property
    def steps(self) -> int:
        return math.ceil(self.samples / self.batch)

    @property
    def parts(self) -> tuple[slice, ...]:
        """The micro-batches of a batch."""
        size = math.ceil(self.batch / self.micro_batches)
        return tuple(slice(first, first + size) for first in range(0, self.batch, size))


def rate_at(step: int, steps: int, warm_up: float, peak: float) -> float:
    """The learning rate of a step, counted from 0."""
    rising = round(warm_up * steps)
    if step < rising:
        return peak * ((step + 1) / rising)
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def left_out_at(step: int, recipe: Recipe) -> float:
    """The share of patches that a step leaves out."""
    return recipe.left_out if step < (1 - WHOLE) * recipe.steps else 0.0
