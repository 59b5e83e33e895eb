"""A checkpoint of imagebind_huge's size is checked and converted in a robot's memory."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors import safe_open

from encoders.imagebind.checkpoint import tower_of
from encoders.imagebind.config import TOWERS
from tests.huge_drawn import make_huge, numbers
from tests.needs import ROOT

GB = 1_000_000_000

# What the command had in memory at most, from the kernel, after what it printed.
MEASURED = """
import sys
from streamer.cli.main import app
try:
    app(sys.argv[1:])
finally:
    with open("/proc/self/status") as status:
        print(next(line.split()[1] for line in status if line.startswith("VmHWM:")))
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("weights")
    make_huge(folder / "imagebind_huge.pth")
    yield folder
    for path in folder.rglob("*.*"):
        if path.is_file():
            path.unlink()  # pytest would keep 7 GB for the next runs


def weights(cache: Path, *arguments: str) -> tuple[dict[str, Any], int]:
    """The command's report, and the most memory it had, in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "weights", *arguments, "--json"],
        capture_output=True, text=True, timeout=600, check=False, cwd=ROOT,
        env={**os.environ, "STREAMER_WEIGHTS": str(cache)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said, peak_kb = done.stdout.splitlines()
    return json.loads(said), 1024 * int(peak_kb)


def rounded(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    """The bits of the nearest bfloat16, ties to even, as integer arithmetic has it."""
    bits = values.view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint32)


def test_verify_reads_all_of_it_in_little_memory(cache: Path) -> None:
    size = (cache / "imagebind_huge.pth").stat().st_size
    assert 4.79 * GB < size < 4.82 * GB
    report, peak = weights(cache, "verify", "imagebind_huge")
    assert list(report["towers"]) == list(TOWERS)
    assert sum(tower["tensors"] for tower in report["towers"].values()) == 1311
    parameters = sum(tower["parameters"] for tower in report["towers"].values())
    assert parameters > 1.200 * GB
    print(f"verify: peak {peak / GB:.2f} GB")
    assert peak < 1.5 * GB


def test_convert_writes_half_of_it_in_less_than_one_and_a_half_gigabytes(cache: Path) -> None:
    out = cache / "imagebind_huge"
    report, peak = weights(cache, "convert", "imagebind_huge", "-o", str(out))
    print(f"convert: peak {peak / GB:.2f} GB")
    assert peak < 1.5 * GB
    assert 2.39 * GB < sum(report["bytes"].values()) < 2.41 * GB
    count = 0
    for tower in TOWERS:
        with safe_open(out / f"{tower}.safetensors", framework="pt") as file:
            names = list(file.keys())
            count += len(names)
            for name in names[:: len(names) // 8]:
                got = file.get_tensor(name)
                assert tower_of(name) == tower
                want = numbers(name, tuple(got.shape))
                if got.dtype == torch.float32:
                    assert torch.equal(got, want)
                else:
                    bits = got.view(torch.int16).numpy().view(np.uint16)
                    np.testing.assert_array_equal(bits, rounded(want.numpy()))
    assert count == 1311
