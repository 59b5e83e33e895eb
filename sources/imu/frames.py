"""From the integers of an IIO sensor to values in the frame of the machine. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """`scale` (3,), `offset` (3,), `matrix` (3, 3): value = matrix @ ((raw + offset) * scale)."""

    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    matrix: NDArray[np.float64]

    def values(self, raw: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n, 3) in m/s^2 or rad/s, which are the units of IIO."""
        return ((raw + self.offset) * self.scale) @ self.matrix.T


def parse_matrix(text: str) -> NDArray[np.float64]:
    """Of `1, 0, 0; 0, 1, 0; 0, 0, 1`, the rows of a rotation. Raises ValueError."""
    rows = [row.split(",") for row in text.strip().split(";")]
    try:
        matrix = np.array([[float(cell) for cell in row] for row in rows])
    except ValueError:
        matrix = np.empty(0)
    if matrix.shape != (3, 3) or not np.allclose(matrix @ matrix.T, np.eye(3), atol=0.01):
        raise ValueError(f"expected a rotation of three rows, got {text[:80]!r}")
    return matrix
