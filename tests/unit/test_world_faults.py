"""Faults change what arrives and when, in ways that add up."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sources.world.faults import Arrival, Faults, Outage, arrivals
from sources.world.live import captures
from streamer.types import NS_PER_S, Modality

MS = 1_000_000
SECOND = 20 * NS_PER_S
modalities = st.sampled_from(("vision", "audio", "thermal"))


def arrive(
    faults: Faults, modality: Modality = "vision", stream: str = "eye", seed: int = 3
) -> list[Arrival]:
    return list(arrivals(stream, captures(modality, SECOND), faults, seed))


@pytest.mark.parametrize("modality", ["vision", "audio", "depth", "thermal", "imu"])
def test_without_faults_everything_comes_when_it_is_ready(modality: Modality) -> None:
    got = arrive(Faults(), modality)

    assert [a.due_ns for a in got] == [c.ready_ns for c in captures(modality, SECOND)]
    assert not any(a.lost for a in got)


@given(
    modalities,
    st.floats(0, 500),
    st.floats(0, 1),
    st.floats(-1000, 1000),
    st.integers(0, 2**63 - 1),
)
def test_faults_keep_the_captures_and_their_order(
    modality: Modality, jitter_ms: float, drop: float, skew_ppm: float, seed: int
) -> None:
    faults = Faults(jitter_ms=jitter_ms, drop=drop, skew_ppm=skew_ppm)
    taken = list(captures(modality, 3 * NS_PER_S))
    got = list(arrivals("eye", taken, faults, seed))

    assert [a.capture for a in got] == taken
    assert all(before.due_ns <= after.due_ns for before, after in pairwise(got))
    for arrival in got:
        late_ns = arrival.due_ns - faults.host_ns(arrival.capture.ready_ns)
        assert 0 <= late_ns <= jitter_ms * MS
    assert got == list(arrivals("eye", taken, faults, seed))


def test_jitter_is_spread_over_its_range() -> None:
    # Less than a period, so that no frame has to wait for the one before.
    got = arrive(Faults(jitter_ms=30))
    late_ms = np.array([a.due_ns - a.capture.ready_ns for a in got]) / MS

    # 600 frames, evenly drawn: standard error of the mean 0.35 ms.
    assert abs(late_ms.mean() - 15) < 1.5
    assert late_ms.min() < 1
    assert late_ms.max() > 29


def test_jitter_beyond_a_period_makes_bursts_and_keeps_the_order() -> None:
    due = [a.due_ns for a in arrive(Faults(jitter_ms=300))]

    assert due == sorted(due)
    assert len(set(due)) < len(due)


@pytest.mark.parametrize("drop", [0.0, 0.1, 0.5, 1.0])
def test_the_share_that_is_dropped(drop: float) -> None:
    got = arrive(Faults(drop=drop))
    lost = sum(a.lost == "lost" for a in got)

    # Four standard deviations of a binomial draw; 0 and 1 are exact.
    assert abs(lost - drop * len(got)) <= 4 * (len(got) * drop * (1 - drop)) ** 0.5


def test_one_fault_does_not_move_another() -> None:
    plain = arrive(Faults(jitter_ms=20))
    dropping = arrive(Faults(jitter_ms=20, drop=0.3))

    assert [a.due_ns for a in plain] == [a.due_ns for a in dropping]


def test_streams_and_seeds_fail_independently() -> None:
    faults = Faults(drop=0.5)
    lost = [
        [a.lost for a in arrive(faults, stream=stream, seed=seed)]
        for stream, seed in (("eye", 3), ("other", 3), ("eye", 4))
    ]

    assert lost[0] != lost[1]
    assert lost[0] != lost[2]


def test_an_outage_takes_what_was_taken_during_it_and_nothing_else() -> None:
    faults = Faults(
        outages=(
            Outage(stream="eye", at_s=2, for_s=1),
            Outage(stream="eye", at_s=10.5, for_s=0.1),
            Outage(stream="ear", at_s=5, for_s=5),
        )
    )
    got = arrive(faults)
    lost_ns = [a.capture.t_ns for a in got if a.lost == "outage"]

    #       2 s      3 s          10.5 s 10.6 s
    # ......[xxxxxxxx)............[x)...........
    assert lost_ns == [n * NS_PER_S // 30 for n in (*range(60, 90), 315, 316, 317)]
    assert sum(a.lost is None for a in got) == 600 - 33


@given(st.integers(0, 10**15), st.integers(-1000, 1000))
def test_a_skewed_clock_drifts_at_its_rate(robot_ns: int, skew_ppm: int) -> None:
    host_ns = Faults(skew_ppm=skew_ppm).host_ns(robot_ns)

    # The robot's clock has gone as far as the host's, and by skew_ppm millionths more.
    assert abs(host_ns * (1_000_000 + skew_ppm) - robot_ns * 1_000_000) < 2_000_000


def test_a_clock_that_runs_fast_is_ahead_of_the_host() -> None:
    got = arrive(Faults(skew_ppm=500))
    last = got[-1]

    assert last.capture.ready_ns - last.due_ns == pytest.approx(500e-6 * SECOND, rel=0.01)


@pytest.mark.parametrize(
    "wrong",
    [
        {"drop": 1.1},
        {"jitter_ms": -1},
        {"jitter": 1},
        {"outages": [{"stream": "eye", "at_s": 1, "for_s": 0}]},
        {"skew_ppm": float("nan")},
    ],
)
def test_wrong_faults_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Faults.model_validate(wrong)
