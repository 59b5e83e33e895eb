"""Sound as a log keeps it: 16 bits, the width that microphones have."""

import numpy as np
from numpy.typing import NDArray

_FULL = 32768


def to_int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """The nearest of 65536 levels; beyond -1..1 is clipped. Undoes `from_int16` exactly."""
    levels = np.rint(samples * np.float32(_FULL))
    return np.clip(levels, -_FULL, _FULL - 1).astype("<i2")


def from_int16(levels: NDArray[np.int16]) -> NDArray[np.float32]:
    return levels.astype(np.float32) / np.float32(_FULL)
