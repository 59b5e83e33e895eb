"""Queries, scores and different moments, against sums and sorts written out in full."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from encoders.search import Found, Moments, best, combined, cosines, scores
from streamer.errors import ConfigError

LAWS = settings(deadline=None, max_examples=60)


def vectors(count: int, dim: int = 6, seed: int = 0) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).normal(size=(count, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def moments(streams: list[int], lines: list[int], spans: list[tuple[float, float]]) -> Moments:
    starts, ends = zip(*spans, strict=True)
    return Moments(np.array(streams), np.array(lines), np.array(starts), np.array(ends))


def apart(count: int) -> Moments:
    """Records that have nothing to do with each other."""
    return moments(list(range(count)), list(range(count)), [(0.0, 2.0)] * count)


def indices(values: NDArray[np.float64], which: Moments, top: int) -> list[int]:
    return [found.index for found in best(values, which, top)]


def dot(one: NDArray[np.float32], two: NDArray[np.float64]) -> float:
    return math.fsum(float(a) * float(b) for a, b in zip(one, two, strict=True))


def test_cosines_are_those_of_a_sum_written_out() -> None:
    rows, query = vectors(50), combined(vectors(1, seed=1), [1])
    lengths = [math.sqrt(math.fsum(float(x) ** 2 for x in row)) for row in rows]
    expected = [dot(row, query) / length for row, length in zip(rows, lengths, strict=True)]
    np.testing.assert_allclose(cosines(rows, query), expected, rtol=0, atol=1e-14)


@LAWS
@given(st.integers(0, 1000), st.integers(1, 39))
def test_cutting_the_rows_into_chunks_changes_no_bit(seed: int, cut: int) -> None:
    rows, query = vectors(40, 33, seed), combined(vectors(1, 33, seed + 1), [1])
    pieces = [cosines(rows[:cut], query), cosines(rows[cut:], query)]
    np.testing.assert_array_equal(cosines(rows, query), np.concatenate(pieces))


def test_a_query_is_the_weighted_sum_of_unit_vectors() -> None:
    # (3, 0) counts as (1, 0): the length of a vector is not a weight.
    #   1 * (1, 0) - 0.75 * (0, 1) = (1, -0.75), of length 1.25
    parts = np.array([[3, 0], [0, 2]], np.float32)
    np.testing.assert_allclose(combined(parts, [1, -0.75]), [0.8, -0.6], atol=1e-12)


@LAWS
@given(st.integers(0, 1000), st.floats(0.01, 100), st.permutations(range(4)))
def test_order_scale_and_repetition_of_parts(seed: int, scale: float, order: list[int]) -> None:
    parts, weights = vectors(4, seed=seed), np.array([1, 0.5, -0.3, 2])
    query = combined(parts, weights.tolist())
    assert np.linalg.norm(query) == pytest.approx(1)
    np.testing.assert_allclose(combined(parts[order], weights[order].tolist()), query, atol=1e-9)
    np.testing.assert_allclose(combined(parts, (scale * weights).tolist()), query, atol=1e-9)
    # Adding the same vector again is doubling its weight; of one vector it changes nothing.
    twice = combined(np.concatenate([parts, parts[:1]]), [*weights.tolist(), 1])
    doubled = combined(parts, [2, 0.5, -0.3, 2])
    np.testing.assert_allclose(twice, doubled, atol=1e-9)
    alone = combined(parts[[0, 0, 0]], [1, 1, 1])
    np.testing.assert_allclose(alone, combined(parts[:1], [1]), atol=1e-9)


def test_parts_that_cancel_are_no_query() -> None:
    with pytest.raises(ConfigError, match="they cancel"):
        combined(vectors(1)[[0, 0]], [1, -1])


def test_a_score_is_how_far_a_moment_is_above_the_mean_of_its_like() -> None:
    # Text is nearer to pictures than to sounds whatever it says. The second sound stands out.
    kinds = np.array([0, 0, 0, 0, 2, 2, 2, 2])
    found = np.array([0.50, 0.52, 0.48, 0.50, 0.10, 0.30, 0.10, 0.10])
    expected = [0, 0.02, -0.02, 0, -0.05, 0.15, -0.05, -0.05]
    np.testing.assert_allclose(scores(found, kinds), expected, atol=1e-12)


def test_what_is_alone_or_all_alike_does_not_stand_out() -> None:
    alike = scores(np.array([0.9, 0.2, 0.2]), np.array([3, 5, 5]))
    np.testing.assert_allclose(alike, 0, atol=1e-12)
    assert len(scores(np.empty(0), np.empty(0, np.intp))) == 0


@LAWS
@given(st.integers(0, 1000), st.permutations(range(12)))
def test_scores_do_not_depend_on_order_nor_on_a_gap(seed: int, order: list[int]) -> None:
    rng = np.random.default_rng(seed)
    kinds, found = rng.integers(0, 3, 12), rng.uniform(-1, 1, 12)
    shuffled = scores(found[order], kinds[order])
    np.testing.assert_allclose(shuffled, scores(found, kinds)[order], atol=1e-12)
    # Modalities that lie elsewhere in the space.
    gap = found + np.array([0, 0.4, -0.2])[kinds]
    np.testing.assert_allclose(scores(gap, kinds), scores(found, kinds), atol=1e-12)


@LAWS
@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.integers(1, 40))
def test_the_best_are_those_of_a_sort_and_ties_keep_their_order(values: list[int], top: int):
    expected = sorted(range(len(values)), key=lambda i: (-values[i], i))[:top]
    assert indices(np.array(values, float), apart(len(values)), top) == expected


def test_windows_around_the_best_with_half_of_its_value_are_one_moment_with_it() -> None:
    #   0   2   4   6   8   10  12
    #   |-A-|                       0.5: touches B
    #     |-B-|                     0.9, the best
    #         |-C-|                 0.6: touches B
    #           |-D-|               0.4: too little, and overlaps C: no moment of its own
    #               |-E-|           0.6: touches D only
    #                   |-F-|       0.2: touches E
    spans = [(0.0, 2.0), (1.0, 3.0), (3.0, 5.0), (4.0, 6.0), (6.0, 8.0), (8.0, 10.0)]
    values = np.array([0.5, 0.9, 0.6, 0.4, 0.6, 0.2])
    which = moments([0] * 6, [0] * 6, spans)
    assert best(values, which, 10) == [Found(1, 0.0, 5.0), Found(4, 6.0, 8.0)]
    assert best(values, which, 1) == [Found(1, 0.0, 5.0)]
    # Of several files or modalities they have nothing to do with each other.
    assert len(best(values, apart(6), 10)) == 6


def test_what_does_not_stand_out_does_not_grow() -> None:
    #   |-A-|   |-C-|
    #     |-B-|
    spans = [(0.0, 2.0), (1.0, 3.0), (4.0, 6.0)]
    values = np.array([-0.1, -0.2, -0.3])
    assert best(values, moments([0] * 3, [0] * 3, spans), 10) == [
        Found(0, 0.0, 2.0), Found(2, 4.0, 6.0)
    ]  # fmt: skip


def test_streams_of_one_time_line_tell_of_one_moment() -> None:
    #   camera      |-A-| |-B-|     0.3, 0.1
    #   sound       |-C-| |-D-|     0.8, 0.2      C is the best of all
    #   motion    |---E---|         0.5
    #   of another run:
    #   camera      |-F-|           0.4
    spans = [(1.0, 3.0), (4.0, 6.0), (1.0, 3.0), (4.0, 6.0), (0.0, 4.0), (1.0, 3.0)]
    which = moments([0, 0, 1, 1, 2, 3], [0, 0, 0, 0, 0, 1], spans)
    found = best(np.array([0.3, 0.1, 0.8, 0.2, 0.5, 0.4]), which, 10)
    # A has less than half of what C has. E begins earlier and lasts longer, and is no moment.
    assert found == [
        Found(2, 1.0, 3.0, beside=(4,)),
        Found(5, 1.0, 3.0),
        Found(3, 4.0, 6.0, beside=(1,)),
    ]


@LAWS
@given(st.integers(0, 1000), st.permutations(range(20)))
def test_the_moments_found_do_not_depend_on_the_order_of_records(seed: int, order: list[int]):
    rng = np.random.default_rng(seed)
    values = rng.permutation(20).astype(np.float64) - 5
    starts = rng.integers(0, 15, 20).astype(np.float64)
    # Of each time line two streams.
    streams = rng.integers(0, 4, 20)
    which = Moments(streams, streams // 2, starts, starts + 2)
    shuffled = Moments(
        which.streams[order], which.lines[order], which.start_s[order], which.end_s[order]
    )
    found = best(values, which, 5)
    again = best(values[order], shuffled, 5)
    assert [order[each.index] for each in again] == [each.index for each in found]
    assert [(a.start_s, a.end_s) for a in again] == [(f.start_s, f.end_s) for f in found]
    assert [[order[i] for i in a.beside] for a in again] == [list(f.beside) for f in found]
    for i, one in enumerate(found):
        assert one.start_s <= starts[one.index]
        assert starts[one.index] + 2 <= one.end_s
        for other in found[:i]:
            same = which.lines[one.index] == which.lines[other.index]
            touches = starts[one.index] <= other.end_s and other.start_s <= starts[one.index] + 2
            assert not (same and touches)
            assert values[other.index] > values[one.index]
