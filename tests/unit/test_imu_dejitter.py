"""Stamps laid along the beat of the device, and left where there is none."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.imu.dejitter import MAX_PERIODS, Dejitter

MS = 1_000_000
BOUND_NS = 5 * MS

stamps = st.lists(st.integers(0, 40 * MS), min_size=1, max_size=120).map(
    lambda steps: [sum(steps[: n + 1]) for n in range(len(steps))]
)
periods = st.one_of(st.none(), st.integers(100_000, 20 * MS))

LAWS = settings(deadline=None)  # a busy machine is no error of the code


@LAWS
@given(stamps, periods, st.integers(0, 10 * MS), st.booleans())
def test_no_stamp_moves_by_more_than_the_bound_and_none_forward(
    t_ns: list[int], period_ns: int | None, bound_ns: int, clocked: bool
) -> None:
    dejitter = Dejitter(bound_ns, period_ns, clocked=clocked)
    last = t_ns[0]
    for t in t_ns:
        assert dejitter.bound_ns <= bound_ns
        limit = dejitter.bound_ns
        smooth = dejitter.smooth(t)
        assert t - limit <= smooth <= t
        assert smooth >= last
        last = smooth


@pytest.mark.parametrize("period_ns", [5 * MS, None], ids=["declared", "measured"])
def test_late_stamps_come_onto_the_beat(period_ns: int | None) -> None:
    """
    beat     |    |    |    |
    stamps   |     |  | |   |     up to 2 ms late, in no order that repeats soon
    """
    dejitter = Dejitter(BOUND_NS, period_ns, clocked=False)
    beats = [number * 5 * MS for number in range(600)]
    smooth = [dejitter.smooth(t + number * number % 17 * MS // 8) for number, t in enumerate(beats)]

    off = [s - t for s, t in zip(smooth, beats, strict=True)][300:]
    assert max(off) - min(off) <= MS // 4  # they were spread over 2 ms
    steps = [after - before for before, after in pairwise(smooth[300:])]
    assert all(abs(step - 5 * MS) <= MS // 4 for step in steps)


def test_readings_that_arrive_in_one_go_are_spread() -> None:
    """
    beat      | | | | | | | |
    arrival         4       4     a USB adapter hands over every 10 ms
    """
    dejitter = Dejitter(12 * MS, 2_500_000, clocked=False)
    smooth = [dejitter.smooth(number // 4 * 10 * MS) for number in range(400)]

    steps = [after - before for before, after in pairwise(smooth[8:])]
    assert all(abs(step - 2_500_000) <= 400_000 for step in steps)


@pytest.mark.parametrize("missing", [1, 2, 10])
def test_one_missing_reading_is_kept_as_a_gap_where_the_device_stamps(missing: int) -> None:
    dejitter = Dejitter(BOUND_NS, 5 * MS, clocked=True)
    numbers = [*range(50), *range(50 + missing, 100)]
    assert [dejitter.smooth(n * 5 * MS) for n in numbers] == [n * 5 * MS for n in numbers]
    assert dejitter.bound_ns == MAX_PERIODS * 5 * MS


def test_a_gap_longer_than_the_bound_is_kept_where_arrival_stamps() -> None:
    dejitter = Dejitter(BOUND_NS, 5 * MS, clocked=False)
    t_ns = [n * 5 * MS for n in [*range(50), *range(53, 100)]]
    assert [dejitter.smooth(t) for t in t_ns] == t_ns


def test_a_clock_of_milliseconds_is_refined() -> None:
    """
    taken   0   2.5   5   7.5   10
    stamp   0   2     5   7     10
    """
    dejitter = Dejitter(BOUND_NS, None, clocked=True)
    smooth = [dejitter.smooth(number * 25 // 10 * MS) for number in range(400)]

    steps = [after - before for before, after in pairwise(smooth[100:])]
    assert all(abs(step - 2_500_000) <= 50_000 for step in steps)


@pytest.mark.parametrize("declared_ns", [4_900_000, 5_100_000])
def test_a_rate_that_is_two_percent_off_does_not_run_away(declared_ns: int) -> None:
    dejitter = Dejitter(BOUND_NS, declared_ns, clocked=True)
    off = [number * 5 * MS - dejitter.smooth(number * 5 * MS) for number in range(2000)]
    assert max(off) < BOUND_NS * MAX_PERIODS


def test_a_pause_is_not_part_of_the_rate() -> None:
    dejitter = Dejitter(BOUND_NS, None, clocked=True)
    for number in range(100):
        dejitter.smooth(number * 5 * MS)
    dejitter.smooth(3_600_000 * MS)
    assert dejitter.period_ns is None
    for number in range(1, 50):
        dejitter.smooth(3_600_000 * MS + number * 2 * MS)
    assert dejitter.period_ns == 2 * MS


def test_a_bound_of_zero_leaves_all_as_it_is() -> None:
    dejitter = Dejitter(0, 5 * MS, clocked=False)
    t_ns = [0, 5 * MS, 11 * MS, 11 * MS, 14 * MS]
    assert [dejitter.smooth(t) for t in t_ns] == t_ns
