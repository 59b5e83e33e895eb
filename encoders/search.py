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
    """What is searched, a column each: (n,). `start_s` and `end_s` are times on one time line.

    `streams` numbers what windows follow each other in; `lines` what tells of the same time: one
    modality of a file by itself, all streams of a recorded run together.
    """

    streams: NDArray[np.intp]
    lines: NDArray[np.intp]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Found:
    """A moment: its best record, the span that the windows around it share, in seconds, and the
    best record of every other stream of the time line that stands out during it, best first."""

    index: int
    start_s: float
    end_s: float
    beside: tuple[int, ...] = ()


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


def best(values: NDArray[np.float64], moments: Moments, top: int) -> list[Found]:
    """At most `top` moments, best value first; the earlier record where two are equal.

    Windows overlap, and what lasts shows in many. So a moment grows from its best window over
    those of the stream that overlap or touch it, for as long as they have half of its value; what
    of the time line overlaps or touches it then is no moment of its own.
    """
    chosen: list[Found] = []
    free = np.ones(len(values), np.bool_)
    by_line = np.argsort(moments.lines, kind="stable")
    lines = moments.lines[by_line]
    for index in np.argsort(-values, kind="stable").tolist():
        if len(chosen) == top:
            break
        if not free[index]:
            continue
        line = moments.lines[index]
        near = by_line[np.searchsorted(lines, line) : np.searchsorted(lines, line, "right")]
        # What does not stand out has no half, and nothing beside it.
        stands_out = values[index] > 0
        strong = values[near] >= (values[index] / 2 if stands_out else values[index])
        # A window tells of one moment.
        strong &= free[near]
        own = near[strong & (moments.streams[near] == moments.streams[index])]
        start, end = _grown(index, own, moments)
        within = (moments.start_s[near] <= end) & (moments.end_s[near] >= start)
        beside = _beside(index, near[strong & within], values, moments) if stands_out else ()
        chosen.append(Found(index, start, end, beside))
        free[near[within]] = False
    return chosen


def _grown(index: int, own: NDArray[np.intp], moments: Moments) -> tuple[float, float]:
    """The span of a window and of all that are linked to it through those of `own`, itself one."""
    order = own[np.argsort(moments.start_s[own], kind="stable")]
    starts, ends = moments.start_s[order], np.maximum.accumulate(moments.end_s[order])
    # Behind a hole another chain begins.
    chains = np.concatenate([[0], np.cumsum(starts[1:] > ends[:-1])])
    mine = np.flatnonzero(chains == chains[np.flatnonzero(order == index)[0]])
    return float(starts[mine[0]]), float(ends[mine[-1]])


def _beside(
    index: int, standing: NDArray[np.intp], values: NDArray[np.float64], moments: Moments
) -> tuple[int, ...]:
    """The best record of each stream but that of `index`."""
    order = standing[np.argsort(-values[standing], kind="stable")]
    _, first = np.unique(moments.streams[order], return_index=True)
    own = moments.streams[index]
    return tuple(i for i in order[np.sort(first)].tolist() if moments.streams[i] != own)
