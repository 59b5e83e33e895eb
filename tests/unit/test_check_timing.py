"""What `streamer check` says of stamps: even or not, late, of the future, in the wrong unit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.cli.check.look import Look
from streamer.cli.check.timing import Timing
from streamer.types import NS_PER_S, AudioBlock, Data, ImuBlock, Modality, Sample

MS = 1_000_000
PERIOD_NS = 100 * MS
DARK = np.zeros((2, 2, 3), np.uint8)


def picture(t_ns: int, duration_ns: int = PERIOD_NS, data: Data = DARK) -> Sample:
    return Sample("cam", "vision", t_ns, duration_ns, data)


def seen(stamps_ns: list[int], ages_ns: list[int], modality: Modality = "vision") -> Look:
    look = Look("cam", modality)
    for t_ns, age_ns in zip(stamps_ns, ages_ns, strict=True):
        look.add(picture(t_ns), t_ns + age_ns)
    return look


EVEN = [n * PERIOD_NS for n in range(20)]


@given(st.integers(1, 10**12), st.integers(0, 2**62), st.integers(0, 10**9))
def test_even_stamps_have_no_jitter_whatever_their_period_and_lateness(
    period_ns: int, start_ns: int, age_ns: int
) -> None:
    timing = Timing()
    for n in range(5):
        t_ns = start_ns + n * period_ns
        timing.add(picture(t_ns, period_ns), t_ns + age_ns)
    assert timing.jitter_ms == 0
    assert timing.ages_ms == pytest.approx((age_ns / 1e6, age_ns / 1e6), abs=1e-3)
    assert timing.concern == ""


def test_jitter_is_what_all_but_one_of_a_hundred_stay_within() -> None:
    # Spacing:  100 ms, 100 ms, ... and two in each hundred of 130 ms.
    timing = Timing()
    t_ns = 0
    for n in range(201):
        timing.add(picture(t_ns), None)
        t_ns += PERIOD_NS + (30 * MS if n % 50 == 0 else 0)
    assert timing.jitter_ms == pytest.approx(30)
    assert timing.ages_ms is None, "a file has no arrivals"


def test_blocks_of_sound_are_even_when_each_begins_where_the_last_one_ended() -> None:
    timing = Timing()
    t_ns = 0
    for size in (320, 160, 320, 480, 320):
        block = AudioBlock(np.ones(size, np.float32), 16_000)
        duration_ns = size * NS_PER_S // 16_000
        timing.add(Sample("mic", "audio", t_ns, duration_ns, block), t_ns + duration_ns + 5 * MS)
        t_ns += duration_ns
    assert timing.jitter_ms == 0
    assert timing.ages_ms == (5, 5), "a block is as old as its newest part"


def test_readings_are_even_across_blocks_and_as_old_as_the_last_of_them() -> None:
    timing = Timing()
    for first in (0, 10, 25):
        t_ns = (first + np.arange(15 if first else 10, dtype=np.int64)) * 5 * MS
        block = ImuBlock(t_ns, np.zeros((len(t_ns), 6), np.float32))
        end_ns = int(t_ns[-1])
        timing.add(Sample("imu", "imu", int(t_ns[0]), len(t_ns) * 5 * MS, block), end_ns + 2 * MS)
    assert timing.jitter_ms == 0
    assert timing.ages_ms == (2, 2)


def test_one_stamp_of_the_future_is_a_fault() -> None:
    assert seen(EVEN, [0] * 20).verdict == "ok"
    ages = [0] * 19 + [-3 * NS_PER_S]
    assert seen(EVEN, ages).verdict.startswith("1 stamps lie in the future, by up to 3.0 s")


@pytest.mark.parametrize(("unit", "pace"), [(1000, "1e+03"), (0.001, "0.001")])
def test_time_in_the_wrong_unit_passes_too_fast_or_too_slowly(unit: float, pace: str) -> None:
    look = Look("cam", "vision")
    for t_ns in EVEN:
        look.add(picture(round(t_ns * unit), round(PERIOD_NS * unit)), 10**15 + t_ns)
    assert f"passes {pace} times as fast as the clock" in look.fault


def test_what_was_buffered_is_late() -> None:
    verdict = seen(EVEN, [round(2.5 * NS_PER_S)] * 20).verdict
    assert verdict == "comes 2.5 s after it was taken: is something buffering?"


def test_stamps_that_go_back_are_counted() -> None:
    stamps = [*EVEN[:10], 5 * PERIOD_NS + 1, *EVEN[11:]]
    arrivals = [EVEN[n] - t_ns for n, t_ns in enumerate(stamps)]
    assert seen(stamps, arrivals).verdict == "stamps went back 1 times"


def test_a_camera_that_delivers_every_second_frame_has_the_wrong_rate() -> None:
    look = seen([2 * t_ns for t_ns in EVEN], [0] * 20)
    look.dropped = {"overload": 20}
    assert look.verdict == "wrong rate: 5.13 Hz, 10 Hz declared, 20 overload"
    assert look.fault == "", "it delivers all the same"


@pytest.mark.parametrize(
    ("every_ns", "verdict"),
    [
        (40 * MS, "ok"),
        # Half of the blocks are missing.
        (80 * MS, "wrong rate: 50.2 Hz, 100 Hz by its blocks"),
    ],
)
def test_readings_are_held_against_what_most_of_them_stand_for(every_ns: int, verdict: str) -> None:
    """The first blocks stand for a rate that was measured while lines came all at once."""
    look, t_ns = Look("imu", "imu"), 0
    for size, lasts_ns in [*[(1, MS)] * 120, *[(4, 40 * MS)] * 75]:
        steps = np.arange(size, dtype=np.int64) * 10 * MS
        block = ImuBlock(t_ns + steps, np.ones((size, 6), np.float32))
        look.add(Sample("imu", "imu", t_ns, lasts_ns, block), t_ns + 40 * MS)
        t_ns += every_ns * size // 4
    assert look.verdict == verdict


def test_files_may_have_holes() -> None:
    look = Look("cam", "vision")
    for n in range(10):
        look.add(picture(2 * n * PERIOD_NS))
    assert look.verdict == "ok"
    assert look.report()["coverage"] == pytest.approx(10 / 19, abs=1e-3)


def test_a_microphone_of_zeros_is_silent_and_one_of_a_single_bit_is_not() -> None:
    for quietest, verdict in ((0.0, "silent: nothing but zeros: is it muted?"), (2**-15, "ok")):
        look = Look("mic", "audio")
        for n in range(20):
            samples = np.zeros(1600, np.float32)
            samples[-1] = quietest
            block = AudioBlock(samples, 16_000)
            look.add(Sample("mic", "audio", EVEN[n], PERIOD_NS, block), EVEN[n] + PERIOD_NS)
        assert look.verdict == verdict


def test_a_stream_that_fell_silent_is_stalled_unless_it_is_slow() -> None:
    look = seen(EVEN, [0] * 20)
    look.stopped(EVEN[-1] + round(1.4 * NS_PER_S))
    assert look.verdict == "ok"
    look.stopped(EVEN[-1] + 2 * NS_PER_S)
    assert look.verdict == "stalled: nothing for the last 2.0 s"
    slow = Look("cam", "vision")
    for n in (0, 1):
        slow.add(picture(n * NS_PER_S, NS_PER_S), n * NS_PER_S)
    slow.stopped(3 * NS_PER_S)
    assert slow.verdict == "ok"
