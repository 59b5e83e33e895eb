"""A picture as the sensor's integers, with what makes values or brightness of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """`stored * scale + offset`, float32, when somebody asks: 16 bits stay 16 bits until then.

    `stored` (H, W) of an integer type: depth in units of the device, heat in counts. Where they
    are not values of anything, scale and offset are a level: with `grey` they give brightness,
    uint8, black and white beyond 0 and 255.
    """

    stored: NDArray[Any]
    scale: float
    offset: float = 0.0
    grey: bool = False

    @property
    def nbytes(self) -> int:
        return self.stored.nbytes

    def array(self) -> NDArray[np.float32] | NDArray[np.uint8]:
        # In float64 first: 30000 centikelvin less 273.15 has no exact float32 on the way.
        values = self.stored * np.float64(self.scale) + self.offset
        if self.grey:
            return np.clip(np.rint(values), 0, 255).astype(np.uint8)
        return values.astype(np.float32)
