"""Gyro and accelerometer become readings of six axes at the gyro's stamps."""

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sources.realsense.motion import GAP_NS, STEP_NS, WAITING, Axes, Merge, Reading

MS = 1_000_000
STILL: Axes = (0.0, 0.0, 9.81)


def merged(merge: Merge, items: list[tuple[str, int]]) -> list[int]:
    """Stamps in ms of what becomes of ("g" or "a", stamp in ms), in their order."""
    ready: list[Reading] = []
    for kind, ms in items:
        if kind == "g":
            ready += merge.gyro(ms * MS, ms * MS, (0.0, 0.0, 0.0))
        else:
            ready += merge.accel(ms * MS, STILL)
    return [reading.host_ns // MS for reading in ready]


def test_a_gyro_reading_waits_for_the_acceleration_after_it() -> None:
    # gyro        5       15      25
    # accel   0       10      20      30
    merge = Merge()
    assert merged(merge, [("a", 0), ("g", 5)]) == []
    assert merged(merge, [("a", 10), ("g", 15), ("g", 25), ("a", 20)]) == [5, 15]
    assert merged(merge, [("a", 30)]) == [25]
    assert not merge.lost


def test_at_the_same_stamp_nothing_is_waited_for() -> None:
    assert merged(Merge(), [("a", 10), ("g", 10), ("g", 11)]) == [10]


def test_half_way_between_two_accelerations_is_their_mean() -> None:
    merge = Merge()
    merge.accel(0, (0.0, 2.0, -4.0))
    merge.gyro(5 * MS, 77, (0.1, 0.2, 0.3))
    (reading,) = merge.accel(10 * MS, (1.0, 4.0, 0.0))
    assert reading == Reading(77, (0.5, 3.0, -2.0), (0.1, 0.2, 0.3))


def test_what_has_no_acceleration_on_both_sides_is_counted() -> None:
    merge = Merge()
    assert merged(merge, [("g", 1), ("g", 2), ("a", 5), ("g", 6), ("a", 10), ("g", 12)]) == [6]
    merge.end()
    assert merge.lost == {"unpaired": 3}


def test_acceleration_is_not_made_up_across_a_gap() -> None:
    merge = Merge()
    gap_ms = GAP_NS // MS
    items = [("a", 0), ("g", 50), ("a", gap_ms + 1), ("g", gap_ms + 2), ("a", gap_ms + 10)]
    assert merged(merge, items) == [gap_ms + 2]
    assert merge.lost == {"unpaired": 1}


def test_stamps_that_repeat_or_go_back_a_little_are_counted_and_change_nothing() -> None:
    merge = Merge()
    items = [("a", 0), ("g", 5), ("g", 5), ("g", 3), ("a", 10), ("a", 10), ("a", 9), ("g", 8)]
    assert merged(merge, [*items, ("a", 20)]) == [5, 8]
    assert merge.lost == {"repeated": 2, "unordered": 2}


def test_a_clock_that_was_set_back_begins_anew() -> None:
    # The counter of 32 bits in microseconds runs over after 71 minutes.
    merge = Merge()
    over_ms = STEP_NS // MS + 4_294_967
    assert merged(merge, [("a", over_ms), ("g", over_ms), ("g", over_ms + 1)]) == [over_ms]
    assert merged(merge, [("g", 1), ("a", 0), ("g", 2), ("a", 5), ("g", 6), ("a", 9)]) == [1, 2, 6]
    assert merge.lost == {"unpaired": 1}


def test_a_silent_accelerometer_costs_no_memory() -> None:
    merge = Merge()
    assert merged(merge, [("g", ms) for ms in range(5000)]) == []
    assert merge.lost == {"unpaired": 5000 - WAITING}
    assert merged(Merge(), [("a", ms) for ms in range(5000)]) == []


RISING = st.lists(st.integers(1, GAP_NS // MS), min_size=2, max_size=40).map(
    lambda steps: [int(t) for t in np.cumsum(steps)]
)


@given(RISING, RISING, st.randoms(use_true_random=False))
def test_it_is_linear_interpolation_whatever_the_order_of_arrival(
    gyros: list[int], accels: list[int], chance: Random
) -> None:
    merge = Merge()
    heights = {ms: chance.uniform(-20, 20) for ms in accels}
    left = {"g": list(gyros), "a": list(accels)}
    ready: list[Reading] = []
    while left["g"] or left["a"]:
        kind = chance.choice([kind for kind in left if left[kind]])
        ms = left[kind].pop(0)
        if kind == "g":
            ready += merge.gyro(ms * MS, ms, (float(ms), 0.0, 0.0))
        else:
            ready += merge.accel(ms * MS, (heights[ms], -heights[ms], 1.0))
    inside = [ms for ms in gyros if accels[0] <= ms <= accels[-1]]
    assert [reading.host_ns for reading in ready] == inside
    assert [reading.rate[0] for reading in ready] == inside
    expected = np.interp(inside, accels, [heights[ms] for ms in accels])
    found = np.array([reading.acceleration for reading in ready]).reshape(-1, 3)
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found[:, 1], -expected, rtol=1e-12, atol=1e-12)
    merge.end()
    assert merge.lost["unpaired"] == len(gyros) - len(inside)


@given(st.lists(st.tuples(st.sampled_from("ga"), st.integers(0, 2000)), max_size=200))
def test_every_gyro_reading_is_handed_on_or_counted(items: list[tuple[str, int]]) -> None:
    merge = Merge()
    ready = refused = 0
    for item in items:
        before = merge.lost["repeated"] + merge.lost["unordered"]
        ready += len(merged(merge, [item]))
        if item[0] == "g":
            refused += merge.lost["repeated"] + merge.lost["unordered"] - before
    merge.end()
    given_gyros = sum(kind == "g" for kind, _ in items)
    assert given_gyros == ready + refused + merge.lost["unpaired"]
