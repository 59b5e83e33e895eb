"""Temperatures of labelled windows: against a plain search, and judged on files not seen."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from encoders.probabilities import LEAST_FILES, fit, held_out
from encoders.reliability_plot import draw
from encoders.zeroshot import unit

DIM = 16


def labelled(
    temperature: float, files: int, each: int = 3, k: int = 5, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Vectors, labels drawn with the probabilities of the temperature, files, and classes."""
    rng = np.random.default_rng(seed)
    classes = unit(rng.normal(size=(k, DIM)))
    vectors = unit(rng.normal(size=(files * each, DIM)))
    cosines = vectors @ classes.T
    truth = (cosines / temperature + rng.gumbel(size=cosines.shape)).argmax(axis=1)
    owner = np.repeat(np.arange(files, dtype=np.intp), each)
    return vectors.astype(np.float32), truth.astype(np.intp), owner, classes.astype(np.float32)


def loss(cosines: NDArray[np.float64], truth: NDArray[np.intp], temperature: float) -> float:
    """In float64, written out: the mean of -log of the true label's share."""
    return -math.fsum(
        row[t] / temperature - math.log(math.fsum(math.exp(c / temperature) for c in row))
        for row, t in zip(cosines.tolist(), truth.tolist(), strict=True)
    ) / len(truth)


@settings(max_examples=4, deadline=None)
@given(temperature=st.sampled_from([0.03, 0.1, 0.4]), seed=st.integers(0, 1000))
def test_the_temperature_of_a_plain_search_over_a_grid(temperature: float, seed: int) -> None:
    vectors, truth, owner, classes = labelled(temperature, files=60, seed=seed)
    cosines = unit(vectors) @ unit(classes).T
    grid = np.geomspace(0.01, 5, 120)
    losses = [loss(cosines, truth, float(t)) for t in grid]
    best = int(np.argmin(losses))
    found = fit(vectors, truth, owner, classes, 0.05, 0)
    assert grid[max(best - 1, 0)] <= found.temperature <= grid[min(best + 1, 119)]
    assert loss(cosines, truth, found.temperature) <= losses[best] + 1e-9


def test_what_was_put_in_is_found_and_the_error_falls() -> None:
    vectors, truth, owner, classes = labelled(0.2, files=800)
    found = fit(vectors, truth, owner, classes, 0.02, 0)
    assert found.temperature == pytest.approx(0.2, rel=0.1)
    assert (found.files, found.windows, found.temperature_before) == (800, 2400, 0.02)
    assert found.error_before > 0.15
    assert found.error_after < 0.04
    assert sum(b.n for b in found.before) == sum(b.n for b in found.after) == 2400
    assert fit(vectors, truth, owner, classes, 0.02, 0) == found


def test_a_threshold_needs_a_second_label() -> None:
    vectors, _, owner, classes = labelled(0.2, files=30)
    alone = fit(vectors, np.zeros(90, np.intp), owner, classes[:1], 0.05, 0)
    assert alone.none_below is None
    assert alone.none_known is None
    two = fit(vectors, np.arange(90, dtype=np.intp) % 2, owner, classes[:2], 0.05, 0)
    assert two.none_below is not None
    assert two.none_left_out is not None


@pytest.mark.parametrize(("file", "seed"), [(0, 0), (17, 3)])
def test_nobody_is_judged_by_what_was_fitted_on_the_own_file(file: int, seed: int) -> None:
    vectors, truth, owner, classes = labelled(0.2, files=30)
    cosines = unit(vectors) @ unit(classes).T
    own = owner == file
    # Other labels for this file alone: all of them the least likely ones.
    changed = np.where(own, cosines.argmin(axis=1), truth)
    was, now = (held_out(cosines, labels, owner, seed) for labels in (truth, changed))
    np.testing.assert_array_equal(was.confidence[own], now.confidence[own])
    assert not np.array_equal(was.confidence, now.confidence)


def test_too_few_files_are_refused() -> None:
    vectors, truth, owner, classes = labelled(0.2, files=LEAST_FILES - 1, each=50)
    with pytest.raises(ValueError, match="expected at least 20 files, got 19"):
        fit(vectors, truth, owner, classes, 0.05, 0)


def test_reliability_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    vectors, truth, owner, classes = labelled(0.2, files=40)
    found = fit(vectors, truth, owner, classes, 0.02, 0)
    path = tmp_path / "plot.png"
    draw({"audio": found, "depth": found}, path, title="two")
    assert path.read_bytes().startswith(b"\x89PNG")
