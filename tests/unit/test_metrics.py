"""Percentiles against numpy in float64, and in bounded memory."""

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.metrics import Latencies, Rates, cpu_seconds, memory_mb, peak_memory_mb


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


def test_rates_are_since_the_last_question() -> None:
    rates = Rates(0)
    assert rates.since_last({"a": 10}, 2 * 10**9) == {"a": 5.0}
    assert rates.since_last({"a": 10, "b": 3}, 3 * 10**9) == {"a": 0.0, "b": 3.0}


def test_resources_are_those_of_the_process() -> None:
    process = psutil.Process()
    rss_mb = process.memory_info().rss / 2**20
    assert memory_mb() == pytest.approx(rss_mb, abs=8)
    assert peak_memory_mb() >= rss_mb * 0.99
    told = process.cpu_times()
    assert cpu_seconds() == pytest.approx(told.user + told.system, abs=0.1)
