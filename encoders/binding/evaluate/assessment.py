"""Puts a calibration to the test: are the probabilities that users get worth their name?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.binding.evaluate.calibration import known
from encoders.binding.evaluate.encoded import Encoded, Rows
from encoders.binding.evaluate.reliability import Bin, adaptive, expected_error, reliability
from encoders.calibration import Calibration
from encoders.zeroshot import TEMPERATURES, Scores, score
from streamer.types import Modality


@dataclass(frozen=True, slots=True)
class Assessment:
    """How a modality's probabilities fare on held-out scenes of one concept, whole label list.

    `error` and `error_adaptive`: expected calibration error of the shares (softmax, "none" left
    out of account); `error_default` the same at the temperature that serves without a calibration.
    `error_published`: of what users get with a threshold, shares x (1 - none), on the same scenes:
    low only where labels that are there are never doubted. `error_open`: of the same with "none"
    as one more label, on these scenes and on the same with their label left out of the list, where
    "none" is right: half known, half unknown, as the threshold was fitted.

    `none_left_out`, `none_known`: the share of scenes called none of these (above one half) when
    their label is left out of the list, and when it is in it.
    """

    n: int
    temperature: float
    none_below: float
    error: float
    error_adaptive: float
    error_default: float
    error_published: float
    error_open: float
    none_left_out: float
    none_known: float
    curve: tuple[Bin, ...]
    curve_open: tuple[Bin, ...]


def assess(
    encoded: Encoded,
    modality: Modality,
    classes: NDArray[np.float32],
    calibration: Calibration,
) -> Assessment | None:
    """Judge `calibration` on moments it was not fitted on. None: nothing to judge it by."""
    temperature = calibration.temperatures.get(modality)
    threshold = calibration.none_below.get(modality)
    rows, truth = known(encoded, modality)
    if temperature is None or threshold is None or len(rows) == 0:
        return None
    vectors = encoded.vectors[modality][rows]
    shares = _said(score(vectors, classes, temperature).probabilities, truth)
    default = _said(score(vectors, classes, TEMPERATURES[modality]).probabilities, truth)
    listed = _with_none(score(vectors, classes, temperature, threshold))
    left_out = _left_out(vectors, truth, classes, temperature, threshold)
    # "None" is the label after the last.
    none = len(classes)
    everything = np.concatenate([listed, left_out])
    right = np.concatenate([truth, np.full(len(rows), none)])
    curve, curve_open = reliability(*shares), reliability(*_said(everything, right))
    return Assessment(
        n=len(rows),
        temperature=temperature,
        none_below=threshold,
        error=expected_error(curve),
        error_adaptive=expected_error(adaptive(*shares)),
        error_default=expected_error(reliability(*default)),
        error_published=expected_error(reliability(*_said(listed[:, :none], truth))),
        error_open=expected_error(curve_open),
        none_left_out=float((left_out[:, none] > 0.5).mean()),
        none_known=float((listed[:, none] > 0.5).mean()),
        curve=curve,
        curve_open=curve_open,
    )


def _left_out(
    vectors: NDArray[np.float32],
    truth: Rows,
    classes: NDArray[np.float32],
    temperature: float,
    none_below: float,
) -> NDArray[np.float32]:
    """Probabilities (n, K + 1) of each scene with its own label, then at 0, left out."""
    found = np.zeros((len(vectors), len(classes) + 1), np.float32)
    for label in np.unique(truth):
        rows = np.flatnonzero(truth == label)
        others = np.delete(classes, label, axis=0)
        scores = _with_none(score(vectors[rows], others, temperature, none_below))
        found[rows] = np.insert(scores, label, 0, axis=1)
    return found


def _with_none(scores: Scores) -> NDArray[np.float32]:
    """Probabilities (n, K + 1) that sum to 1."""
    assert scores.none is not None  # noqa: S101 - a threshold was given
    return np.concatenate([scores.probabilities, scores.none[:, None]], axis=1)


def _said(
    probabilities: NDArray[np.float32], truth: Rows
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The confidence in the most probable label, and whether that is the true one."""
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
