"""Nearest moments: the vector of a query, scores that compare modalities, one hit a moment.

Pure numpy. Vectors are unit vectors of one shared space, so that a cosine is a product.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders.zeroshot import unit
from streamer.errors import ConfigError

CANCELLED = 1e-6
"""Below this length a sum of unit vectors has no direction worth the name."""


def combined(vectors: NDArray[Any], weights: Sequence[float]) -> NDArray[np.float64]:
    """The sum of the unit vectors of `vectors` (n, D), each times its weight, made unit: (D,).

    Raises `ConfigError` where they cancel.
    """
    total = np.asarray(weights, np.float64) @ unit(vectors)
    length = float(np.linalg.norm(total))
    if not length > CANCELLED * float(np.abs(weights).sum()):
        raise ConfigError("expected parts of a query with a direction in common, they cancel")
    return total / length


def cosines(vectors: NDArray[np.float32], query: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of `vectors` (n, D), none of them zero, with the unit vector `query` (D,): (n,).

    In float64 and row by row: the same bits however the rows are cut into chunks, so that equal
    vectors tie. A matrix product would add up in an order that depends on its size.
    """
    wide = vectors.astype(np.float64)
    lengths = np.sqrt(np.einsum("nd,nd->n", wide, wide))
    return np.einsum("nd,d->n", wide, query) / lengths


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """What is searched, a column each: (n,). `start_s` and `end_s` are times in the file.

    `kinds` and `files` number modalities and files.
    """

    kinds: NDArray[np.intp]
    files: NDArray[np.intp]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]


def scores(cosines: NDArray[np.float64], kinds: NDArray[np.intp]) -> NDArray[np.float64]:
    """How far each cosine lies above the mean of its modality: (n,).

    Cosines of two modalities with one query do not compare: each modality lies in a corner of its
    own of the space, nearer to the query or farther from it whatever they show. That is the same
    for all of a modality, and the mean takes it away. Not divided by their spread: a modality that
    shows nothing of what is asked for spreads little, and must not be blown up (decision 12).
    """
    means = np.zeros(int(kinds.max(initial=-1)) + 1)
    for kind in np.unique(kinds):
        means[kind] = cosines[kinds == kind].mean()
    return cosines - means[kinds]


def best(values: NDArray[np.float64], moments: Moments, top: int) -> list[int]:
    """At most `top` records, best value first; the earlier record where two are equal.

    Windows overlap, and what happens at a border shows on both sides of it. So a record is passed
    over when one of the same file and modality that overlaps or touches it is better.
    """
    chosen: list[int] = []
    taken: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for index in np.argsort(-values, kind="stable").tolist():
        if len(chosen) == top:
            break
        start, end = float(moments.start_s[index]), float(moments.end_s[index])
        spans = taken.setdefault((int(moments.files[index]), int(moments.kinds[index])), [])
        if any(start <= other_end and other_start <= end for other_start, other_end in spans):
            continue
        spans.append((start, end))
        chosen.append(index)
    return chosen
