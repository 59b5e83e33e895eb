"""Two sensors joined by time stamp, and runs of readings cut into blocks."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sources.inertial import BLOCK_NS, Joiner, to_samples
from sources.media.gpmf import Payload, Readings
from streamer.types import NS_PER_S, ImuBlock, Sample

PERIOD_NS = 2_500_000


def payload(start: int, accl: int, gyro: int, totals: tuple[int, int] | None = None) -> Payload:
    """One second of readings: acceleration x = seconds since 0, angular rate x = its number."""
    t = start + np.arange(accl, dtype=np.float64) / accl
    return Payload(
        Readings(np.stack([t, t * 2, t], 1), totals and totals[0]),
        Readings(np.stack([np.arange(gyro, dtype=np.float64)] * 3, 1), totals and totals[1]),
        (),
    )


def joined(joiner: Joiner, spans: list[tuple[Payload, int, int]]) -> ImuBlock:
    blocks = [b for p, start, end in spans for b in joiner.push(p, start, end)]
    blocks += list(joiner.flush())
    return ImuBlock(
        np.concatenate([b.t_ns for b in blocks]), np.concatenate([b.values for b in blocks])
    )


def test_acceleration_is_interpolated_at_the_gyroscope_s_stamps() -> None:
    """
    accl  |    |    |    |  payload  |    |    |    |      4 a second
    gyro  | | | | | | | | | | . . .  | | | | | |           10 a second
    """
    spans = [(payload(n, 4, 10), n * NS_PER_S, (n + 1) * NS_PER_S) for n in range(3)]
    block = joined(Joiner(), spans)

    np.testing.assert_array_equal(block.t_ns, np.arange(30) * NS_PER_S // 10)
    # A straight line, held after the last acceleration at 2.75 s, also across payloads.
    expected = np.minimum(np.arange(30) / 10, 2.75)
    np.testing.assert_allclose(block.values[:, 0], expected, atol=1e-6)
    np.testing.assert_allclose(block.values[:, 1], 2 * expected, atol=1e-6)
    np.testing.assert_array_equal(block.values[:, 3], np.tile(np.arange(10), 3))


def test_dates_of_this_century_lose_no_precision() -> None:
    epoch = 1_750_000_000 * NS_PER_S
    spans = [
        (payload(n, 200, 400), epoch + n * NS_PER_S, epoch + (n + 1) * NS_PER_S) for n in (0, 1)
    ]
    block = joined(Joiner(), spans)

    expected = (block.t_ns - epoch) / NS_PER_S
    np.testing.assert_allclose(block.values[:-1, 0], expected[:-1], atol=2e-7)


def test_nothing_is_interpolated_across_a_missing_payload() -> None:
    spans = [(payload(0, 4, 10), 0, NS_PER_S), (payload(5, 4, 10), 5 * NS_PER_S, 6 * NS_PER_S)]
    block = joined(Joiner(), spans)

    assert len(block.t_ns) == 20
    assert block.values[9, 0] == 0.75  # held, not on the way to 5
    assert block.t_ns[10] == 5 * NS_PER_S


def test_the_short_last_payload_keeps_the_pace() -> None:
    """Some containers give the last payload the length of the others."""
    spans = [(payload(0, 4, 10), 0, NS_PER_S), (payload(1, 2, 3), NS_PER_S, 2 * NS_PER_S)]
    block = joined(Joiner(), spans)

    np.testing.assert_array_equal(block.t_ns, np.arange(13) * NS_PER_S // 10)


def test_lost_readings_are_counted() -> None:
    spans = [
        (payload(0, 4, 10, (4, 10)), 0, NS_PER_S),
        (payload(1, 4, 10, (9, 20)), NS_PER_S, 2 * NS_PER_S),  # one acceleration lost
    ]
    joiner = Joiner()
    joined(joiner, spans)

    assert joiner.lost == 1


def run(t_ns: list[int]) -> ImuBlock:
    count = len(t_ns)
    values = np.repeat(np.arange(count, dtype=np.float32)[:, None], 6, axis=1)
    return ImuBlock(np.array(t_ns, np.int64), values)


def stamps(samples: list[Sample]) -> list[int]:
    return [int(t) for s in samples if isinstance(s.data, ImuBlock) for t in s.data.t_ns]


def test_blocks_tile_and_end_where_a_reading_is_missing() -> None:
    """
    readings  |||||||||||||||||||||||||  .  .  |||||||||   . = missing
    blocks    [----100 ms----)[-------)        [------)
    """
    regular = [n * PERIOD_NS for n in range(80) if n not in (60, 61)]
    samples = list(to_samples("imu", [run(regular)]))

    spans = [(s.t_ns // PERIOD_NS, s.end_ns // PERIOD_NS) for s in samples]
    assert spans == [(0, 40), (40, 60), (62, 80)]
    assert stamps(samples) == regular


def test_readings_with_equal_stamps_stay_together() -> None:
    t_ns = sorted([n * PERIOD_NS for n in range(100)] + [40 * PERIOD_NS] * 2)
    samples = list(to_samples("imu", [run(t_ns)]))

    assert stamps(samples) == t_ns
    assert len({s.t_ns for s in samples}) == len(samples)


def test_a_step_back_begins_a_block() -> None:
    t_ns = [n * PERIOD_NS for n in (0, 1, 2, 3, 1, 2, 3, 4)]
    samples = list(to_samples("imu", [run(t_ns)]))

    assert [s.t_ns // PERIOD_NS for s in samples] == [0, 1]
    assert stamps(samples) == t_ns


@given(
    st.lists(st.integers(-5_000_000, 200_000_000), min_size=1, max_size=200),
    st.lists(st.integers(1, 199), max_size=5),
)
def test_nothing_is_lost_or_reordered_however_it_comes(steps: list[int], cuts: list[int]) -> None:
    t_ns = np.cumsum(steps).tolist()
    whole = run(t_ns)
    edges = [0, *sorted({c for c in cuts if c < len(t_ns)}), len(t_ns)]
    chunks = [ImuBlock(whole.t_ns[a:b], whole.values[a:b]) for a, b in pairwise(edges)]
    samples = list(to_samples("imu", chunks, PERIOD_NS))

    assert stamps(samples) == t_ns
    values = np.concatenate([s.data.values for s in samples if isinstance(s.data, ImuBlock)])
    np.testing.assert_array_equal(values, whole.values)
    for sample in samples:
        assert isinstance(sample.data, ImuBlock)
        assert (np.diff(sample.data.t_ns) >= 0).all()
        assert sample.t_ns == sample.data.t_ns[0]
        assert 0 < sample.duration_ns <= BLOCK_NS + 2 * PERIOD_NS
