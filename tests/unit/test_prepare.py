"""`streamer prepare`: what a first start would do, done elsewhere."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from streamer.cli.main import app
from tests.packed import SPEAKING, SPOKEN, packed_state, save_packed


def prepared(weights: Path, cache: Path, precision: str = "fp32") -> Result:
    encoder = {"kind": "imagebind", "weights": str(weights), "precision": precision}
    settings = [f"encoder={json.dumps(encoder)}", "labels={set: indoor, sets: {audio: outdoor}}"]
    flags = [part for each in settings for part in ("--set", each)]
    environment = {"STREAMER_CACHE": str(cache)}
    return CliRunner().invoke(app, ["prepare", "demo", *flags, "--json"], env=environment)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    path = tmp_path / "here" / "speaking.safetensors"
    return save_packed(path, packed_state(SPEAKING, SPOKEN), model=SPEAKING)


def test_what_was_prepared_here_is_there_on_the_machine_that_it_is_copied_to(
    weights: Path, tmp_path: Path
):
    first = prepared(weights, tmp_path / "prepared")
    assert first.exit_code == 0, first.output
    report = json.loads(first.stdout)
    assert {name: each["was_there"] for name, each in report["sets"].items()} == {
        "indoor": False,
        "outdoor": False,
    }
    elsewhere = shutil.copytree(tmp_path / "here", tmp_path / "robot") / weights.name
    copied = shutil.copytree(tmp_path / "prepared" / "labels", tmp_path / "cache" / "labels")
    entries = {path.name: path.read_bytes() for path in copied.iterdir()}
    assert len(entries) == 2
    again = json.loads(prepared(elsewhere, tmp_path / "cache").stdout)
    assert all(each["was_there"] for each in again["sets"].values())
    assert again["model_hash"] == report["model_hash"]
    assert {path.name: path.read_bytes() for path in copied.iterdir()} == entries
    other = json.loads(prepared(elsewhere, tmp_path / "cache", "bf16").stdout)
    assert not any(each["was_there"] for each in other["sets"].values())


def test_weights_that_mean_nothing_have_nothing_to_keep(tmp_path: Path):
    result = prepared(Path("random"), tmp_path)
    assert result.exit_code == 2
    report = json.loads(result.stdout)
    assert report["errors"][0].startswith("encoder.weights: expected builtin or a file")
    assert not list(tmp_path.iterdir())
