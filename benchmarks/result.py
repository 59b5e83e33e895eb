"""One JSON line a benchmark, with what is needed to compare it with another one."""

import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any


def say(benchmark: str, **figures: Any) -> None:
    where = {"benchmark": benchmark, "machine": machine(), "commit": commit()}
    print(json.dumps(where | figures))


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
