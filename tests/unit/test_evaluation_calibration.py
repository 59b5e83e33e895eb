"""Calibration: errors of predictors whose error is known, fits that find what was put in."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from encoders.binding.evaluate.assessment import assess
from encoders.binding.evaluate.calibration import (
    COLDEST,
    fit_calibration,
    fit_temperature,
    leave_out,
    negative_log_likelihood,
    separating,
)
from encoders.binding.evaluate.reliability import Bin, adaptive, expected_error, reliability
from encoders.zeroshot import LabelSet, class_vectors
from streamer.types import MODALITIES
from tests.encodings_of_scenes import NAMES, scenes, text

LABELS = LabelSet("toy", NAMES)
CLASSES = class_vectors(text, LABELS)


def drawn(
    temperature: float, n: int = 20_000, k: int = 12, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Cosines, and labels drawn with exactly the probabilities that the temperature gives them."""
    rng = np.random.default_rng(seed)
    cosines = rng.uniform(-0.2, 0.6, (n, k))
    # The greatest of logits with Gumbel noise is a draw from their softmax.
    return cosines, (cosines / temperature + rng.gumbel(size=(n, k))).argmax(axis=1)


Binning = Callable[[NDArray[np.float64], NDArray[np.bool_]], tuple[Bin, ...]]


@pytest.mark.parametrize("bins", [reliability, adaptive])
def test_the_error_of_a_calibrated_predictor_tends_to_0(bins: Binning) -> None:
    rng = np.random.default_rng(0)
    errors: list[float] = []
    for n in (1_000, 100_000):
        confidence = rng.random(n)
        errors.append(expected_error(bins(confidence, rng.random(n) < confidence)))
    assert errors[1] < 0.006
    assert errors[1] < errors[0] / 3


def test_the_error_of_one_who_is_always_too_sure() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.2, 1, 50_000)
    right = rng.random(50_000) < confidence - 0.2
    assert expected_error(reliability(confidence, right)) == pytest.approx(0.2, abs=0.01)
    assert expected_error(adaptive(confidence, right)) == pytest.approx(0.2, abs=0.01)


def test_bins_by_hand() -> None:
    confidence, right = np.array([0.05, 0.05, 0.55, 1.0]), np.array([0, 1, 1, 0])
    bins = reliability(confidence, right, bins=10)
    assert [(b.confidence, b.accuracy, b.n) for b in bins] == [
        (0.05, 0.5, 2), (pytest.approx(0.55), 1.0, 1), (1.0, 0.0, 1),
    ]  # fmt: skip
    assert expected_error(bins) == pytest.approx((2 * 0.45 + 0.45 + 1) / 4)
    halves = adaptive(confidence, right, bins=2)
    assert [(b.confidence, b.n) for b in halves] == [(0.05, 2), (pytest.approx(0.775), 2)]


@settings(max_examples=40, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=60),
    data=st.data(),
)
def test_the_order_of_predictions_changes_nothing(
    pairs: list[tuple[int, bool]], data: st.DataObject
) -> None:
    mixed = data.draw(st.permutations(pairs))
    found = [
        expected_error(bins(np.array([c / 20 for c, _ in p]), np.array([r for _, r in p])))
        for bins in (reliability, adaptive)
        for p in (pairs, mixed)
    ]
    assert found[0] == pytest.approx(found[1])
    assert found[2] == pytest.approx(found[3])


@pytest.mark.parametrize("temperature", [0.02, 0.07, 0.5])
def test_the_fit_finds_the_temperature_that_drew_the_labels(temperature: float) -> None:
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.05)


def test_the_fit_is_at_the_bottom() -> None:
    cosines, truth = drawn(0.1, n=500)
    fitted = fit_temperature(cosines, truth)
    at = [negative_log_likelihood(cosines, truth, fitted * f) for f in (0.999, 1, 1.001)]
    assert at[1] < at[0]
    assert at[1] < at[2]


def test_the_fit_of_a_model_without_a_mistake_is_no_colder_than_shows() -> None:
    assert fit_temperature(0.01 * np.eye(5), np.arange(5)) == pytest.approx(COLDEST, rel=1e-3)
    fitted = fit_temperature(np.eye(5), np.arange(5))
    assert fitted > 10 * COLDEST
    assert negative_log_likelihood(np.eye(5), np.arange(5), fitted) < 1e-15


def test_likelihood_by_hand() -> None:
    cosines = [[0.3, 0.1, -0.2], [0.0, 0.5, 0.4]]
    by_hand = [
        -math.log(math.exp(row[t] / 0.05) / math.fsum(math.exp(c / 0.05) for c in row))
        for row, t in zip(cosines, (0, 2), strict=True)
    ]
    found = negative_log_likelihood(np.array(cosines), np.array([0, 2]), 0.05)
    assert found == pytest.approx(math.fsum(by_hand) / 2, rel=1e-12)


@settings(max_examples=80, deadline=None)
@given(
    known=st.lists(st.integers(-10, 10), min_size=1, max_size=20),
    unknown=st.lists(st.integers(-10, 10), min_size=1, max_size=20),
)
def test_no_other_threshold_separates_better(known: list[int], unknown: list[int]) -> None:
    def balanced(cut: float) -> float:
        right = sum(x >= cut for x in known) / len(known)
        return right + sum(x < cut for x in unknown) / len(unknown)

    cut = separating(np.array(known, np.float64), np.array(unknown, np.float64))
    assert balanced(cut) == pytest.approx(max(balanced(x / 2) for x in range(-21, 22)))


def test_leaving_a_label_out_takes_the_best_of_the_others() -> None:
    cosines = np.array([[0.9, 0.3, 0.1], [0.2, 0.4, 0.8]])
    best = leave_out(cosines, np.array([0, 1]))
    assert best.known.tolist() == [0.9, 0.8]
    assert best.left_out.tolist() == [0.3, 0.8]


def test_a_fitted_calibration_holds_on_other_scenes() -> None:
    calibration = fit_calibration(scenes(6000, noise=2.5, seed=5), CLASSES, LABELS)
    assert calibration.set == LABELS.hash
    held_out = scenes(6000, noise=2.5, seed=6)
    for modality in MODALITIES:
        judged = assess(held_out, modality, CLASSES, calibration)
        assert judged is not None
        assert judged.error < 0.05
        assert judged.error_open < 0.05
        assert judged.none_left_out > 0.75
        assert judged.none_known < 0.3
        assert sum(each.n for each in judged.curve) == judged.n
        assert sum(each.n for each in judged.curve_open) == 2 * judged.n


def test_a_label_set_of_other_names_is_refused() -> None:
    with pytest.raises(ValueError, match="names of the concepts"):
        fit_calibration(scenes(40, noise=1), CLASSES, LabelSet("other", NAMES[::-1]))
