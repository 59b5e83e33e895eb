"""Fits what a weights file says about probabilities: temperatures, and when it is none of these."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders.binding.evaluate.encoded import Encoded, Matrix, Rows
from encoders.calibration import Calibration
from encoders.zeroshot import LabelSet, unit
from streamer.types import Modality

COLDEST, HOTTEST = 1e-3, 10.0
"""The range of fitted temperatures. A model without one mistake would want 0."""

_GOLDEN = (math.sqrt(5) - 1) / 2


def negative_log_likelihood(
    cosines: NDArray[Any], truth: NDArray[np.intp], temperature: float
) -> float:
    """Mean of -log softmax(cosines / temperature) at the true labels; (n, K), (n,)."""
    logits = np.asarray(cosines, np.float64) / temperature
    best = logits.max(axis=1)
    total = best + np.log(np.exp(logits - best[:, None]).sum(axis=1))
    return float((total - np.take_along_axis(logits, truth[:, None], axis=1)[:, 0]).mean())


def fit_temperature(cosines: NDArray[Any], truth: NDArray[np.intp]) -> float:
    """The temperature of the greatest likelihood (Guo et al., 2017), within the allowed range.

    The loss is convex in 1 / temperature, so it has one valley along log temperature, and a golden
    section finds its bottom. Where colder makes no difference any more, it stays warm.
    """
    low, high = math.log(COLDEST), math.log(HOTTEST)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left = negative_log_likelihood(cosines, truth, math.exp(left))
    at_right = negative_log_likelihood(cosines, truth, math.exp(right))
    while high - low > 1e-6:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = negative_log_likelihood(cosines, truth, math.exp(left))
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = negative_log_likelihood(cosines, truth, math.exp(right))
    return math.exp((low + high) / 2)


def separating(known: NDArray[Any], unknown: NDArray[Any]) -> float:
    """The threshold that tells `unknown` (below) from `known` (at or above) best.

    Best: the greatest mean of the two shares that come out right (Youden, 1950), so that it does
    not matter which there are more of. Midway between two scores; the lowest of equally good ones,
    since to say "none" wrongly hides a right label.
    """
    if len(known) == 0 or len(unknown) == 0:
        raise ValueError("expected scores of known and of unknown scenes")
    scores = np.unique(np.concatenate([known, unknown]).astype(np.float64))
    cuts = np.concatenate([[scores[0]], (scores[:-1] + scores[1:]) / 2])
    below_known = np.searchsorted(np.sort(known), cuts) / len(known)
    below_unknown = np.searchsorted(np.sort(unknown), cuts) / len(unknown)
    return float(cuts[(below_unknown - below_known).argmax()])


@dataclass(frozen=True, slots=True, eq=False)
class BestCosines:
    """The best cosine of each scene with the labels: of scenes whose concept was among them, and of
    scenes whose concept had been left out of the list."""

    known: Matrix
    left_out: Matrix


def leave_out(cosines: Matrix, truth: NDArray[np.intp]) -> BestCosines:
    """Leave each concept out of the list in turn. Cosines (n, K) of scenes of the labels `truth`.

    Left out: a scene's best cosine with the other labels, each scene once. Known: with the list as
    it is; one label less changes next to nothing for the scenes of the others.
    """
    others = cosines.copy()
    np.put_along_axis(others, truth[:, None], -np.inf, axis=1)
    return BestCosines(cosines.max(axis=1), others.max(axis=1))


def fit_calibration(
    encoded: Encoded, classes: NDArray[np.float32], label_set: LabelSet
) -> Calibration:
    """What a file of weights carries about one label set.

    `classes` (K, D) are the label set's vectors in the order of the concepts. Fitted on scenes of
    one concept that the modality can perceive, scored against the whole list, as in a live run.
    """
    if label_set.labels != encoded.concepts.names:
        raise ValueError(f"label set {label_set.name}: expected the names of the concepts")
    temperatures: dict[Modality, float] = {}
    none_below: dict[Modality, float] = {}
    for modality in encoded.modalities:
        rows, truth = known(encoded, modality)
        if len(rows) == 0:
            continue
        cosines = unit(encoded.vectors[modality][rows]) @ unit(classes).T
        best = leave_out(cosines, truth)
        temperatures[modality] = fit_temperature(cosines, truth)
        none_below[modality] = separating(best.known, best.left_out)
    return Calibration(set=label_set.hash, temperatures=temperatures, none_below=none_below)


def known(encoded: Encoded, modality: Modality) -> tuple[Rows, Rows]:
    """Rows of the scenes of one concept that binds, and which concept it is."""
    concepts = encoded.concepts.bound(modality)
    rows, position = encoded.single(modality, concepts)
    return rows, np.array(concepts, np.intp)[position]
