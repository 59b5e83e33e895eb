"""Sound of any rate at another, as it comes, with exact stamps."""

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from streamer.types import NS_PER_S


@dataclass(frozen=True, slots=True, eq=False)
class Stamped:
    """Consecutive sound samples (n,), n > 0; `t_ns` is when the first was taken."""

    t_ns: int
    samples: NDArray[np.float32]


class Resampled:
    """One stretch of sound without a gap.

    The filter's delay is in no stamp: output sample n is what the input was at `n / to_hz`, it
    only comes out some 20 ms later, when the filter has heard what follows.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._to_hz = to_hz
        self._made = 0
        self._origin_ns = 0
        self._stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality="HQ")

    def push(self, samples: NDArray[np.float32], origin_ns: int) -> list[Stamped]:
        """`samples` (n,) follow those before; `origin_ns` is when the first of all was taken.

        What comes out is cut into parts of a second at the most.
        """
        self._origin_ns = origin_ns
        return self._stamped(self._stream.resample_chunk(samples))

    def flush(self) -> list[Stamped]:
        """The stretch has ended: what the filter has still in it."""
        return self._stamped(self._stream.resample_chunk(np.empty(0, np.float32), last=True))

    def _stamped(self, samples: NDArray[np.float32]) -> list[Stamped]:
        parts: list[Stamped] = []
        for first in range(0, len(samples), self._to_hz):
            part = samples[first : first + self._to_hz]
            t_ns = self._origin_ns + self._made * NS_PER_S // self._to_hz
            parts.append(Stamped(t_ns, part))
            self._made += len(part)
        return parts
