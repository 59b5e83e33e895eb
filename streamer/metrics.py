"""Counts, rates and latencies of a run, in bounded memory."""

import resource
from collections import deque
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from streamer.types import NS_PER_S


class Latencies:
    """The latest durations of one stage, for percentiles. Nanoseconds in, milliseconds out."""

    def __init__(self, keep: int = 4096) -> None:
        self._latest: deque[int] = deque(maxlen=keep)

    def add(self, duration_ns: int) -> None:
        self._latest.append(duration_ns)

    def report(self) -> dict[str, float | int]:
        """`n`, and `p50_ms`, `p99_ms`, `max_ms` where there is anything to report."""
        if not self._latest:
            return {"n": 0}
        ms = np.asarray(self._latest, dtype=np.float64) / 1e6
        p50, p99 = np.percentile(ms, (50, 99))
        return {
            "n": len(ms),
            "p50_ms": round(float(p50), 3),
            "p99_ms": round(float(p99), 3),
            "max_ms": round(float(ms.max()), 3),
        }


class Rates:
    """Counts per second since they were asked for the last time."""

    def __init__(self, now_ns: int) -> None:
        self._since_ns = now_ns
        self._counts: Mapping[str, int] = {}

    def since_last(self, counts: Mapping[str, int], now_ns: int) -> dict[str, float]:
        """`counts` are running totals; names that are new count from 0.

        Nothing happens in no time: a clock that stands still gives rates of 0.
        """
        if now_ns <= self._since_ns:
            return dict.fromkeys(counts, 0.0)
        seconds = (now_ns - self._since_ns) / NS_PER_S
        rates = {n: round((c - self._counts.get(n, 0)) / seconds, 3) for n, c in counts.items()}
        self._since_ns, self._counts = now_ns, dict(counts)
        return rates


def memory_mb() -> float:
    """Resident memory of this process now; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return round(pages * resource.getpagesize() / 2**20, 1)


def peak_memory_mb() -> float:
    """Peak resident memory of this process (ru_maxrss is in KiB on Linux)."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def cpu_seconds() -> float:
    """Processor time of this process so far, user and system."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
