"""Stamps of a RealSense's frames become the host's, by the clock that each frame names."""

from hypothesis import given
from hypothesis import strategies as st

from sources.clockmap import STEP_NS
from sources.realsense.intake import nanoseconds
from sources.realsense.stamps import ANCHOR_NS, Stamps
from streamer.clock import monotonic_ns, utc_since_monotonic_ns
from streamer.types import NS_PER_S, ClockCard

MS = 1_000_000
UTC = 1_700_000_000 * NS_PER_S


class System:
    """The system's UTC, `offset_ns` beyond CLOCK_MONOTONIC."""

    def __init__(self) -> None:
        self.offset_ns = UTC

    def __call__(self) -> tuple[int, int]:
        return self.offset_ns, 50


def test_utc_stamps_are_mapped_by_one_anchor_and_say_its_error() -> None:
    stamps = Stamps(played=False, utc=System())
    assert stamps.to_host("global_time", UTC + 70 * MS, 100 * MS) == 70 * MS
    assert stamps.card == ClockCard("realsense global_time", ANCHOR_NS + 50, -UTC)
    assert stamps.to_host("system_time", UTC + 99 * MS, 101 * MS) == 99 * MS
    assert stamps.card.domain == "realsense system_time"
    assert stamps.steps == 0


def test_nothing_was_taken_after_it_arrived() -> None:
    stamps = Stamps(played=False, utc=System())
    assert stamps.to_host("global_time", UTC + 103 * MS, 100 * MS) == 100 * MS


def test_a_slow_correction_of_the_time_is_followed() -> None:
    system = System()
    stamps = Stamps(played=False, utc=system)
    for second in range(60):  # 500 ppm, what NTP does at most
        now_ns = second * NS_PER_S
        system.offset_ns = UTC + now_ns // 2000
        t_ns = stamps.to_host("global_time", system.offset_ns + now_ns - 20 * MS, now_ns)
        assert abs(t_ns - (now_ns - 20 * MS)) <= stamps.card.error_ns
    assert stamps.steps == 0


def test_after_the_time_was_set_stamps_of_the_old_time_are_not_believed() -> None:
    system = System()
    stamps = Stamps(played=False, utc=system)
    stamps.to_host("global_time", UTC + 80 * MS, 100 * MS)
    system.offset_ns += 3600 * NS_PER_S
    # The library has not noticed yet; the arrival is the best that is known.
    assert stamps.to_host("global_time", UTC + 113 * MS, 133 * MS) == 133 * MS
    assert stamps.card == ClockCard("realsense arrival", STEP_NS)
    assert stamps.steps == 1
    assert stamps.to_host("global_time", system.offset_ns + 146 * MS, 166 * MS) == 146 * MS
    assert stamps.card.domain == "realsense global_time"


def test_the_devices_own_clock_is_learnt_from_arrivals() -> None:
    stamps = Stamps(played=False, utc=System())
    mapped = [
        stamps.to_host("hardware_clock", (5000 + 33 * n) * MS, (33 * n + 20 + n % 3) * MS)
        for n in range(30)
    ]
    assert mapped == [(33 * n + 20) * MS for n in range(30)]
    assert stamps.card.domain == "realsense hardware_clock"


def test_a_frame_of_another_clock_is_mapped_by_that_clock() -> None:
    # A device starts on its own clock until the library has mapped it.
    stamps = Stamps(played=False, utc=System())
    assert stamps.to_host("hardware_clock", 7 * MS, 100 * MS) == 100 * MS
    assert stamps.to_host("global_time", UTC + 110 * MS, 133 * MS) == 110 * MS
    assert stamps.to_host("hardware_clock", 60 * MS, 153 * MS) == 153 * MS


def test_a_recordings_utc_is_of_the_past_and_is_put_where_it_is_played() -> None:
    stamps = Stamps(played=True, utc=System())
    assert stamps.to_host("global_time", UTC - 9 * NS_PER_S, 100 * MS) == 100 * MS
    assert stamps.to_host("global_time", UTC - 9 * NS_PER_S + 33 * MS, 140 * MS) == 133 * MS
    assert stamps.card.domain == "realsense global_time, played"


@given(
    st.lists(st.integers(1, 40 * MS), min_size=1, max_size=50),
    st.integers(0, 2 * STEP_NS),
    st.sampled_from(["hardware_clock", "global_time", "system_time"]),
    st.booleans(),
)
def test_no_stamp_is_ever_later_than_its_arrival(
    steps: list[int], delay_ns: int, domain: str, played: bool
) -> None:
    stamps = Stamps(played, System())
    arrival_ns = NS_PER_S
    for step in steps:
        arrival_ns += step
        assert stamps.to_host(domain, UTC + arrival_ns - delay_ns, arrival_ns) <= arrival_ns


@given(st.integers(0, 2**52))
def test_milliseconds_in_float64_keep_what_they_have(quarters: int) -> None:
    # Quarters of a microsecond up to the year 2112.
    milliseconds = quarters / 4000
    assert abs(nanoseconds(milliseconds) - quarters * 250) <= 250
    assert nanoseconds(1_700_000_000_005.0) == 1_700_000_000_005 * MS


def test_the_systems_utc_is_anchored_between_two_readings() -> None:
    offset_ns, error_ns = utc_since_monotonic_ns()
    again_ns, _ = utc_since_monotonic_ns()
    assert 0 < error_ns < NS_PER_S
    assert abs(again_ns - offset_ns) < NS_PER_S
    assert offset_ns + monotonic_ns() > UTC
