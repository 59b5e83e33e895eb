"""Finding in one modality what was perceived in another; and what two of them together find."""

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from encoders.binding.evaluate.encoded import Encoded, Rows
from encoders.binding.evaluate.scores import Share, hits, share
from encoders.zeroshot import unit
from streamer.types import Modality

GALLERIES = 32
"""Random galleries that a class-level figure is the mean of."""


@dataclass(frozen=True, slots=True)
class Recall:
    """Recall at 1 and 5, each with the level of chance; n queries, galleries of `size`."""

    at_1: Share
    at_5: Share
    chance_1: float
    chance_5: float
    size: int


@dataclass(frozen=True, slots=True)
class Retrieval:
    """From a query of one modality to a gallery of another.

    `by_class`: the gallery holds one scene of each concept that both perceive, and the right
    concept is a hit. `by_instance`: it holds every scene of which both perceive something, and
    only the query's own scene is a hit. None: there is nothing both perceive. `unseen`: training
    never had these two side by side (it binds everything to pictures and to nothing else).
    """

    query: Modality
    gallery: Modality
    unseen: bool
    by_class: Recall | None
    by_instance: Recall | None


def retrievals(encoded: Encoded, rng: np.random.Generator) -> tuple[Retrieval, ...]:
    """Every ordered pair of modalities."""
    return tuple(
        Retrieval(
            query,
            gallery,
            unseen="vision" not in (query, gallery),
            by_class=by_class(encoded, query, gallery, rng),
            by_instance=by_instance(encoded, query, gallery),
        )
        for query, gallery in permutations(encoded.modalities, 2)
    )


def by_class(
    encoded: Encoded,
    query: Modality,
    gallery: Modality,
    rng: np.random.Generator,
    galleries: int = GALLERIES,
) -> Recall | None:
    """Scenes of one concept; the gallery never holds the query's own scene."""
    concepts = encoded.concepts.shared("vision", query, gallery)
    asked, asked_for = encoded.single(query, concepts)
    held, held_of = encoded.single(gallery, concepts)
    pools = [np.flatnonzero(held_of == c) for c in range(len(concepts))]
    # A pool of one may be the query itself, and then there is nothing right to find.
    full = [c for c, pool in enumerate(pools) if len(pool) >= 2]
    keep = np.isin(asked_for, full)
    asked, asked_for = asked[keep], asked_for[keep]
    if len(full) < 2 or len(asked) == 0:
        return None
    truth = np.searchsorted(full, asked_for)
    cosines = _cosines(encoded, query, asked, gallery, held)
    at_1, at_5 = np.zeros(len(asked)), np.zeros(len(asked))
    for _ in range(galleries):
        chosen = np.stack([_others(pools[c], held, asked, rng) for c in full], axis=1)
        scores = np.take_along_axis(cosines, chosen, axis=1)
        at_1 += hits(scores, truth, 1)
        at_5 += hits(scores, truth, 5)
    return _recall(at_1 / galleries, at_5 / galleries, len(full))


def _others(pool: Rows, held: Rows, asked: Rows, rng: np.random.Generator) -> Rows:
    """For each query one member of the pool at random, but not the query's own scene."""
    own = (held[pool][None, :] == asked[:, None]).astype(np.float64)
    return pool[(rng.random((len(asked), len(pool))) - own).argmax(axis=1)]


def by_instance(encoded: Encoded, query: Modality, gallery: Modality) -> Recall | None:
    """Scenes of one or several concepts in which both perceive the same thing."""
    both = encoded.there[query] & encoded.there[gallery]
    common = (encoded.truth[query] & encoded.truth[gallery]).any(axis=1)
    rows = np.flatnonzero(both & common)
    if len(rows) < 2:
        return None
    scores = _cosines(encoded, query, rows, gallery, rows)
    own = np.arange(len(rows))
    return _recall(hits(scores, own, 1), hits(scores, own, 5), len(rows))


def _cosines(
    encoded: Encoded, query: Modality, asked: Rows, gallery: Modality, held: Rows
) -> NDArray[np.float64]:
    return unit(encoded.vectors[query][asked]) @ unit(encoded.vectors[gallery][held]).T


def _recall(at_1: NDArray[np.float64], at_5: NDArray[np.float64], size: int) -> Recall:
    return Recall(
        share(float(at_1.mean()), len(at_1)),
        share(float(at_5.mean()), len(at_5)),
        chance_1=1 / size,
        chance_5=min(1.0, 5 / size),
        size=size,
    )
