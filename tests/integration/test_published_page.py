"""Every command of the page of published figures runs, on trees with the data sets' layout."""

import io
import json
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks import datasets
from streamer.cli.main import app
from tests import published_trees as trees
from tests.needs import ROOT
from tests.packed import SPEAKING, SPOKEN, packed_state, save_packed

PAGE = ROOT / "docs" / "reference" / "published.md"
MAKE, EVAL, LIST = (
    "python -m benchmarks.datasets ",
    "streamer eval imagebind_huge.pth ",
    "python -c ",
)


def commands() -> Iterator[str]:
    for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL):
        yield from filter(None, block.splitlines())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all data sets, a made-up model, and the templates that the page shows."""
    trees.esc50(tmp_path / "ESC-50")
    trees.vggsound(tmp_path / "vggsound")
    trees.llvip(tmp_path / "LLVIP")
    trees.sunrgbd(tmp_path / "SUNRGBD")
    trees.kinetics(tmp_path / "k400")
    trees.imagenet(tmp_path / "imagenet")
    trees.imagenet(tmp_path / "places").joinpath("val").rename(tmp_path / "pictures")
    shown = re.search(r"```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert shown is not None
    (tmp_path / "templates.txt").write_text(shown[1])
    save_packed(tmp_path / "tiny.safetensors", packed_state(SPEAKING, SPOKEN), model=SPEAKING)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(command: str) -> None:
    line, _, table = command.partition(" > ")
    with redirect_stdout(io.StringIO()) as out:
        datasets.main(shlex.split(line.removeprefix(MAKE)))
    Path(table).write_text(out.getvalue())


def evaluated(command: str) -> dict[str, Any]:
    arguments = ["eval", "tiny.safetensors", *shlex.split(command.removeprefix(EVAL)), "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, f"{command}: {result.output}"
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("place")
def test_every_command_of_the_page_runs() -> None:
    reports: list[dict[str, Any]] = []
    for command in commands():
        if command.startswith(MAKE):
            made(command)
        elif command.startswith(EVAL):
            reports.append(evaluated(command))
        else:
            assert command.startswith(LIST), command
            compile(shlex.split(command)[2], command, "exec")
    found = [
        (modality, scores["accuracy"]["n"], len(report["classes"]))
        for report in reports
        for modality, scores in report["results"].items()
    ]
    assert found == [
        ("audio", 2, 2),  # ESC-50
        ("audio", 2, 2),  # VGGSound
        ("thermal", 2, 2),  # LLVIP, both towers
        ("thermal", 2, 2),
        ("depth", 2, 2),  # SUN RGB-D, both presets
        ("depth", 2, 2),
        ("depth", 2, 2),  # NYU-D
        ("vision", 2, 2),  # Kinetics
        ("vision", 2, 2),  # ImageNet
        ("vision", 2, 2),  # a folder
    ]
    assert reports[6]["labels"] == ["basement", "kitchen"]
    assert sorted(reports[6]["classes"]) == ["kitchen", "others"]
    assert reports[8]["labels"] == ["goldfish", "tench"]
    assert all(report["lost"] == [] for report in reports)


def test_the_page_tells_every_published_figure() -> None:
    text = PAGE.read_text()
    figures = (
        "77.7",
        "45.4",
        "50.0",
        "36.1",
        "54.0",
        "35.1",
        "17.6",
        "27.8",
        "66.9",
        "63.4",
        "25.0",
    )
    rows = [line.split("|")[3].strip() for line in text.splitlines() if line.count("|") == 6]
    assert sorted(figures) == sorted(row for row in rows if re.fullmatch(r"\d+\.\d", row))
