"""Whether a device is alive is judged by what comes and when. All times are made up."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.isolated.watch import Patience, Watch
from sources.scaled import Scaled
from streamer.errors import SourceStalled
from streamer.types import NS_PER_S, AudioBlock, Condition, Data, ImuBlock, Sample, StreamInfo

MS = NS_PER_S // 1000
PATIENCE = Patience(open_s=10, stall_s=1.5, repeat_s=5)
CAM = StreamInfo("cam", "vision")


def picture(value: int = 0) -> Data:
    return np.full((64, 64, 3), value, np.uint8)


def heat(value: int = 0) -> Data:
    return Scaled(np.full((60, 80), value, np.uint16), 0.01, -273.15)


def silence() -> Data:
    return AudioBlock(np.zeros(160, np.float32), 16_000)


def sound() -> Data:
    samples = np.zeros(160, np.float32)
    samples[159] = 1e-6
    return AudioBlock(samples, 16_000)


def reading(value: float = 0) -> Data:
    return ImuBlock(np.arange(4, dtype=np.int64), np.full((4, 6), value, np.float32))


def sample(data: Data, period_ns: int = 33 * MS, stream: str = "cam") -> Sample:
    return Sample(stream, "vision", 0, period_ns, data)


def watch(*streams: StreamInfo, patience: Patience = PATIENCE) -> Watch:
    return Watch(streams or (CAM,), patience, 0)


def test_a_device_has_long_to_open() -> None:
    watched = watch()
    assert watched.due_ns == 10 * NS_PER_S
    watched.overdue(watched.due_ns - 1)
    with pytest.raises(SourceStalled, match="cam: no sample for 10 s since it was started"):
        watched.overdue(watched.due_ns)


@given(st.integers(0, 9 * NS_PER_S))
def test_after_a_sample_the_next_is_due_soon(now_ns: int) -> None:
    watched = watch()
    watched.seen(sample(picture()), now_ns)
    assert watched.due_ns == now_ns + 1500 * MS
    watched.overdue(watched.due_ns - 1)
    with pytest.raises(SourceStalled, match=r"cam: no sample for 1\.5 s since the last"):
        watched.overdue(watched.due_ns)


@given(st.integers(0, 3_600_000))
def test_a_slow_camera_has_three_of_its_own_periods(period_ms: int) -> None:
    watched = watch()
    watched.seen(sample(picture(), period_ms * MS), 0)
    assert watched.due_ns == max(1500 * MS, 3 * period_ms * MS)


def test_the_stream_that_is_missed_first_counts() -> None:
    # cam     x   x   x   x   x   x     comes on and on
    # base    x                         and nobody hides behind it
    watched = watch(CAM, StreamInfo("base", "imu"))
    watched.seen(sample(reading(), stream="base"), 0)
    for n in range(20):
        now_ns = n * 100 * MS
        watched.seen(sample(picture(n)), now_ns)
        assert watched.due_ns == min(1500 * MS, now_ns + 1500 * MS)
    with pytest.raises(SourceStalled, match="base: no sample"):
        watched.overdue(1500 * MS)


def test_a_stream_that_has_not_begun_has_its_time_to_open_while_others_run() -> None:
    watched = watch(CAM, StreamInfo("base", "imu"))
    watched.seen(sample(picture()), 9 * NS_PER_S)
    watched.overdue(10 * NS_PER_S - 1)
    with pytest.raises(SourceStalled, match="base: no sample for 10 s since it was started"):
        watched.overdue(10 * NS_PER_S)


@pytest.mark.parametrize("of", [picture, heat])
def test_a_camera_that_repeats_one_picture_hangs(of: Callable[[int], Data]) -> None:
    watched = watch()
    for n in range(50):
        assert watched.seen(sample(of(7)), n * 100 * MS) is None
    with pytest.raises(SourceStalled, match="cam: repeats one picture for 5 s"):
        watched.seen(sample(of(7)), 5 * NS_PER_S)


@pytest.mark.parametrize("of", [picture, heat])
def test_a_change_of_the_picture_begins_the_wait_anew(of: Callable[[int], Data]) -> None:
    watched = watch()
    for n in range(300):
        # A new picture every 4.9 s.
        assert watched.seen(sample(of(n // 49)), n * 100 * MS) is None


def test_a_picture_of_another_size_is_another_picture() -> None:
    watched = watch()
    small = np.zeros((32, 32, 3), np.uint8)
    watched.seen(sample(picture()), 0)
    assert watched.seen(sample(small), 6 * NS_PER_S) is None


@pytest.mark.parametrize(
    ("nothing", "something", "why"),
    [
        (silence, sound, "silent: nothing but zeros for 5 s"),
        (reading, lambda: reading(1.0), "repeats one reading for 5 s"),
    ],
)
def test_silence_is_said_once_and_taken_back_once(
    nothing: Callable[[], Data], something: Callable[[], Data], why: str
) -> None:
    # To start the device again would not unmute it: it is said, and left as it is.
    watched = watch()
    said = [watched.seen(sample(nothing()), n * 100 * MS) for n in range(100)]
    assert [(n, c) for n, c in enumerate(said) if c] == [(50, Condition("cam", "stalled", why))]
    said = [watched.seen(sample(something()), (100 + n) * 100 * MS) for n in range(10)]
    assert [(n, c) for n, c in enumerate(said) if c] == [(0, Condition("cam", "online"))]
    # And again, from the beginning.
    said = [watched.seen(sample(nothing()), (110 + n) * 100 * MS) for n in range(51)]
    assert [n for n, c in enumerate(said) if c] == [50]


def test_one_sample_that_is_not_zero_is_sound() -> None:
    watched = watch()
    for n in range(200):
        block = sound() if n % 40 == 0 else silence()
        assert watched.seen(sample(block), n * 100 * MS) is None


def test_readings_that_differ_inside_a_block_are_new() -> None:
    values = np.zeros((4, 6), np.float32)
    values[3, 5] = 1e-3
    watched = watch()
    for n in range(100):
        block = ImuBlock(np.arange(4, dtype=np.int64), values)
        assert watched.seen(sample(block), n * 100 * MS) is None


@pytest.mark.parametrize("of", [picture, silence, reading])
def test_without_a_limit_nothing_is_said_of_repeats(of: Callable[[], Data]) -> None:
    watched = watch(patience=Patience(repeat_s=None))
    for n in range(1000):
        assert watched.seen(sample(of()), n * 100 * MS) is None


def test_what_is_silent_can_still_stall() -> None:
    watched = watch()
    for n in range(60):
        watched.seen(sample(silence()), n * 100 * MS)
    with pytest.raises(SourceStalled, match="no sample"):
        watched.overdue(5900 * MS + 1500 * MS)


def test_a_depth_camera_that_sees_nothing_is_said_and_left_alone() -> None:
    def depth(millimetres: int, now_ns: int) -> Condition | None:
        stored = Scaled(np.full((60, 80), millimetres, np.uint16), 0.001)
        return watched.seen(Sample("cam", "depth", 0, 33 * MS, stored), now_ns)

    watched = watch(StreamInfo("cam", "depth"))
    said = [depth(0, n * 100 * MS) for n in range(100)]
    assert [c for c in said if c] == [
        Condition("cam", "stalled", "no return in any picture for 5 s")
    ]
    assert depth(800, 10_000 * MS) == Condition("cam", "online")
    # Something that is there is never the same twice.
    assert depth(800, 14_900 * MS) is None
    with pytest.raises(SourceStalled, match="repeats one picture"):
        depth(800, 15_000 * MS)
