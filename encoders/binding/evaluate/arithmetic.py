"""Adding what is seen to what is heard: does the sum find the scene that holds both?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.binding.evaluate.encoded import Encoded, Rows
from encoders.binding.evaluate.retrieval import GALLERIES
from encoders.binding.evaluate.scores import Share, hits, share
from encoders.zeroshot import unit
from streamer.types import Modality


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Recall at 1 of the sum and of its halves alone; n counts the kinds of queries (A, B)."""

    both: Share
    both_at_5: Share
    image_only: Share
    sound_only: Share
    chance: float
    size: int
    weights: tuple[float, float]


def arithmetic(
    encoded: Encoded,
    rng: np.random.Generator,
    weights: tuple[float, float] = (0.5, 0.5),
    galleries: int = GALLERIES,
) -> Arithmetic | None:
    """Query: weights[0] * image of a scene of A alone + weights[1] * sound of a scene of B alone.

    The gallery holds pictures: one scene of each pair of concepts that the set has, with exactly
    these two in sight. The scene of {A, B} is the hit, so that a query which only knows A is left
    with every pair that holds A. A and B range over all ordered pairs in the gallery with a B
    that can be heard. None: no such pair, or no scenes of its parts alone. Means of `galleries`
    random choices of scenes.
    """
    if "vision" not in encoded.vectors or "audio" not in encoded.vectors:
        return None
    pairs = _pairs(encoded)
    seen, heard = _alone(encoded, "vision"), _alone(encoded, "audio")
    queries = [
        (a, b, slot)
        for slot, (first, second) in enumerate(sorted(pairs))
        for a, b in ((first, second), (second, first))
        if a in seen and b in heard
    ]
    if len(pairs) < 2 or not queries:
        return None
    truth = np.array([slot for _, _, slot in queries])
    image, sound = unit(encoded.vectors["vision"]), unit(encoded.vectors["audio"])
    totals = np.zeros((4, len(queries)))
    for _ in range(galleries):
        gallery = image[[rng.choice(pairs[pair]) for pair in sorted(pairs)]]
        images = image[[rng.choice(seen[a]) for a, _, _ in queries]]
        sounds = sound[[rng.choice(heard[b]) for _, b, _ in queries]]
        cosines = (weights[0] * images + weights[1] * sounds) @ gallery.T
        totals[0] += hits(cosines, truth, 1)
        totals[1] += hits(cosines, truth, 5)
        totals[2] += hits(images @ gallery.T, truth, 1)
        totals[3] += hits(sounds @ gallery.T, truth, 1)
    both, at_5, image_only, sound_only = (_mean(row / galleries) for row in totals)
    return Arithmetic(both, at_5, image_only, sound_only, 1 / len(pairs), len(pairs), weights)


def _pairs(encoded: Encoded) -> dict[tuple[int, int], Rows]:
    """Rows of the scenes that hold exactly two concepts, both in sight, by pair."""
    everything, sight = encoded.everything, encoded.truth["vision"]
    two = (everything.sum(axis=1) == 2) & (sight.sum(axis=1) == 2) & encoded.there["vision"]
    found: dict[tuple[int, int], list[int]] = {}
    for row in np.flatnonzero(two):
        first, second = np.flatnonzero(sight[row]).tolist()
        found.setdefault((first, second), []).append(int(row))
    return {pair: np.array(rows) for pair, rows in found.items()}


def _alone(encoded: Encoded, modality: Modality) -> dict[int, Rows]:
    """Rows of the scenes of one concept that the modality perceives, by concept."""
    every = range(len(encoded.concepts.names))
    rows, concept = encoded.single(modality, every)
    return {int(c): rows[concept == c] for c in np.unique(concept)}


def _mean(each: NDArray[np.float64]) -> Share:
    return share(float(each.mean()), len(each))
