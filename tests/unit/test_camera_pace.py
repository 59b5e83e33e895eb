"""How many pictures are wanted, how far they are apart, and when they were taken."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.camera.pace import Pace, Period
from sources.camera.stamps import DriverClock, Grabbed, RtpClock
from streamer.types import NS_PER_S

MS = 1_000_000
steps = st.lists(st.integers(0, 500), min_size=1, max_size=200)


def stamps(steps_ms: list[int]) -> list[int]:
    return [int(t) * MS for t in np.cumsum(steps_ms)]


@given(steps, st.floats(0.5, 120))
def test_never_more_than_the_maximum_rate(steps_ms: list[int], max_hz: float) -> None:
    pace = Pace(max_hz)
    wanted = [t for t in stamps(steps_ms) if pace.wanted(t)]
    for t in wanted:
        within = [other for other in wanted if t <= other < t + NS_PER_S]
        assert len(within) <= max_hz + 1.5


@given(steps, st.floats(0.5, 120))
def test_a_gap_only_where_the_camera_has_one(steps_ms: list[int], max_hz: float) -> None:
    pace = Pace(max_hz)
    came = stamps(steps_ms)
    wanted = [t for t in came if pace.wanted(t)]
    assert wanted[0] == came[0]
    for before, after in pairwise(wanted):
        due = [t for t in came if t > before + NS_PER_S / max_hz + 1]
        assert not due or after <= due[0]


@pytest.mark.parametrize(
    ("max_hz", "of_thirty"), [(None, 30), (30, 30), (20, 20), (15, 15), (1, 1)]
)
def test_a_camera_of_thirty_a_second_with_jitter(max_hz: float | None, of_thirty: int) -> None:
    pace = Pace(max_hz)
    chance = np.random.default_rng(0)
    came = [round(n * NS_PER_S / 30 + chance.uniform(-5, 5) * MS) for n in range(300)]
    assert sum(pace.wanted(t) for t in came) == pytest.approx(10 * of_thirty, abs=2)


@pytest.mark.parametrize("said_hz", [30.0, 0.0, 90_000.0, -1.0, float("nan"), float("inf")])
def test_the_period_is_measured_whatever_the_camera_says(said_hz: float) -> None:
    period = Period(said_hz)
    assert period.ns == pytest.approx(NS_PER_S / 30)
    for n in range(60):
        period.note(n * 100 * MS)
    assert period.ns == 100 * MS
    # In the dark it halves its rate.
    for n in range(20):
        period.note(6000 * MS + n * 200 * MS)
    assert period.ns == 200 * MS


def test_the_grab_alone() -> None:
    t_ns, card = Grabbed().stamp(1234.5, 77, 33 * MS)
    assert (t_ns, card.domain, card.error_ns) == (77, "host", 40 * MS)


@pytest.mark.parametrize(
    ("position_ms", "domain", "t_ns"),
    [
        (9_990.0, "v4l2", 9_990 * MS),
        (0.0, "host", 10_000 * MS),  # not known
        (1.76e12, "host", 10_000 * MS),  # since 1970
        (10_001.0, "host", 10_000 * MS),  # after it was there
        (float("nan"), "host", 10_000 * MS),
        (-1.0, "host", 10_000 * MS),
    ],
)
def test_a_drivers_stamp_is_used_if_it_lies_shortly_before_the_grab(
    position_ms: float, domain: str, t_ns: int
) -> None:
    taken = DriverClock().stamp(position_ms, 10_000 * MS, 33 * MS)
    assert (taken[0], taken[1].domain) == (t_ns, domain)


def test_rtp_takes_out_what_the_network_takes_more_at_times() -> None:
    clock = RtpClock()
    chance = np.random.default_rng(1)
    late = [float(x) for x in chance.exponential(20, 300)]
    off: list[float] = []
    for n, more_ms in enumerate(late):
        taken_ns = 5 * NS_PER_S + n * 33 * MS
        t_ns, card = clock.stamp(n * 33.0, taken_ns + round(more_ms * MS), 33 * MS)
        off.append(abs(t_ns - taken_ns) / MS)
        assert card.domain == "rtp" or n == 0
    assert max(off[100:]) < 5
    assert max(late[100:]) > 50


def test_a_camera_whose_rtp_stamps_stand_still_is_stamped_by_the_grab() -> None:
    clock = RtpClock()
    clock.stamp(100.0, 1, MS)
    t_ns, card = clock.stamp(100.0, 2 * NS_PER_S, 33 * MS)
    assert (t_ns, card.domain) == (2 * NS_PER_S, "host")
