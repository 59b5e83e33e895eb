"""Whatever the stamps of a log are, its samples are there, and what is odd is counted."""

from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.recording.pictures import Encoded
from sources.replay.lanes import JoinedLane, MotionLane, PictureLane, SoundLane
from sources.replay.messages.sound import Sound
from streamer.types import NS_PER_S, ImuBlock, Sample

PICTURE = Encoded(b"\xff\xd8", "jpeg")
STAMPS = st.lists(st.integers(0, 10**12), min_size=1, max_size=60)
MS = 1_000_000


def pictures(stamps: list[int], rate_hz: float | None = None) -> tuple[list[Sample], Counter[str]]:
    problems: Counter[str] = Counter()
    lane = PictureLane("camera", "vision", rate_hz, problems)
    found = [sample for t_ns in stamps for sample in lane.take(t_ns, PICTURE)]
    return found + lane.flush(), problems


@settings(deadline=None)
@given(STAMPS)
def test_every_picture_becomes_a_sample_in_its_place(stamps: list[int]) -> None:
    found, problems = pictures(stamps)
    assert [sample.t_ns for sample in found] == stamps
    assert all(sample.duration_ns > 0 for sample in found)
    steps = np.diff(stamps)
    assert problems["camera: a stamp that repeats"] == int((steps == 0).sum())
    assert problems["camera: a stamp that goes back"] == int((steps < 0).sum())


def test_a_picture_stands_for_the_median_step_and_the_first_for_the_first_step() -> None:
    #  0    33   66   100            1000
    #  |----|----|----|----)         |----)
    found, problems = pictures([0, 33 * MS, 66 * MS, 100 * MS, 1000 * MS])
    assert [sample.duration_ns for sample in found] == [33 * MS, 33 * MS, 33 * MS, 33 * MS, 34 * MS]
    assert not problems


def test_a_declared_rate_says_how_long_pictures_stand() -> None:
    found, _ = pictures([0, 70 * MS], rate_hz=10)
    assert [sample.duration_ns for sample in found] == [100 * MS, 100 * MS]


def test_a_single_picture_stands_for_a_tenth_of_a_second() -> None:
    (one,), _ = pictures([5])
    assert one.duration_ns == 100 * MS


@settings(deadline=None)
@given(st.lists(st.integers(-20, 20), min_size=2, max_size=50), st.sampled_from([8000, 44100]))
def test_blocks_of_sound_tile_whatever_their_stamps_jitter_by(
    jitter_ms: list[int], rate_hz: int
) -> None:
    problems: Counter[str] = Counter()
    lane = SoundLane("microphone", problems)
    samples: list[Sample] = []
    for index, jitter in enumerate(jitter_ms):
        sound = Sound(np.zeros(rate_hz // 10 + 1, np.float32), rate_hz)
        t_ns = index * (rate_hz // 10 + 1) * NS_PER_S // rate_hz + jitter * MS
        samples += lane.take(NS_PER_S + t_ns, sound)
    assert len(samples) == len(jitter_ms)
    for before, after in pairwise(samples):
        assert before.end_ns == after.t_ns
    assert not problems


def test_sound_behind_a_hole_begins_where_its_stamp_says() -> None:
    problems: Counter[str] = Counter()
    lane = SoundLane("microphone", problems)
    block = Sound(np.zeros(800, np.float32), 8000)
    stamps = [0, 100 * MS, 1200 * MS, 200 * MS]
    found = [sample.t_ns for t_ns in stamps for sample in lane.take(t_ns, block)]
    assert found == stamps
    assert problems == {"microphone: sound that does not follow on": 2}


def motions(stamps: list[int]) -> tuple[list[Sample], Counter[str]]:
    problems: Counter[str] = Counter()
    lane = MotionLane("imu", problems)
    found = [
        sample
        for index, t_ns in enumerate(stamps)
        for sample in lane.take(t_ns, (float(index), 0.0, 9.81), (0.0, 0.0, 0.0))
    ]
    return found + lane.flush(), problems


@settings(deadline=None)
@given(STAMPS)
def test_every_reading_is_in_one_block_and_stamps_in_a_block_do_not_go_back(
    stamps: list[int],
) -> None:
    found, problems = motions(stamps)
    blocks = [sample.data for sample in found if isinstance(sample.data, ImuBlock)]
    assert [t for block in blocks for t in block.t_ns.tolist()] == stamps
    assert [int(v) for block in blocks for v in block.values[:, 0]] == list(range(len(stamps)))
    assert all((np.diff(block.t_ns) >= 0).all() for block in blocks)
    assert all(sample.duration_ns > 0 for sample in found)
    assert problems["imu: a stamp that goes back"] == int((np.diff(stamps) < 0).sum())


def test_readings_come_in_blocks_of_a_tenth_of_a_second_that_tile() -> None:
    found, _ = motions([index * 5 * MS for index in range(100)])
    assert [sample.duration_ns for sample in found] == [100 * MS] * 5
    assert [sample.t_ns for sample in found] == [index * 100 * MS for index in range(5)]


def test_a_gyro_and_an_accelerometer_are_joined_at_the_gyros_stamps() -> None:
    problems: Counter[str] = Counter()
    lane = JoinedLane("imu", problems)
    found: list[Sample] = []
    for index in range(41):  # 400 Hz and 100 Hz; the acceleration grows by 1 m/s^2 every 10 ms
        t_ns = index * 2_500_000
        if index % 4 == 0:
            found += lane.accel(t_ns, (index / 4, 0.0, 0.0))
        found += lane.gyro(t_ns, (0.0, 0.0, 1.0))
    found += lane.flush()
    blocks = [sample.data for sample in found if isinstance(sample.data, ImuBlock)]
    values = np.concatenate([block.values for block in blocks])
    np.testing.assert_allclose(values[:, 0], np.arange(41) / 4, atol=1e-6)
    np.testing.assert_array_equal(values[:, 5], np.ones(41))
    assert not problems
