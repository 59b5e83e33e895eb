"""`streamer calibrate` as a user meets it: from labelled sounds to labels that say calibrated."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from encoders.conventions import read_calibrated
from tests.e2e.command import streamer
from tests.needs import shared
from tests.tiny import TINY


@pytest.fixture
def config(tmp_path: Path) -> str:
    """Random weights, and a label set that is that of the sounds."""
    table = shared("recordings/audio_esc10/meta.csv").read_text().splitlines()
    column = table[0].split(",").index("category")
    names = sorted({line.split(",")[column].replace("_", " ") for line in table[1:]})
    (tmp_path / "sounds.txt").write_text("\n".join(names))
    model = {**TINY, "vocab_size": 49408, "context_length": 77}
    tree = {
        "sources": [{"kind": "demo_clip"}],
        "encoder": {"kind": "imagebind", "weights": "random", "device": "cpu", "model": model},
        "labels": {"set": str(tmp_path / "sounds.txt")},
    }
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(tree))
    return str(path)


@pytest.mark.timeout(300)
@pytest.mark.slow
def test_labels_of_a_configuration_that_names_the_file_are_calibrated(
    config: str, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    table = shared("recordings/audio_esc10/meta.csv")
    written, plot = tmp_path / "calibration.yaml", tmp_path / "plot.png"
    asked = ["calibrate", "--config", config, "--data", str(table), "-o", str(written)]
    result = streamer(*asked, "--plot", str(plot), "--json", timeout=280)
    assert result.code == 0, result.err
    fitted = result.report["fitted"]
    assert list(fitted) == ["audio"]
    assert fitted["audio"]["files"] == 40
    assert 0 <= fitted["audio"]["error_after"] <= 1
    assert {"depth", "imu"} == {note.split(":")[0] for note in result.report["notes"]}
    assert plot.read_bytes().startswith(b"\x89PNG")

    said = read_calibrated(str(written))
    assert said.model_hash == result.report["model_hash"]
    assert said.labels is not None
    assert said.labels.set == result.report["label_set"]
    assert said.labels.temperatures == {"audio": fitted["audio"]["temperature"]}
    assert said.conventions.length_s == {"audio": 2}

    sound = str(next(shared("recordings/audio_esc10").glob("dog_bark/*")))
    named = ["--set", f"encoder.calibration={written}"]
    before, after = (
        streamer("embed", sound, "--config", config, *more, timeout=200) for more in ([], named)
    )
    assert (before.code, after.code) == (0, 0), before.err + after.err
    said_before, said_after = (
        {json.loads(line)["calibrated"] for line in result.out.splitlines()}
        for result in (before, after)
    )
    assert (said_before, said_after) == ({False}, {True})

    other = streamer("embed", sound, "--config", config, *named, "--set", "encoder.seed=1")
    assert other.code == 2
    assert "expected one made for this model" in other.err.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_world_is_read_as_the_built_in_model_was_trained(tmp_path: Path) -> None:
    written = tmp_path / "calibration.yaml"
    asked = ["calibrate", "--world", "240", "-o", str(written), "--json"]
    result = streamer(*asked, timeout=880)
    assert result.code == 0, result.err
    chosen = result.report["chosen"]
    # sun and metric give nearly the same vectors of rooms; plain does not.
    assert chosen["depth"] in ({}, {"preset": "sun"})
    best, *_, worst = result.report["compared"]["depth"][0]["candidates"]
    assert best["settings"] in ({"preset": "sun"}, {"preset": "metric"})
    assert worst["settings"] == {"preset": "plain"}
    assert worst["high"] < best["low"]
    assert chosen["imu"]["order"] == "accelerometer gyroscope"
    assert chosen["imu"]["acceleration"] == "m/s^2"
    assert chosen["imu"]["rotation"] == "rad/s"
    assert chosen["imu"]["gravity"] == "keep"
    assert chosen["imu"]["axes"] == "x y z"
    fitted = result.report["fitted"]
    assert set(fitted) == {"vision", "audio", "depth", "thermal", "imu"}
    for each in fitted.values():
        # What comes with the weights was fitted on ten times as many scenes.
        assert each["error_after"] < 0.15
    assert written.is_file()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["-o", "there.txt"], "there.txt: expected a name that ends in .yaml"),
        (["-o", "c.yaml", "--plot", "p.png"], "--plot: draws how often labels are right"),
        (["-o", "c.yaml", "--set", "encoder={kind: noop}"], "expected imagebind, got noop"),
        (["-o", "c.yaml", "--set", "encoder.calibration=x.yaml"], "x.yaml: expected a file"),
        (["-o", "c.yaml", "--config", "demo"], "sources: expected files, got live ones"),
        (["-o", "c.yaml", "--world", "48", "a.mp4"], "--world: takes no files beside it"),
    ],
)
def test_what_cannot_work_is_found_at_once(config: str, more: list[str], message: str) -> None:
    result = streamer("calibrate", "--config", config, *more, "--json", timeout=200)
    assert result.code == 2, result.err
    assert message in result.err
    assert not result.report["ok"]


@pytest.mark.timeout(300)
def test_labels_that_the_set_does_not_hold_are_named(config: str, tmp_path: Path) -> None:
    shutil.copy(shared("recordings/audio_freesound/snoring.wav"), tmp_path)
    (tmp_path / "labels.csv").write_text("file,label\nsnoring.wav,snoring\n")
    asked = ["calibrate", "--config", config, "--data", str(tmp_path), "-o", "c.yaml", "--json"]
    result = streamer(*asked, timeout=200)
    assert result.code == 2
    assert '"snoring" is not among them' in result.err
