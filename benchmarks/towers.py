"""Time and peak memory of each tower of imagebind_huge: `python -m benchmarks.towers`.

Random weights; batch 1; every tower in a process of its own, so that its peak memory is its own.
The ratio is (peak memory less that of a process that has only imported torch) / bytes of weights.

    python -m benchmarks.towers [--precision bf16] [--device auto] [--towers audio imu]
"""

import argparse
import json
import subprocess
import sys
import time

import torch

from benchmarks.result import say
from encoders.imagebind.config import TOWERS, Tower
from encoders.imagebind.device import Placement, place
from encoders.imagebind.model import ImageBindModel
from encoders.imagebind.weights import random_weights
from streamer.metrics import peak_memory_mb

RUNS = 7


def measure(tower: Tower, where: Placement) -> dict[str, float]:
    imported_mb = peak_memory_mb()
    with torch.device("meta"):
        model = ImageBindModel([tower]).eval()
    random_weights(model, 0, dtype=where.dtype, device=where.device)
    weights_mb = sum(p.numel() * p.element_size() for p in model.state_dict().values()) / 2**20
    x = torch.zeros(1, *model.config.item_shapes(tower)[-1])
    if tower == "text":
        x = x.long()
        x[:, -1] = 1
    seconds: list[float] = []
    for _ in range(RUNS):
        started = time.perf_counter()
        model.embed(tower, x)
        if where.device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    on_cuda = where.device.type == "cuda"
    peak_mb = torch.cuda.max_memory_allocated() / 2**20 if on_cuda else peak_memory_mb()
    own_mb = peak_mb if on_cuda else peak_mb - imported_mb
    return {
        "weights_mb": round(weights_mb, 1),
        "peak_mb": round(peak_mb, 1),
        "own_peak_over_weights": round(own_mb / weights_mb, 3),
        "first_ms": round(seconds[0] * 1e3, 1),
        "median_ms": round(sorted(seconds[1:])[len(seconds[1:]) // 2] * 1e3, 1),
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--precision", default="bf16")
    arguments.add_argument("--device", default="auto")
    arguments.add_argument("--towers", nargs="+", choices=TOWERS, default=TOWERS)
    arguments.add_argument("--child", action="store_true")
    chosen = arguments.parse_args()
    where = place(chosen.device, chosen.precision)
    if chosen.child:
        print(json.dumps(measure(chosen.towers[0], where)))
        return
    for tower in chosen.towers:
        command = [sys.executable, "-m", "benchmarks.towers", "--child", "--towers", tower]
        command += ["--precision", chosen.precision, "--device", chosen.device]
        result = subprocess.run(command, capture_output=True, check=True, text=True)
        say("towers", tower=tower, placement=where.reason, **json.loads(result.stdout))


if __name__ == "__main__":
    main()
