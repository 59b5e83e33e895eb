"""Accuracy, intervals and average precision against published values and counting by hand."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from encoders.binding.evaluate import scores


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)  # fmt: skip
def test_wilson_interval_has_the_published_values(
    hits: int, n: int, low: float, high: float
) -> None:
    found = scores.share(hits / n, n)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@given(n=st.integers(1, 5000), data=st.data())
def test_interval_holds_the_share_and_mirrors(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    found, mirrored = scores.share(hits / n, n), scores.share(1 - hits / n, n)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low == pytest.approx(1 - mirrored.high, abs=1e-9)


def test_a_share_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one trial"):
        scores.share(0.5, 0)


def by_lot(row: NDArray[np.float64], true: int, k: int) -> float:
    """How often the true column is among the best k, over all orders of breaking ties."""
    orders = list(permutations(range(len(row))))
    ranked = [sorted(order, key=lambda c: -row[c]) for order in orders]
    return sum(true in order[:k] for order in ranked) / len(orders)


@settings(max_examples=50, deadline=None)
@given(
    row=st.lists(st.integers(0, 3), min_size=2, max_size=5),
    k=st.integers(1, 5),
    data=st.data(),
)
def test_hits_break_ties_by_lot(row: list[int], k: int, data: st.DataObject) -> None:
    true = data.draw(st.integers(0, len(row) - 1))
    values = np.array(row, np.float64)
    found = scores.hits(values[None], np.array([true]), k)[0]
    assert found == pytest.approx(by_lot(values, true, k))


def test_a_model_that_says_the_same_of_everything_gets_chance() -> None:
    truth = np.arange(60) % 12
    assert scores.top1(np.ones((60, 12)), truth).mean() == pytest.approx(1 / 12)


@pytest.mark.parametrize(
    ("ranking", "expected"),
    [("r", 1.0), ("rr..", 1.0), ("..rr", (1 / 3 + 2 / 4) / 2), ("r.r.r", (1 + 2 / 3 + 3 / 5) / 3)],
)
def test_average_precision_of_known_rankings(ranking: str, expected: float) -> None:
    relevant = np.array([letter == "r" for letter in ranking])
    falling = np.arange(len(ranking), 0, -1.0)
    assert scores.average_precision(falling, relevant) == pytest.approx(expected)


@settings(max_examples=80, deadline=None)
@given(
    items=st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=1, max_size=30),
    data=st.data(),
)
def test_average_precision_by_hand_and_in_any_order(
    items: list[tuple[int, bool]], data: st.DataObject
) -> None:
    total = sum(relevant for _, relevant in items)
    mixed = data.draw(st.permutations(items))
    found = scores.average_precision(
        np.array([score for score, _ in mixed], np.float64),
        np.array([relevant for _, relevant in mixed]),
    )
    if total == 0:
        assert math.isnan(found)
        return
    at = [[r for score, r in items if score >= own] for own, relevant in items if relevant]
    assert found == pytest.approx(math.fsum(sum(above) / len(above) for above in at) / total)


def test_mean_average_precision_leaves_out_what_nobody_holds() -> None:
    cosines = np.array([[0.9, 0.1, 0.5], [0.2, 0.8, 0.5], [0.7, 0.6, 0.5]])
    truth = np.array([[True, False, False], [False, True, False], [True, True, False]])
    precision, each = scores.by_concept(cosines, truth)
    assert each[:2].tolist() == [1.0, 1.0]
    assert math.isnan(each[2])
    assert (precision.value, precision.n) == (1.0, 2)
    assert precision.chance == pytest.approx(2 / 3)
    per_scene = scores.by_scene(1 - cosines, truth)
    # Backwards: last of three, last of three, and of two right ones among three second and third.
    assert per_scene.value == pytest.approx((1 / 3 + 1 / 3 + (1 / 2 + 2 / 3) / 2) / 3)


def test_random_rankings_get_the_level_of_chance() -> None:
    rng = np.random.default_rng(0)
    precision, _ = scores.by_concept(rng.normal(size=(4000, 10)), rng.random((4000, 10)) < 0.2)
    assert precision.value == pytest.approx(precision.chance, abs=0.02)


def test_confusions_are_named_with_the_worst_first() -> None:
    said = np.eye(3)[[0, 1, 1, 0, 2, 2, 2, 1]]
    truth = np.array([0, 0, 0, 1, 2, 2, 2, 2])
    counts = scores.confusion(said, truth, 3)
    assert counts.tolist() == [[1, 2, 0], [1, 0, 0], [0, 1, 3]]
    worst = scores.most_confused(counts, ("a", "b", "c"), most=2)
    assert [(w.truth, w.said, w.n) for w in worst] == [("b", "a", 1), ("a", "b", 3)]
    assert worst[1].share == pytest.approx(2 / 3)
