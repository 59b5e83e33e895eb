"""A picture as the sensor's integers, with what makes values of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """`stored * scale + offset`, float32, when somebody asks: 16 bits stay 16 bits until then.

    `stored` (H, W) of an integer type: depth in units of the device, heat in counts.
    """

    stored: NDArray[Any]
    scale: float
    offset: float = 0.0

    @property
    def nbytes(self) -> int:
        return self.stored.nbytes

    def array(self) -> NDArray[np.float32]:
        # In float64 first: 30000 centikelvin less 273.15 has no exact float32 on the way.
        return (self.stored * np.float64(self.scale) + self.offset).astype(np.float32)
