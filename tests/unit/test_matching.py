"""Agreement of two modalities: what changes nothing, what is perfect, what is chance."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from encoders.matching import (
    LEAST_GROUPS,
    LEAST_MOMENTS,
    PERMUTATIONS,
    choose,
    compare,
    match,
    standings,
    too_few,
)

DIM = 12
seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(2, 30)


def drawn(seed: int, n: int, count: int = 2) -> list[NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, DIM)) for _ in range(count)]


def rotation(seed: int) -> NDArray[np.float64]:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(DIM, DIM)))[0]


def agreement(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(standings(a, b).diagonal().mean())


def alone(n: int) -> NDArray[np.intp]:
    return np.arange(n, dtype=np.intp)


#   a  ->  2 R a + s      the same R for both spaces, any offset and scale for each
#   b  ->  5 R b + t
@settings(max_examples=60, deadline=None)
@given(seed=seeds, n=sizes, turn=seeds, scales=st.tuples(*[st.floats(0.01, 100)] * 2))
def test_rotation_offset_and_scale_change_nothing(
    seed: int, n: int, turn: int, scales: tuple[float, float]
) -> None:
    a, b, offsets = drawn(seed, n, 3)
    both = rotation(turn)
    moved = [s * x @ both + o for s, x, o in zip(scales, (a, b), offsets[:2], strict=True)]
    np.testing.assert_allclose(standings(*moved), standings(a, b), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(seed=seeds, n=sizes)
def test_swapping_sides_and_the_order_of_moments_change_nothing(seed: int, n: int) -> None:
    a, b = drawn(seed, n)
    order = np.random.default_rng(seed + 1).permutation(n)
    assert agreement(b, a) == pytest.approx(agreement(a, b))
    assert agreement(a[order], b[order]) == pytest.approx(agreement(a, b))


@settings(max_examples=40, deadline=None)
@given(seed=seeds, n=st.integers(2, 9))
def test_ranks_by_counting(seed: int, n: int) -> None:
    a, b = drawn(seed, n)
    # Few values, so that there are ties.
    a, b = np.round(a), np.round(b)
    x, y = a - a.mean(axis=0), b - b.mean(axis=0)

    def like(i: int, j: int) -> float:
        lengths = float(np.linalg.norm(x[i]) * np.linalg.norm(y[j]))
        return round(float(x[i] @ y[j]) / lengths, 9) if lengths else 0.0

    def beats(mine: float, other: float) -> float:
        return 1.0 if mine > other else 0.5 if mine == other else 0.0

    expected = [
        [
            sum(beats(like(i, j), like(i, k)) for k in range(n) if k != j) / (n - 1) / 2
            + sum(beats(like(i, j), like(k, j)) for k in range(n) if k != i) / (n - 1) / 2
            for j in range(n)
        ]
        for i in range(n)
    ]
    np.testing.assert_allclose(standings(a, b), expected, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, n=st.integers(2, 30))
def test_a_planted_match_is_perfect_and_vectors_that_are_all_alike_are_chance(
    seed: int, n: int
) -> None:
    a, offset = drawn(seed, n)
    assert agreement(a, 3 * a + offset[0]) == 1
    same = np.tile(offset[:1], (n, 1))
    assert agreement(a, same) == 0.5
    # Not even what rounding to float32 leaves of them.
    assert agreement(a.astype(np.float32), same.astype(np.float32)) == 0.5


def test_the_offset_that_wins_by_mean_cosine_does_not_win_here() -> None:
    n = 80
    pictures, noise, nothing = drawn(3, n, 3)
    towards = 5 * np.ones(DIM)
    pictures += towards
    right, wrong = pictures - towards + 0.5 * noise, nothing + 2 * towards

    def mean_cosine(x: NDArray[np.float64]) -> float:
        lengths = np.linalg.norm(pictures, axis=1) * np.linalg.norm(x, axis=1)
        return float(((pictures * x).sum(axis=1) / lengths).mean())

    assert mean_cosine(wrong) > mean_cosine(right) + 0.3
    found = compare(pictures, [({"v": "wrong"}, wrong), ({"v": "right"}, right)], alone(n), 0)
    assert found.decided == {"v": "right"}
    assert found.matched.by_chance == 1 / (1 + PERMUTATIONS)
    (choice,) = found.choices
    assert choice.sure > 0.99
    low, high = found.matched.low, found.matched.high
    assert (low < found.matched.agreements).all()
    assert (found.matched.agreements < high).all()


def test_shuffled_moments_are_undecided() -> None:
    decided = 0
    for seed in range(20):
        pictures, *candidates = drawn(seed, 60, 4)
        every = [({"v": str(i)}, x) for i, x in enumerate(candidates)]
        decided += bool(compare(pictures, every, alone(60), seed).decided)
    # By the level of the permutation test, 1 of 20 at the very most.
    assert decided <= 1


def test_candidates_that_cannot_be_told_apart_share_the_votes() -> None:
    pictures, noise = drawn(1, 60)
    vectors = pictures + 0.3 * noise
    candidates = [
        ({"units": unit, "order": order}, x)
        for unit in ("g", "m")
        for order, x in (("good", vectors), ("bad", noise))
    ]
    found = compare(pictures, candidates, alone(60), 0)
    # What can be told is told, beside what cannot.
    assert found.decided == {"order": "good"}
    units = next(choice for choice in found.choices if choice.setting == "units")
    assert units.sure == pytest.approx(0.5)
    assert units.why == "cannot be told apart (best in 50% of draws)"


def test_moments_that_repeat_do_not_make_it_surer() -> None:
    pictures, noise, other = drawn(5, 30, 3)
    one, two = pictures + 1.5 * noise, pictures + 1.7 * other
    single = match(pictures, [one, two], alone(30), 0)
    copies = [np.repeat(x, 8, axis=0) for x in (pictures, one, two)]
    grouped = match(copies[0], copies[1:], np.repeat(alone(30), 8), 0)
    naive = match(copies[0], copies[1:], alone(240), 0)
    assert (grouped.high - grouped.low) == pytest.approx(single.high - single.low, rel=0.15)
    assert ((naive.high - naive.low) < 0.5 * (single.high - single.low)).all()


def test_the_same_seed_gives_the_same_outcome() -> None:
    pictures, one, two = drawn(2, 40, 3)
    here, there = (match(pictures, [one, two], alone(40), 7) for _ in range(2))
    assert here.by_chance == there.by_chance
    np.testing.assert_array_equal(here.votes, there.votes)
    assert here.votes.sum() == pytest.approx(1)
    assert choose("v", ["a", "b"], here) == choose("v", ["a", "b"], there)


def test_too_few_moments_or_stretches_are_named() -> None:
    assert too_few(alone(LEAST_MOMENTS)) is None
    assert "23 moments from 23 stretches" in str(too_few(alone(LEAST_MOMENTS - 1)))
    crowded = np.arange(100, dtype=np.intp) % (LEAST_GROUPS - 1)
    assert "100 moments from 5 stretches" in str(too_few(crowded))


def test_moments_must_be_paired() -> None:
    with pytest.raises(ValueError, match=r"got \(3, 12\), \(2, 12\)"):
        standings(*(drawn(0, n)[0] for n in (3, 2)))
    with pytest.raises(ValueError, match="n at least 2"):
        standings(*drawn(0, 1))
