"""Which items a step sees: a function of the seed and the step alone."""

import numpy as np
from numpy.typing import NDArray


def generator(seed: int, *what: int) -> np.random.Generator:
    """The generator of one purpose at one step."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *what])))


class Batches:
    """Every item once an epoch, in a new order each; what does not fill a batch waits."""

    def __init__(self, count: int, batch: int, seed: int) -> None:
        if count < batch:
            raise ValueError(f"expected at least one batch of {batch} items, got {count}")
        self._count, self._batch, self._seed = count, batch, seed
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def __getitem__(self, step: int) -> NDArray[np.int64]:
        """The items of a step, (batch,)."""
        epoch, index = divmod(step, self._count // self._batch)
        if epoch != self._epoch:
            self._order = generator(self._seed, 1, epoch).permutation(self._count)
            self._epoch = epoch
        return self._order[index * self._batch : (index + 1) * self._batch]
