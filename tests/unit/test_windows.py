"""Laws of the windows of one stream. Times in the drawings are tenths of a second.

Unless said otherwise: length 2 s, hop 0.5 s, lateness 0.1 s.
"""

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.quality import coverage
from streamer.types import NS_PER_S, AudioBlock, ClockCard, ImuBlock, Sample, Span, Window
from streamer.windows import Windower, WindowSpec, grid_after

MS = 1_000_000
EPOCH_NS = 1_700_000_000 * NS_PER_S
SPEC = WindowSpec("front", "vision", 2 * NS_PER_S, NS_PER_S // 2, 100 * MS)
PICTURE = np.zeros((2, 2, 3), np.uint8)


def frame(t_ms: int, period_ms: int = 33) -> Sample:
    return Sample("front", "vision", EPOCH_NS + t_ms * MS, period_ms * MS, PICTURE)


def ends(windows: list[Window]) -> list[int]:
    return [(w.span.end_ns - EPOCH_NS) // MS for w in windows]


def stamps(window: Window) -> list[int]:
    return [(s.t_ns - EPOCH_NS) // MS for s in window.samples]


def push_all(windower: Windower, samples: list[Sample]) -> list[Window]:
    return [w for s in samples for w in windower.push(s)]


def test_a_window_closes_when_the_watermark_passes_its_end() -> None:
    #  0    5    10   15   20
    #  |----|----|----|----|          frames every 100 ms
    #            closes 1.0 when a frame taken at 1.1 or later has come
    windower = Windower(SPEC)
    closed = push_all(windower, [frame(t, 100) for t in range(0, 1000, 100)])
    assert ends(closed) == [500]
    assert windower.push(frame(1000, 100)) == []
    assert ends(windower.push(frame(1100, 100))) == [1000]


def test_windows_are_half_open_and_hold_what_was_taken_inside() -> None:
    # frames   0 . . . 2.0 . 2.4
    # window      [0.5 ---- 2.5)     the frame at 0.4 is out, at 0.5 in, at 2.5 out
    windower = Windower(SPEC)
    closed = push_all(windower, [frame(t, 100) for t in range(0, 3000, 100)])
    window = next(w for w in closed if ends([w]) == [2500])
    assert stamps(window) == list(range(500, 2500, 100))
    assert window.span == Span(EPOCH_NS + 500 * MS, EPOCH_NS + 2500 * MS)
    assert window.quality.coverage == pytest.approx(1.0)
    assert window.quality.gaps == 0


def test_coverage_and_gaps_of_a_stream_that_lost_frames() -> None:
    # 0 ======== 0.8 ........ 1.2 ======== 2.0     one hole of 0.4 s in 2 s
    windower = Windower(SPEC)
    times = [t for t in range(0, 2200, 100) if not 800 <= t < 1200]
    closed = push_all(windower, [frame(t, 100) for t in times])
    window = next(w for w in closed if ends([w]) == [2000])
    assert window.quality.coverage == pytest.approx(0.8)
    assert window.quality.gaps == 1
    assert window.quality.oldest_age_ns == 2 * NS_PER_S
    assert window.quality.newest_age_ns == 0


def test_jitter_is_no_gap() -> None:
    # due   0   100   200   300 ...     each frame up to 40 ms late
    windower = Windower(SPEC)
    late = [0, 40, 10, 30, 0, 25]
    times = [t + late[t // 100 % 6] for t in range(0, 2300, 100)]
    closed = push_all(windower, [frame(t, 100) for t in times])
    window = next(w for w in closed if ends([w]) == [2000])
    assert window.quality.gaps == 0
    assert window.quality.coverage == 1


@given(
    st.lists(st.integers(0, 4000), unique=True, min_size=1, max_size=80),
    st.randoms(use_true_random=False),
)
def test_order_of_arrival_within_lateness_changes_nothing(
    times: list[int], chance: random.Random
) -> None:
    # sent      a b c d e f
    # arrives   b a d c f e          nobody overtakes by more than the lateness
    in_order = [frame(t, 1) for t in sorted(times)]
    shuffled = sorted(in_order, key=lambda s: s.t_ns + chance.randrange(0, 99 * MS))

    def result(samples: list[Sample]) -> list[tuple[int, list[int], float, int]]:
        windower = Windower(SPEC)
        closed = push_all(windower, samples) + windower.flush()
        assert windower.account.delivered == len(samples)
        return [(w.span.end_ns, stamps(w), w.quality.coverage, w.quality.gaps) for w in closed]

    assert result(shuffled) == result(in_order)


@given(
    st.lists(
        st.tuples(st.integers(-10_000, 10_000), st.integers(0, 300), st.integers(0, 50)),
        max_size=100,
    )
)
def test_accounts_add_up_and_nothing_crashes(events: list[tuple[int, int, int]]) -> None:
    # Stamps far behind, far ahead and doubled, while the clock goes forward by `step`.
    windower = Windower(SPEC)
    now = EPOCH_NS
    seen: list[Window] = []
    for t_ms, period_ms, step_ms in events:
        now += step_ms * MS
        seen += windower.push(frame(t_ms, period_ms), now)
    account = windower.account
    assert account.produced == len(events)
    assert account.pending == 0
    assert account.delivered + sum(account.dropped.values()) == len(events)
    assert set(account.dropped) <= {"future", "late", "duplicate"}
    found = ends(seen)
    assert found == sorted(set(found)), "every end of the grid at most once, in order"
    assert all(end % 500 == 0 for end in found)
    for window in seen:
        assert all(window.span.start_ns <= s.t_ns < window.span.end_ns for s in window.samples)
        assert stamps(window) == sorted(stamps(window))
        assert 0 <= window.quality.coverage <= 1


@given(st.lists(st.integers(1, 400), min_size=1, max_size=300))
def test_memory_is_bounded_by_time(steps: list[int]) -> None:
    windower = Windower(SPEC)
    now_ms = 0
    for step in steps:
        now_ms += step
        windower.push(frame(now_ms, 10), EPOCH_NS + now_ms * MS)
        held = windower._samples  # pyright: ignore[reportPrivateUsage] - the bound is about it
        oldest_ms = (held[0].t_ns - EPOCH_NS) // MS
        assert now_ms - oldest_ms <= 2000 + 500 + 100 + 10


def test_a_stamp_beyond_now_plus_one_second_is_counted_and_moves_nothing() -> None:
    windower = Windower(SPEC)
    windower.push(frame(0), EPOCH_NS)
    mark = windower.watermark_ns
    assert windower.push(frame(60_000), EPOCH_NS) == []
    assert windower.account.dropped == {"future": 1}
    assert windower.watermark_ns == mark


def test_a_duration_that_lies_cannot_carry_the_watermark_away() -> None:
    windower = Windower(SPEC)
    windower.push(frame(0, period_ms=3_600_000), EPOCH_NS)
    assert windower.watermark_ns is not None
    assert windower.watermark_ns <= EPOCH_NS + NS_PER_S


def test_duplicates_and_late_samples_are_told_on_the_next_card() -> None:
    windower = Windower(SPEC)
    windower.push(frame(0, 100))
    windower.push(frame(0, 100))
    push_all(windower, [frame(t, 100) for t in range(100, 900, 100)])
    windower.push(frame(50, 10))  # wholly before the watermark of 0.8
    assert windower.account.dropped == {"duplicate": 1, "late": 1}
    second = push_all(windower, [frame(t, 100) for t in range(900, 1200, 100)])
    assert ends(second) == [1000]
    assert second[0].quality.late == 1
    assert second[0].quality.dropped == {"late": 1}


def test_late_data_never_opens_a_closed_window_again() -> None:
    # Silence let the clock pass 2.0; then a frame of 1.95 .. 2.2 arrives.
    windower = Windower(SPEC)
    windower.raise_watermark(EPOCH_NS + 2000 * MS)
    windower.push(frame(1950, 250))
    windower.push(frame(2100, 100))
    (window,) = windower.flush()
    assert ends([window]) == [2500]
    assert stamps(window) == [1950, 2100]
    assert window.quality.late == 1


@pytest.mark.timeout(5)  # 63 million ends of the grid lie in the gap
def test_a_gap_of_a_year_costs_nothing() -> None:
    windower = Windower(SPEC)
    windower.push(frame(0, 100))
    year_ms = 365 * 24 * 3600 * 1000
    assert windower.push(frame(year_ms, 100)) == [], "one stamp alone may be a lie"
    assert windower.account.pending == 1
    closed = windower.push(frame(year_ms + 100, 100))
    assert ends(closed) == [500, 1000, 1500, 2000]
    assert windower.account.delivered == 3


def test_one_stamp_from_the_future_costs_a_file_one_sample() -> None:
    # 0 . . . 2100-01-01 . . . 5 s       a row of a table with a wrong year
    windower = Windower(SPEC)
    times = list(range(0, 5000, 100))
    samples = [frame(t, 100) for t in times]
    samples.insert(20, frame(76 * 365 * 24 * 3600 * 1000, 100))
    closed = push_all(windower, samples) + windower.flush()
    assert ends(closed) == list(range(500, 5001, 500))
    assert windower.account.dropped == {"future": 1}
    assert windower.account.delivered == len(times)


def test_a_leap_at_the_very_end_is_believed() -> None:
    windower = Windower(SPEC)
    push_all(windower, [frame(0, 100), frame(60_000, 100)])
    assert ends(windower.flush())[-1] == 60_500
    assert windower.account.pending == 0


def test_dates_before_1970_are_dates() -> None:
    windower = Windower(SPEC)
    ago = -10 * 365 * 24 * 3600 * NS_PER_S
    samples = [Sample("front", "vision", ago + n * 100 * MS, 100 * MS, PICTURE) for n in range(30)]
    closed = push_all(windower, samples) + windower.flush()
    assert [(w.span.end_ns - ago) // MS for w in closed] == [500, 1000, 1500, 2000, 2500, 3000]


def test_a_picture_that_claims_to_stand_for_an_hour_is_held_for_a_window() -> None:
    windower = Windower(SPEC)
    windower.push(frame(0, 3_600_000))
    push_all(windower, [frame(t, 33) for t in range(33, 60_000, 33)])
    held = windower._samples  # pyright: ignore[reportPrivateUsage] - the bound is about it
    assert held[0].t_ns >= EPOCH_NS + (60_000 - 2700) * MS, "the long one is gone"


@pytest.mark.parametrize(("kept_s", "share"), [(4.0, 1.0), (0.1, 0.05)])
def test_coverage_of_sound_in_long_blocks(kept_s: float, share: float) -> None:
    # one block of 4 s, of which only the first `kept_s` are there, against a window of 2 s
    rate = 16_000
    count = round(kept_s * rate)
    block = AudioBlock(np.zeros(count, np.float32), rate)
    sample = Sample("mic", "audio", EPOCH_NS, count * NS_PER_S // rate, block)
    found, _ = coverage(Span(EPOCH_NS, EPOCH_NS + 2 * NS_PER_S), [sample])
    assert found == pytest.approx(share)


def test_a_missing_reading_is_a_gap_also_in_long_blocks() -> None:
    stamps = EPOCH_NS + np.arange(100, dtype=np.int64) * 10 * MS
    block = ImuBlock(stamps, np.zeros((100, 6), np.float32))
    first = Sample("imu", "imu", EPOCH_NS, NS_PER_S, block)
    second = Sample("imu", "imu", EPOCH_NS + NS_PER_S + 20 * MS, NS_PER_S, block)
    found, gaps = coverage(Span(EPOCH_NS, EPOCH_NS + 2 * NS_PER_S), [first, second])
    assert (found, gaps) == (pytest.approx(0.99), 1)


def test_the_clock_of_a_window_is_its_worst() -> None:
    windower = Windower(SPEC)
    good, bad = ClockCard("host", 10), ClockCard("device", 5_000_000)
    for t in range(0, 1200, 100):
        windower_sample = replace(frame(t, 100), clock=bad if t == 300 else good)
        closed = windower.push(windower_sample)
        if closed:
            assert closed[0].quality.clock == bad


def test_samples_out_of_order_are_counted() -> None:
    windower = Windower(SPEC)
    push_all(windower, [frame(0), frame(66), frame(33)])
    assert windower.backward == 1
    assert windower.account.delivered == 3


def test_flush_closes_the_window_that_holds_the_last_instant_and_no_more() -> None:
    windower = Windower(SPEC)
    closed = push_all(windower, [frame(t, 100) for t in range(0, 3200, 100)])
    assert ends(closed + windower.flush()) == [500, 1000, 1500, 2000, 2500, 3000, 3500]
    assert windower.flush() == []


@given(
    rate=st.sampled_from([8000, 16000, 44100, 48000]),
    start_ns=st.integers(0, NS_PER_S),
    blocks=st.lists(st.integers(1, 9000), min_size=20, max_size=60),
)
def test_audio_is_cut_to_the_sample(rate: int, start_ns: int, blocks: list[int]) -> None:
    """Every window holds consecutive samples, as many as its span, whatever the blocks."""
    spec = WindowSpec("mic", "audio", 2 * NS_PER_S, NS_PER_S // 2, 100 * MS)
    windower = Windower(spec)
    windows: list[Window] = []
    done = 0

    def time_of(index: int) -> int:
        return EPOCH_NS + start_ns + (index * NS_PER_S + rate // 2) // rate

    for size in blocks:
        data = AudioBlock(np.arange(done, done + size, dtype=np.float32), rate)
        t_ns = time_of(done)
        windows += windower.push(Sample("mic", "audio", t_ns, time_of(done + size) - t_ns, data))
        done += size
    for window in windows:
        parts = [s.data.samples for s in window.samples if isinstance(s.data, AudioBlock)]
        cut = np.concatenate(parts)
        assert np.array_equal(np.diff(cut), np.ones(len(cut) - 1))
        first, last = int(cut[0]), int(cut[-1])
        # Half a sample, and the nanosecond to which stamps are rounded.
        slack = NS_PER_S // (2 * rate) + 2
        assert abs(max(window.span.start_ns, time_of(0)) - time_of(first)) <= slack
        assert abs(window.span.end_ns - time_of(last + 1)) <= slack


def test_imu_blocks_are_cut_by_their_own_stamps() -> None:
    spec = WindowSpec("imu", "imu", 5 * NS_PER_S, NS_PER_S // 2, 100 * MS)
    windower = Windower(spec)
    windows: list[Window] = []
    for second in range(8):
        t_ns = EPOCH_NS + second * NS_PER_S + np.arange(200, dtype=np.int64) * 5 * MS
        values = np.repeat(np.arange(200, dtype=np.float32)[:, None] + 200 * second, 6, axis=1)
        block = ImuBlock(t_ns, values)
        windows += windower.push(Sample("imu", "imu", int(t_ns[0]), NS_PER_S, block))
    window = next(w for w in windows if ends([w]) == [6500])
    values = np.concatenate([s.data.values for s in window.samples if isinstance(s.data, ImuBlock)])
    assert values[:, 0].tolist() == list(range(300, 1300))
    assert window.quality.coverage == 1


@given(st.integers(-(10**18), 10**18), st.integers(1, 10**10))
def test_grid(t_ns: int, hop_ns: int) -> None:
    end = grid_after(t_ns, hop_ns)
    assert end % hop_ns == 0
    assert end - hop_ns <= t_ns < end
