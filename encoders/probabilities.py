"""Fits the probabilities of one modality on labelled windows, and judges them on held-out files."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders.binding.evaluate.calibration import fit_temperature, leave_out, separating
from encoders.binding.evaluate.reliability import Bin, expected_error, reliability
from encoders.zeroshot import unit

LEAST_FILES = 20
"""Fewer say next to nothing about how often a label of a given probability is right."""
FOLDS = 5

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was fitted on all windows, and how such a fit does on files that it has not seen.

    `before` and `after`: reliability of the shares (softmax; "none of these" left out of account)
    at the temperature used so far, and held out; `error_before`, `error_after` their expected
    calibration errors. `none_known`: the share of held-out windows that are called none of these;
    `none_left_out`: the same when their label is left out of the list, where it would be right.
    None: the list holds one label, and without it nothing would be left.
    """

    temperature: float
    none_below: float | None
    files: int
    windows: int
    accuracy: float
    temperature_before: float
    error_before: float
    error_after: float
    none_known: float | None
    none_left_out: float | None
    before: tuple[Bin, ...]
    after: tuple[Bin, ...]


def fit(
    vectors: NDArray[Any],
    truth: Rows,
    files: Rows,
    classes: NDArray[np.float32],
    temperature_before: float,
    seed: int,
) -> Fitted:
    """Fit on windows (n, D) of the labels `truth` (n,) among `classes` (K, D).

    Cross-validated: each of `FOLDS` parts of the files (n,) is judged by what was fitted on the
    others. Whole files, since windows of one file are alike. Raises `ValueError` for fewer files
    than `LEAST_FILES`.
    """
    names = np.unique(files)
    if len(names) < LEAST_FILES:
        raise ValueError(f"expected at least {LEAST_FILES} files, got {len(names)}")
    cosines = unit(vectors) @ unit(classes).T
    judged = held_out(cosines, truth, files, seed)
    right = cosines.argmax(axis=1) == truth
    before = reliability(_confidence(cosines, temperature_before), right)
    after = reliability(judged.confidence, right)
    temperature, none_below = _fit(cosines, truth)
    return Fitted(
        temperature=temperature,
        none_below=none_below,
        files=len(names),
        windows=len(truth),
        accuracy=float(right.mean()),
        temperature_before=temperature_before,
        error_before=expected_error(before),
        error_after=expected_error(after),
        none_known=None if none_below is None else float(judged.none_known.mean()),
        none_left_out=None if none_below is None else float(judged.none_left_out.mean()),
        before=before,
        after=after,
    )


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Of each window (n,), by what was fitted on other files: the share of its best label; whether
    it is none of these, with its label in the list and without."""

    confidence: NDArray[np.float64]
    none_known: NDArray[np.bool_]
    none_left_out: NDArray[np.bool_]


def held_out(cosines: NDArray[np.float64], truth: Rows, files: Rows, seed: int) -> HeldOut:
    """Judge windows of cosines (n, K) with the labels; with one label nothing is ever none."""
    confidence = np.zeros(len(truth))
    known, left_out = np.zeros(len(truth), np.bool_), np.zeros(len(truth), np.bool_)
    mixed = np.random.default_rng(seed).permutation(np.unique(files))
    for part in np.array_split(mixed, FOLDS):
        held = np.isin(files, part)
        temperature, none_below = _fit(cosines[~held], truth[~held])
        confidence[held] = _confidence(cosines[held], temperature)
        if none_below is not None:
            best = leave_out(cosines[held], truth[held])
            known[held] = best.known < none_below
            left_out[held] = best.left_out < none_below
    return HeldOut(confidence, known, left_out)


def _fit(cosines: NDArray[np.float64], truth: Rows) -> tuple[float, float | None]:
    temperature = fit_temperature(cosines, truth)
    if cosines.shape[1] < 2:
        return temperature, None
    best = leave_out(cosines, truth)
    return temperature, separating(best.known, best.left_out)


def _confidence(cosines: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """The greatest of softmax(cosines / temperature) of each row."""
    logits = cosines / temperature
    return 1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
