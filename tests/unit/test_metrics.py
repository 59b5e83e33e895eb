"""Percentiles against numpy in float64, and in bounded memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.metrics import Latencies, cpu_seconds, peak_memory_mb


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=300))
def test_percentiles_are_in_milliseconds(durations_ns: list[int]) -> None:
    latencies = Latencies(keep=100)
    for duration in durations_ns:
        latencies.add(duration)
    kept = np.array(durations_ns[-100:], np.float64) / 1e6
    report = latencies.report()
    assert report["n"] == len(kept)
    assert report["p50_ms"] == pytest.approx(np.percentile(kept, 50), abs=1e-3)
    assert report["p99_ms"] == pytest.approx(np.percentile(kept, 99), abs=1e-3)
    assert report["max_ms"] == pytest.approx(kept.max(), abs=1e-3)


def test_nothing_measured_is_said_as_nothing() -> None:
    assert Latencies().report() == {"n": 0}


def test_resources_grow() -> None:
    before_s, before_mb = cpu_seconds(), peak_memory_mb()
    block = np.ones(40 * 2**17)  # 40 MB
    while cpu_seconds() - before_s < 0.02:
        block += 1
    assert peak_memory_mb() >= before_mb + 20
