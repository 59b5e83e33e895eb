"""One JSON line a benchmark, with what is needed to compare it with another one."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np


def say(benchmark: str, **figures: Any) -> None:
    where = {"benchmark": benchmark, "machine": machine(), "commit": commit()}
    print(json.dumps(where | figures))


def percentile_ms(values_ns: list[int], q: float) -> float:
    return round(float(np.percentile(values_ns, q)) / 1e6, 3)


def part_of(benchmark: str, part: str, seconds: float) -> dict[str, float]:
    """The figures that `python -m benchmark --part PART` prints, from a process of its own."""
    command = [sys.executable, "-m", benchmark, "--part", part, "--seconds", str(seconds)]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def machine() -> str:
    """Processor, cores this process may use, Python."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    cores = len(os.sched_getaffinity(0))
    return f"{model}, {cores} cores, Python {platform.python_version()}"


def commit() -> str:
    result = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout.strip() or "unknown"
