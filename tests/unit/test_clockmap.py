"""A device's clock mapped to the host's: never late, never back, close to the truth."""

from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.clockmap import STEP_NS, WINDOW_NS, ClockMap
from streamer.types import NS_PER_S

MS = 1_000_000
PERIOD_NS = 5 * MS
DRIFTS_PPM = st.integers(-100, 100)
OFFSETS_NS = st.integers(-(10**18), 10**18)

LAWS = settings(deadline=None)  # a busy machine is no error of the code


@dataclass(frozen=True)
class Delivery:
    """Of one reading: when it was taken, what the device stamped, when it came; all in ns."""

    truth: int
    stamp: int
    arrival: int


def deliveries(
    jitters_ms: list[int],
    offset_ns: int = 0,
    drift_ppm: int = 0,
    least_ns: int = MS,
    first: int = 0,
) -> list[Delivery]:
    """
    truth    |    |    |    |    |     every 5 ms
    arrival   |     |  |     |    |    in their order, at least `least_ns` later
    """
    come: list[Delivery] = []
    arrival = 0
    for number, jitter_ms in enumerate(jitters_ms, first):
        truth = number * PERIOD_NS
        stamp = truth + truth * drift_ppm // 1_000_000 + offset_ns
        arrival = max(arrival, truth + least_ns + jitter_ms * MS)
        come.append(Delivery(truth, stamp, arrival))
    return come


jittery = st.lists(st.integers(0, 200), min_size=1, max_size=60)


@LAWS
@given(jittery, OFFSETS_NS, DRIFTS_PPM)
def test_nothing_is_stamped_after_its_arrival_and_nothing_goes_back(
    jitters_ms: list[int], offset_ns: int, drift_ppm: int
) -> None:
    clock = ClockMap("sensor")
    come = deliveries(jitters_ms, offset_ns, drift_ppm)
    mapped = [clock.to_host(it.stamp, it.arrival) for it in come]

    assert all(t <= it.arrival for t, it in zip(mapped, come, strict=True))
    assert all(before <= after for before, after in pairwise(mapped))
    assert clock.steps == 0


@LAWS
@given(jittery, st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=60))
def test_that_holds_whatever_the_stamps_say(jitters_ms: list[int], stamps: list[int]) -> None:
    clock = ClockMap("sensor")
    last = None
    for it, stamp in zip(deliveries(jitters_ms), stamps, strict=False):
        t_ns = clock.to_host(stamp, it.arrival)
        assert t_ns <= it.arrival
        assert last is None or t_ns >= last
        assert clock.card.error_ns >= 0
        last = t_ns


@LAWS
@given(st.lists(st.integers(0, 200), max_size=60), OFFSETS_NS, DRIFTS_PPM)
def test_one_quick_delivery_in_ten_seconds_bounds_the_error(
    jitters_ms: list[int], offset_ns: int, drift_ppm: int
) -> None:
    clock = ClockMap("sensor")
    come = deliveries([0, *jitters_ms], offset_ns, drift_ppm)
    mapped = [clock.to_host(it.stamp, it.arrival) for it in come]

    drift_ns = WINDOW_NS // 10_000
    for t_ns, it in zip(mapped, come, strict=True):
        # Less the shortest delay, which cannot be known from the stamps.
        assert abs(t_ns - it.truth - MS) <= drift_ns


@pytest.mark.parametrize("drift_ppm", [-100, 100])
def test_drift_does_not_add_up(drift_ppm: int) -> None:
    """100 ppm are 2.5 ms in 25 s, and the window forgets them."""
    clock = ClockMap("sensor")
    come = deliveries([0, 14, 9, 4, 0] * 1000, 10**15, drift_ppm)
    worst = max(abs(clock.to_host(it.stamp, it.arrival) - it.truth - MS) for it in come)

    assert worst <= WINDOW_NS // 10_000


