"""Gyro and accelerometer become readings of six axes at the gyro's stamps."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.sixaxes import GAP_NS, STEP_NS, Axes, Reading, SixAxes

MS = 1_000_000
STILL: Axes = (0.0, 0.0, 9.81)

LAWS = settings(deadline=None)  # a busy machine is no error of the code


def axes(*, waiting: int = 512, ties: bool = False) -> SixAxes:
    return SixAxes(waiting, ties=ties)


def merged(six: SixAxes, items: list[tuple[str, int]]) -> list[int]:
    """Stamps in ms of what becomes of ("g" or "a", stamp in ms), in their order."""
    ready: list[Reading] = []
    for kind, ms in items:
        if kind == "g":
            ready += six.gyro(ms * MS, ms * MS, (0.0, 0.0, 0.0))
        else:
            ready += six.accel(ms * MS, STILL)
    return [reading.host_ns // MS for reading in ready]


def test_a_gyro_reading_waits_for_the_acceleration_after_it() -> None:
    # gyro        5       15      25
    # accel   0       10      20      30
    six = axes()
    assert merged(six, [("a", 0), ("g", 5)]) == []
    assert merged(six, [("a", 10), ("g", 15), ("g", 25), ("a", 20)]) == [5, 15]
    assert merged(six, [("a", 30)]) == [25]
    assert not six.lost


def test_at_the_same_stamp_nothing_is_waited_for() -> None:
    assert merged(axes(), [("a", 10), ("g", 10), ("g", 11)]) == [10]


def test_half_way_between_two_accelerations_is_their_mean() -> None:
    six = axes()
    six.accel(0, (0.0, 2.0, -4.0))
    six.gyro(5 * MS, 77, (0.1, 0.2, 0.3))
    (reading,) = six.accel(10 * MS, (1.0, 4.0, 0.0))
    assert reading == Reading(77, (0.5, 3.0, -2.0), (0.1, 0.2, 0.3))


def test_what_has_no_acceleration_on_both_sides_is_counted() -> None:
    six = axes()
    assert merged(six, [("g", 1), ("g", 2), ("a", 5), ("g", 6), ("a", 10), ("g", 12)]) == [6]
    six.end()
    assert six.lost == {"unpaired": 3}


def test_an_end_at_which_nothing_waits_names_no_cause() -> None:
    six = axes()
    assert merged(six, [("a", 0), ("g", 0)]) == [0]
    six.end()
    assert dict(six.lost) == {}


def test_acceleration_is_not_made_up_across_a_gap() -> None:
    six = axes()
    gap_ms = GAP_NS // MS
    items = [("a", 0), ("g", 50), ("a", gap_ms + 1), ("g", gap_ms + 2), ("a", gap_ms + 10)]
    assert merged(six, items) == [gap_ms + 2]
    assert six.lost == {"unpaired": 1}


def test_accelerations_as_far_apart_as_a_gap_may_be_still_make_one() -> None:
    gap_ms = GAP_NS // MS
    assert merged(axes(), [("a", 0), ("g", 50), ("a", gap_ms)]) == [50]


@pytest.mark.parametrize("ties", [False, True])
def test_nothing_is_made_up_before_the_first_or_in_a_hole(ties: bool) -> None:
    """
    accel      |    |              |    |     none for 0.5 s
    gyro     x |    |      x       |
    """
    six = axes(ties=ties)
    assert merged(six, [("g", ms) for ms in (-1, 0, 5, 250, 505)]) == []
    assert merged(six, [("a", ms) for ms in (0, 5, 505, 510)]) == [0, 5, 505]
    assert six.lost == {"unpaired": 2}


def test_stamps_that_repeat_or_go_back_a_little_are_counted_and_change_nothing() -> None:
    six = axes()
    items = [("a", 0), ("g", 5), ("g", 5), ("g", 3), ("a", 10), ("a", 10), ("a", 9), ("g", 8)]
    assert merged(six, [*items, ("a", 20)]) == [5, 8]
    assert six.lost == {"repeated": 2, "unordered": 2}


def test_with_ties_all_of_one_stamp_are_kept_and_falling_ones_are_counted() -> None:
    six = axes(ties=True)
    items = [("a", 0), ("g", 5), ("g", 5), ("g", 3), ("a", 10), ("a", 10), ("a", 9), ("g", 10)]
    assert merged(six, [*items, ("g", 10), ("a", 20)]) == [5, 5, 10, 10]
    assert six.lost == {"unordered": 2}


def test_of_accelerations_of_one_stamp_each_side_has_the_nearest() -> None:
    # accel x   0        1, 3 at 10 ms        4
    # gyro          5         10         15
    six = axes(ties=True)
    ready: list[Reading] = []
    for ms, x in ((0, 0.0), (10, 1.0), (10, 3.0), (20, 4.0)):
        ready += six.accel(ms * MS, (x, 0.0, 0.0))
    for ms in (5, 10, 15):
        ready += six.gyro(ms * MS, ms, (0.0, 0.0, 0.0))
    assert [reading.acceleration[0] for reading in ready] == [0.5, 3.0, 3.5]


@pytest.mark.parametrize("ties", [False, True])
def test_a_clock_that_was_set_back_begins_anew(ties: bool) -> None:
    # The counter of 32 bits in microseconds runs over after 71 minutes.
    six = axes(ties=ties)
    over_ms = STEP_NS // MS + 4_294_967
    assert merged(six, [("a", over_ms), ("g", over_ms), ("g", over_ms + 1)]) == [over_ms]
    assert merged(six, [("g", 1), ("a", 0), ("g", 2), ("a", 5), ("g", 6), ("a", 9)]) == [1, 2, 6]
    assert six.lost == {"unpaired": 1}


def test_a_stamp_is_unordered_up_to_a_step_back_and_of_a_set_clock_beyond() -> None:
    last_ms = STEP_NS // MS + 10
    six = axes()
    assert merged(six, [("a", last_ms), ("g", last_ms), ("a", 10), ("g", 10)]) == [last_ms]
    assert six.lost == {"unordered": 2}
    assert merged(six, [("a", 9), ("g", 9)]) == [9]
    assert six.lost == {"unordered": 2}


@pytest.mark.parametrize("waiting", [512, 4096])
def test_a_silent_sensor_costs_no_memory(waiting: int) -> None:
    six = axes(waiting=waiting)
    assert merged(six, [("g", ms) for ms in range(10_000)]) == []
    assert six.lost == {"unpaired": 10_000 - waiting}

    # Of accelerations the oldest are forgotten: a reading of their time has none before it.
    six = axes(waiting=waiting)
    assert merged(six, [("a", ms) for ms in range(10_000)]) == []
    oldest = 10_000 - waiting
    assert merged(six, [("g", oldest - 1), ("g", oldest)]) == [oldest]
    assert six.lost == {"unpaired": 1}


def rising(least_ms: int) -> st.SearchStrategy[list[int]]:
    """Stamps in ms, at least so far apart and none farther than a gap."""
    steps = st.lists(st.integers(least_ms, GAP_NS // MS), min_size=2, max_size=40)
    return steps.map(lambda steps: [int(t) for t in np.cumsum(steps)])


@LAWS
@given(rising(0), rising(1), st.randoms(use_true_random=False))
def test_it_is_linear_interpolation_whatever_the_order_of_arrival(
    gyros: list[int], accels: list[int], chance: Random
) -> None:
    ties = len(set(gyros)) < len(gyros)
    six = axes(ties=ties)
    heights = {ms: chance.uniform(-20, 20) for ms in accels}
    left = {"g": list(gyros), "a": list(accels)}
    ready: list[Reading] = []
    while left["g"] or left["a"]:
        kind = chance.choice([kind for kind in left if left[kind]])
        ms = left[kind].pop(0)
        if kind == "g":
            ready += six.gyro(ms * MS, ms, (float(ms), 0.0, 0.0))
        else:
            ready += six.accel(ms * MS, (heights[ms], -heights[ms], 1.0))
    inside = [ms for ms in gyros if accels[0] <= ms <= accels[-1]]
    assert [reading.host_ns for reading in ready] == inside
    assert [reading.rate[0] for reading in ready] == inside
    expected = np.interp(inside, accels, [heights[ms] for ms in accels])
    found = np.array([reading.acceleration for reading in ready]).reshape(-1, 3)
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found[:, 1], -expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(found[:, 2], 1.0)
    six.end()
    assert six.lost["unpaired"] == len(gyros) - len(inside)


@LAWS
@given(st.integers(2, 9), st.integers(2, 9), st.booleans(), st.randoms())
def test_a_straight_line_stays_one_however_the_two_interleave(
    accel_ms: int, gyro_ms: int, ties: bool, random: Random
) -> None:
    six = axes(ties=ties)
    ready: list[Reading] = []
    accels, gyros = list(range(0, 200, accel_ms)), list(range(0, 200, gyro_ms))
    pushed = list(gyros)
    while accels or gyros:
        if accels and (not gyros or random.random() < 0.5):
            t_ms = accels.pop(0)
            ready += six.accel(t_ms * MS, (t_ms / 1000, 0.0, 9.8))
        else:
            t_ms = gyros.pop(0)
            ready += six.gyro(t_ms * MS, t_ms * MS, (float(t_ms), 0.0, 0.0))

    assert not six.lost
    assert [reading.host_ns for reading in ready] == [t * MS for t in pushed][: len(ready)]
    assert len(ready) >= len(pushed) - accel_ms // gyro_ms - 1
    for t_ns, acceleration, rate in ready:
        np.testing.assert_allclose(acceleration, [t_ns / 1e9, 0, 9.8], atol=1e-9)
        assert rate == (t_ns / MS, 0, 0)


@LAWS
@given(
    st.lists(st.tuples(st.sampled_from("ga"), st.integers(0, 2000)), max_size=200), st.booleans()
)
def test_every_gyro_reading_is_handed_on_or_counted(
    items: list[tuple[str, int]], ties: bool
) -> None:
    six = axes(ties=ties)
    ready = refused = 0
    for item in items:
        before = six.lost["repeated"] + six.lost["unordered"]
        ready += len(merged(six, [item]))
        if item[0] == "g":
            refused += six.lost["repeated"] + six.lost["unordered"] - before
    six.end()
    given_gyros = sum(kind == "g" for kind, _ in items)
    assert given_gyros == ready + refused + six.lost["unpaired"]
    assert not (ties and six.lost["repeated"])
