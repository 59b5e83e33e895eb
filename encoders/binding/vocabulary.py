"""The few words that training meets, out of CLIP's 49,408: a table of a hundredth of the size.

Compact ids are the ranks of the CLIP ids that occur. Rank keeps order, so the end-of-text token
stays the largest id of every text, where the text tower reads its answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encoders.imagebind.tokenizer import END, START, Tokenizer

PADDING = 0


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """`ids` int64 (n,): CLIP ids, ascending; the position of an id is its compact id."""

    ids: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def compact(self, tokens: Tensor) -> Tensor:
        """CLIP ids to compact ids, any shape. Raises ValueError for an id that is not known."""
        wanted = tokens.numpy()
        found = np.searchsorted(self.ids, wanted).clip(max=len(self.ids) - 1)
        if not np.array_equal(self.ids[found], wanted):
            strange = np.setdiff1d(wanted, self.ids)
            raise ValueError(f"expected token ids of this vocabulary, got also {strange[:5]}")
        return torch.from_numpy(found)

    def clip(self, tokens: Tensor) -> Tensor:
        """Compact ids back to CLIP ids."""
        return torch.from_numpy(self.ids[tokens.numpy()])


def vocabulary(texts: Sequence[str], context: int) -> Vocabulary:
    """The ids that occur in `texts`, and the three that every text has."""
    tokens = Tokenizer(context)(texts).numpy()
    return Vocabulary(np.union1d(tokens, [PADDING, START, END]).astype(np.int64))
