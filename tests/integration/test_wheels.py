"""A Jetson on JetPack 7 (aarch64, Python 3.12, glibc 2.39) must find a wheel for everything."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.needs import ROOT, missing

JETSON = [
    "--only-binary=:all:",
    "--python-version=3.12",
    "--implementation=cp",
    *(f"--platform=manylinux_2_{minor}_aarch64" for minor in range(39, 16, -1)),
    "--platform=manylinux2014_aarch64",
]


def pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pip", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def runtime_dependencies() -> list[str]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]


@pytest.fixture
def index() -> None:
    """Some package index answers."""
    if pip("index", "versions", "numpy").returncode:
        missing("a package index")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("index")
def test_every_runtime_dependency_has_an_aarch64_wheel(tmp_path: Path) -> None:
    # torch apart: a Jetson brings NVIDIA's, and pip would fetch half a gigabyte to resolve it.
    wanted = [d for d in runtime_dependencies() if not d.startswith("torch")]
    assert len(wanted) == len(runtime_dependencies()) - 1
    report = tmp_path / "report.json"
    result = pip(
        "install", "--dry-run", "--ignore-installed", f"--target={tmp_path / 'never'}",
        *JETSON, f"--report={report}", *wanted,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    found = {
        item["metadata"]["name"].lower().replace("_", "-"): item["download_info"]["url"]
        for item in json.loads(report.read_text())["install"]
    }
    names = {re.split(r"[<>=~\[]", d)[0].lower().replace("_", "-") for d in wanted}
    assert names <= set(found)
    assert all(re.search(r"(aarch64|none-any)[^/]*\.whl", url) for url in found.values()), found


@pytest.mark.slow
@pytest.mark.usefixtures("index")
def test_torch_has_an_aarch64_wheel() -> None:
    result = pip("index", "versions", "torch", *JETSON)
    assert result.returncode == 0, result.stderr[-2000:]
    assert re.search(r"torch \(2\.\d+", result.stdout), result.stdout
