"""A token embedding of which only the rows that training touched are kept.

A small text tower is mostly its table of 49,408 words, and a small world uses a few hundred of
them. So a file may hold the n rows that were trained, `token_embedding.weight` (n, width), and
whose they are, `token_embedding.ids` (n,); every other row is the mean of those, so that a word
never seen says nothing.
"""

import torch
from torch import Tensor

WEIGHT = "modality_preprocessors.text.token_embedding.weight"
IDS = "modality_preprocessors.text.token_embedding.ids"

# The table is larger than its file: five times that of imagebind_huge, 1 GiB in float32, and more
# is not made because a file says so.
LARGEST = 1 << 28


def check_shapes(ids: tuple[int, ...], rows: tuple[int, ...], table: tuple[int, int]) -> None:
    """Raise ValueError unless `rows` and `ids` of these shapes can stand for `table`."""
    vocabulary, width = table
    if vocabulary * width > LARGEST:
        raise ValueError(f"expected a table of at most {LARGEST} numbers, got {table}")
    if len(ids) != 1 or not 1 <= ids[0] <= vocabulary:
        raise ValueError(f"expected shape (n,) with n of 1 to {vocabulary}, got {ids}")
    if rows != (ids[0], width):
        raise ValueError(f"expected one row of {width} for each of {ids[0]} ids, got {rows}")


def expand(rows: Tensor, ids: Tensor, vocabulary: int, dtype: torch.dtype) -> Tensor:
    """The table (vocabulary, width) of which `rows` (n, width) are those of `ids` (n,).

    Raises ValueError as `check_ids` does.
    """
    check_ids(ids, vocabulary)
    ids = ids.long()
    # float32, since half precision cannot add up some thousand rows.
    mean = rows.mean(dim=0, dtype=torch.float32)
    table = mean.to(dtype).repeat(vocabulary, 1)
    table[ids] = rows.to(dtype)
    return table


def check_ids(ids: Tensor, vocabulary: int) -> None:
    """Raise ValueError unless `ids` (n,) are int32 or int64, ascending, and below `vocabulary`."""
    if ids.dtype not in {torch.int32, torch.int64}:
        raise ValueError(f"expected int32 or int64, got {ids.dtype}")
    if not (ids[1:] > ids[:-1]).all():
        raise ValueError("expected ascending ids, each once")
    first, last = int(ids[0]), int(ids[-1])
    if first < 0 or last >= vocabulary:
        raise ValueError(f"expected ids of 0 to {vocabulary - 1}, got {first} to {last}")
