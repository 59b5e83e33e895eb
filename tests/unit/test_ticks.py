"""Laws of the join of streams. Times in milliseconds; hop 500, lateness 100, idle 500."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.ticks import TickJoin
from streamer.types import NS_PER_S, ImuBlock, Modality, Sample, Tick
from streamer.windows import WindowSpec

MS = 1_000_000
PICTURE = np.zeros((1, 1, 3), np.uint8)


def spec(stream: str, modality: Modality = "vision", length_ms: int = 2000) -> WindowSpec:
    return WindowSpec(stream, modality, length_ms * MS, 500 * MS, 100 * MS)


def frame(stream: str, t_ms: int, period_ms: int = 100) -> Sample:
    return Sample(stream, "vision", t_ms * MS, period_ms * MS, PICTURE)


def join(*specs: WindowSpec, min_coverage: float = 0.0) -> TickJoin:
    return TickJoin(specs, min_coverage, idle_ns=500 * MS)


def push(it: TickJoin, sample: Sample) -> list[Tick]:
    """As it arrives when it ends, without delay."""
    return it.push(sample, sample.end_ns)


def ends(ticks: list[Tick]) -> list[int]:
    return [t.end_ns // MS for t in ticks]


def test_a_tick_waits_for_the_slower_stream() -> None:
    # a  |====|====|=           ends 500 when both have passed 600
    # b  |===                  (b is behind)
    it = join(spec("a"), spec("b"))
    for t in range(0, 1000, 100):
        assert push(it, frame("a", t)) == []
    for t in range(0, 600, 100):
        assert push(it, frame("b", t)) == []
    (tick,) = push(it, frame("b", 600))
    assert ends([tick]) == [500]
    assert {w.stream for w in tick.windows} == {"a", "b"}
    assert tick.absent == {}


def test_streams_of_different_length_end_on_the_same_grid() -> None:
    it = join(spec("a"), spec("m", "imu", 5000))
    ticks: list[Tick] = []
    for t in range(0, 7000, 100):
        stamps = np.array([t * MS, t * MS + 50 * MS], np.int64)
        block = ImuBlock(stamps, np.zeros((2, 6), np.float32))
        ticks += push(it, frame("a", t))
        ticks += push(it, Sample("m", "imu", t * MS, 100 * MS, block))
    tick = ticks[-1]
    assert ends(ticks) == list(range(500, 7000, 500))
    assert {w.span.end_ns for w in tick.windows} == {tick.end_ns}
    assert {w.stream: w.span.length_ns // NS_PER_S for w in tick.windows} == {"a": 2, "m": 5}


def test_a_silent_stream_delays_nobody() -> None:
    # a  |====|====|====|====|
    # b  |====x                 dead at 500: a tombstone once its windows hold nothing
    it = join(spec("a"), spec("b"))
    delays: dict[int, int] = {}
    absent: dict[int, dict[str, str]] = {}
    for t in range(0, 6000, 100):
        ticks = push(it, frame("a", t))
        if t < 500:
            ticks += push(it, frame("b", t))
        ticks += it.advance((t + 100) * MS)
        for tick in ticks:
            delays[tick.end_ns // MS] = t + 100 - tick.end_ns // MS
            absent[tick.end_ns // MS] = dict(tick.absent)
    assert list(delays) == list(range(500, 6000, 500))
    assert max(delays.values()) <= 100 + 500, "lateness + one hop, also when the stream dies"
    assert all(delay <= 200 for end, delay in delays.items() if end > 1000), "then nothing"
    assert absent[500] == {}
    assert absent[6000 - 500] == {"b": "empty"}


def test_a_stream_that_is_only_slow_is_waited_for() -> None:
    # b  |==.==.==.             a frame every 400 ms, less than idle
    it = join(spec("a"), spec("b"))
    push(it, frame("b", 0))
    it.advance(100 * MS)
    push(it, frame("a", 400))
    it.advance(590 * MS)
    assert (it.windowers["b"].watermark_ns or 0) <= 0, "the window that ends at 500 is open"


def test_the_first_sample_after_a_silence_is_welcome() -> None:
    # b  silent until 2000, then a frame of 1900 .. 2000 arrives at 2000
    it = join(spec("a"), spec("b"))
    push(it, frame("b", 0))
    for now in range(100, 2001, 50):
        it.advance(now * MS)
    push(it, frame("b", 1900))
    assert it.windowers["b"].account.dropped == {}


def test_ticks_are_in_order_also_when_an_older_window_closes_later() -> None:
    # a  starts at 1000 and is ahead; b starts at 0 and closes 500 after a has closed 1500
    it = join(spec("a"), spec("b"))
    for t in range(1000, 1700, 100):
        push(it, frame("a", t))
    ticks = [tick for t in range(0, 1700, 100) for tick in push(it, frame("b", t))]
    ticks += it.finish(["a", "b"], 1700 * MS)
    assert ends(ticks) == [500, 1000, 1500, 2000]


@pytest.mark.parametrize(
    ("runs", "offset_ms"),
    [(False, 0), (True, 2000), (True, -30_000), (True, -3_600_000)],
    ids=["stuck", "ahead", "half a minute behind", "an hour behind"],
)
def test_a_sensor_whose_clock_lies_holds_nobody(runs: bool, offset_ms: int) -> None:
    it = join(spec("a"), spec("liar"))
    start = 7_200_000
    ticks: list[Tick] = []
    for now in range(start, start + 60_000, 100):
        ticks += it.push(frame("a", now - 100), now * MS)
        told = (now if runs else start) + offset_ms
        ticks += it.push(frame("liar", told), now * MS)
        ticks += it.advance(now * MS)
        if now >= start + 30_000:
            assert all(
                now - end <= 200 for end in ends(ticks[-1:]) if ticks[-1].closed_ns == now * MS
            )
        assert len(it._pending) <= 3  # pyright: ignore[reportPrivateUsage] - the bound is about it
    of_a = [tick for tick in ticks if any(w.stream == "a" for w in tick.windows)]
    assert len(of_a) >= 115, "two a second for a minute"


def test_tombstones_are_counted_and_hand_their_cards_on() -> None:
    it = join(spec("a"), min_coverage=0.5)
    for t in (0, 100, 200, 300):
        push(it, frame("a", t))
    push(it, frame("a", 0))  # late, told by the window that ends at 500, which is a tombstone
    ticks = [tick for t in range(400, 1200, 100) for tick in push(it, frame("a", t))]
    assert ends(ticks) == [1000]
    assert it.absent == {"a": {"coverage": 1}}
    assert ticks[0].windows[0].quality.dropped == {"late": 1}


def test_a_stream_that_never_came_holds_nobody() -> None:
    it = join(spec("a"), spec("b"))
    it.advance(0)
    ticks: list[Tick] = []
    for t in range(0, 2000, 100):
        ticks += push(it, frame("a", t)) + it.advance((t + 100) * MS)
    assert ends(ticks) == [500, 1000, 1500]
    assert all(tick.absent == {"b": "empty"} for tick in ticks)


def test_too_little_coverage_is_a_tombstone() -> None:
    it = join(spec("a"), min_coverage=0.5)
    ticks: list[Tick] = []
    for t in range(0, 1500, 100):
        ticks += push(it, frame("a", t))
    assert ends(ticks) == [1000], "0.5 s of 2 s are not half a window, 1 s is"


def test_an_ended_stream_is_named_and_waits_for_nobody() -> None:
    it = join(spec("a"), spec("b"), min_coverage=0.1)
    for t in range(0, 500, 100):
        push(it, frame("b", t))
        push(it, frame("a", t))
    ticks = it.finish(["b"], 500 * MS)
    for t in range(500, 4000, 100):
        ticks += push(it, frame("a", t))
    assert ends(ticks) == list(range(500, 4000, 500))
    assert ticks[0].absent == {}
    assert ticks[-1].absent == {"b": "ended"}


def test_a_lost_tick_is_told_by_the_next_window() -> None:
    it = join(spec("a"))
    ticks = [tick for t in range(0, 700, 100) for tick in push(it, frame("a", t))]
    it.lost(ticks[0], "overload")
    later = [tick for t in range(700, 1200, 100) for tick in push(it, frame("a", t))]
    assert later[0].windows[0].quality.dropped == {"window_overload": 1}


def test_what_the_cards_of_a_lost_tick_told_is_handed_on() -> None:
    it = join(spec("a"))
    for t in (0, 100, 200, 300):
        push(it, frame("a", t))
    push(it, frame("a", 0))  # wholly before the watermark: late
    (lost,) = [tick for t in range(400, 700, 100) for tick in push(it, frame("a", t))]
    assert (lost.windows[0].quality.late, lost.windows[0].quality.dropped) == (1, {"late": 1})
    it.lost(lost, "overload")
    later = [tick for t in range(700, 1200, 100) for tick in push(it, frame("a", t))]
    quality = later[0].windows[0].quality
    assert quality.late == 1
    assert quality.dropped == {"late": 1, "window_overload": 1}


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 80), st.integers(0, 2)), max_size=120)
)
def test_ticks_come_once_and_in_order(events: list[tuple[str, int, int]]) -> None:
    """Whatever comes when: every end at most once, ascending, every stream accounted for."""
    it = join(spec("a"), spec("b"), spec("c"), min_coverage=0.05)
    now = 0
    ticks: list[Tick] = []
    for stream, delay, step in events:
        now += step * 50
        ticks += it.push(frame(stream, max(0, now - delay)), now * MS)
        ticks += it.advance(now * MS)
    ticks += it.finish("abc", now * MS)
    found = ends(ticks)
    assert found == sorted(set(found))
    for tick in ticks:
        present = [w.stream for w in tick.windows]
        assert sorted([*present, *tick.absent]) == ["a", "b", "c"]
