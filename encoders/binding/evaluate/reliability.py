"""How far confidences are from how often they are right."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 15


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions of about one confidence: its mean, how many were right, how many there are."""

    confidence: float
    accuracy: float
    n: int


def reliability(
    confidence: NDArray[Any], correct: NDArray[Any], bins: int = BINS
) -> tuple[Bin, ...]:
    """Predictions in `bins` equal steps of confidence (n,) 0..1; steps that hold none are left out.

    `correct` (n,) is 1 or true for a right prediction.
    """
    # A confidence of exactly 1 belongs to the last step.
    step = np.minimum((np.asarray(confidence, np.float64) * bins).astype(np.intp), bins - 1)
    return _binned(confidence, correct, step)


def adaptive(confidence: NDArray[Any], correct: NDArray[Any], bins: int = BINS) -> tuple[Bin, ...]:
    """As `reliability`, with the same number of predictions in every bin (Nguyen, 2015).

    Equal confidences stay together, so that the order of predictions cannot matter.
    """
    below = np.searchsorted(np.sort(confidence), confidence)
    return _binned(confidence, correct, below * bins // max(len(confidence), 1))


def expected_error(bins: tuple[Bin, ...]) -> float:
    """Expected calibration error: mean |confidence - accuracy| of the bins, by their number."""
    total = sum(each.n for each in bins)
    return math.fsum(each.n * abs(each.confidence - each.accuracy) for each in bins) / total


def _binned(
    confidence: NDArray[Any], correct: NDArray[Any], step: NDArray[np.intp]
) -> tuple[Bin, ...]:
    wide, right = np.asarray(confidence, np.float64), np.asarray(correct, np.float64)
    masks = [step == each for each in np.unique(step)]
    return tuple(Bin(float(wide[m].mean()), float(right[m].mean()), int(m.sum())) for m in masks)