@LAWS
@given(st.integers(STEP_NS // MS + 1, 10**7), st.booleans(), jittery)
def test_a_clock_that_is_set_is_survived_within_one_reading(
    step_ms: int, back: bool, jitters_ms: list[int]
) -> None:
    """
    stamp   1 2 3 4 | 90 91 92     or back: 90 91 92 | 1 2 3
    """
    clock = ClockMap("sensor")
    for it in deliveries([0] * 50):
        clock.to_host(it.stamp, it.arrival)
    step_ns = -step_ms * MS if back else step_ms * MS
    for it in deliveries([0, *jitters_ms], step_ns, first=50):
        assert clock.to_host(it.stamp, it.arrival) == it.truth + MS
    assert clock.steps == 1


@LAWS
@given(st.integers(1, STEP_NS // MS))
def test_a_small_step_forward_is_learnt_by_the_first_reading(step_ms: int) -> None:
    """Looks like a delivery that is quicker than all before: no step, and right at once."""
    clock = ClockMap("sensor")
    for it in deliveries([0] * 50):
        clock.to_host(it.stamp, it.arrival)
    for it in deliveries([0] * 50, step_ms * MS, first=50):
        assert clock.to_host(it.stamp, it.arrival) == it.truth + MS


@LAWS
@given(st.integers(6, STEP_NS // MS))
def test_a_small_step_back_makes_a_stamp_fall_and_shows(step_ms: int) -> None:
    clock = ClockMap("sensor")
    for it in deliveries([0] * 50):
        clock.to_host(it.stamp, it.arrival)
    for it in deliveries([0] * 50, -step_ms * MS, first=50):
        assert clock.to_host(it.stamp, it.arrival) == it.truth + MS
    assert clock.steps == 1


def test_a_step_back_that_hides_in_a_pause_is_survived_within_half_a_second() -> None:
    """
    taken    1 2 3      (2 s nothing)      403 404
    stamp    1 2 3                         203 204     set back by 1 s meanwhile
    """
    clock = ClockMap("sensor")
    for it in deliveries([0] * 50):
        clock.to_host(it.stamp, it.arrival)
    after = deliveries([0] * 200, -NS_PER_S, first=450)
    errors = [clock.to_host(it.stamp, it.arrival) - it.truth - MS for it in after]

    wrong = [error for error in errors if error]
    assert clock.steps == 1
    assert wrong == errors[: len(wrong)]
    assert len(wrong) * PERIOD_NS <= STEP_NS + PERIOD_NS
    assert min(wrong) == -NS_PER_S


def test_a_backlog_keeps_its_stamps() -> None:
    """
    taken     | | | | | | |
    arrival   | |         |||||      the reader was frozen for 2 s
    """
    clock = ClockMap("sensor")
    for it in deliveries([0] * 50):
        clock.to_host(it.stamp, it.arrival)
    frozen = deliveries([2000] + [0] * 399, first=50)
    for it in frozen:
        assert clock.to_host(it.stamp, it.arrival) == it.truth + MS
    assert frozen[-1].arrival == frozen[0].arrival
    assert clock.steps == 0


def test_a_backlog_that_lost_its_middle_is_no_clock_that_was_set() -> None:
    clock = ClockMap("sensor")
    for it in deliveries([0] * 50):
        clock.to_host(it.stamp, it.arrival)
    frozen = deliveries([2000] + [0] * 399, first=50)
    for it in [*frozen[:20], *frozen[-20:]]:
        assert clock.to_host(it.stamp, it.arrival) == it.truth + MS
    assert clock.steps == 0


@LAWS
@given(st.sampled_from([16, 32]), st.integers(0, 1 << 32), jittery)
def test_a_counter_that_wraps_goes_on(bits: int, start_us: int, jitters_ms: list[int]) -> None:
    """16 bits of microseconds wrap every 65 ms: as long as deliveries vary by less than half."""
    wrap_ns = (1 << bits) * 1000
    clock = ClockMap("sensor", wrap_ns)
    held = [jitter % 20 for jitter in jitters_ms]
    for it in deliveries([0, *held], start_us * 1000):
        assert clock.to_host(it.stamp % wrap_ns, it.arrival) == it.truth + MS
    assert clock.steps == 0


def test_a_counter_goes_on_after_a_pause_of_many_turns() -> None:
    wrap_ns = (1 << 16) * 1000
    clock = ClockMap("sensor", wrap_ns)
    come = [*deliveries([0] * 10), *deliveries([0] * 10, first=2000)]
    for it in come:
        assert clock.to_host(it.stamp % wrap_ns, it.arrival) == it.truth + MS


def test_a_device_that_starts_anew_counts_from_zero() -> None:
    clock = ClockMap("sensor", (1 << 32) * 1000)
    for it in deliveries([0] * 50, 10**12):
        clock.to_host(it.stamp, it.arrival)
    for it in deliveries([0] * 50, -50 * PERIOD_NS, first=50):
        assert clock.to_host(it.stamp, it.arrival) == it.truth + MS
    assert clock.steps == 1


def test_the_card_tells_how_late_half_of_the_deliveries_are() -> None:
    clock = ClockMap("sensor")
    assert clock.card.error_ns == STEP_NS  # nothing is known yet
    for it in deliveries([0, 3, 3, 3, 1] * 40, offset_ns=-NS_PER_S):
        clock.to_host(it.stamp, it.arrival)

    card = clock.card
    assert (card.domain, card.offset_ns, card.error_ns) == ("sensor", NS_PER_S + MS, 3 * MS)
