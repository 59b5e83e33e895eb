"""`streamer eval` as a user meets it, with random weights: everything is there and near chance."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from configs.evaluation import calibrate_file, world_labels
from encoders.imagebind.header import read_header
from streamer.types import MODALITIES
from tests.e2e.command import streamer
from tests.needs import shared
from tests.packed import SPEAKING, SPOKEN, packed_state, save_packed
from tests.tiny import TINY


@pytest.fixture
def config(tmp_path: Path) -> str:
    model = {**TINY, "vocab_size": 49408, "context_length": 77}
    encoder = {"kind": "imagebind", "weights": "random", "device": "cpu", "model": model}
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump({"sources": [{"kind": "demo_clip"}], "encoder": encoder}))
    return str(path)


def without_time(report: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in report.items() if key != "wall_s"}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_world_is_scored_and_drawn(config: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "eval.png"
    arguments = ["--moments", "96", "--workers", "0", "--plot", str(picture), "--json"]
    result = streamer("eval", config, *arguments, timeout=280)
    assert result.code == 0, result.err
    report = result.report
    assert report["ok"]
    assert (report["one"], report["several"]) == (48, 48)
    assert set(report["zero_shot"]) == set(report["calibration"]) == set(MODALITIES)
    assert len(report["zero_shot"]["vision"]["labels"]) == 24
    assert len(report["retrieval"]) == 20
    assert {b["modality"] for b in report["baselines"]} == set(MODALITIES)
    assert report["fitted_here"]
    assert report["calibrated_by"]["set"] == report["label_set"]
    assert report["arithmetic"]["size"] > 10
    assert picture.read_bytes().startswith(b"\x89PNG")
    for shown in ("zero-shot accuracy", "unseen", "Expected calibration error", "mean average"):
        assert shown in result.err


@pytest.mark.slow
@pytest.mark.timeout(1300)
def test_a_seed_gives_the_same_report_with_any_number_of_processes(config: str) -> None:
    arguments = ["eval", config, "--moments", "96", "--json"]
    here, there, other = (
        streamer(*arguments, *more, timeout=400)
        for more in (("--workers", "0"), ("--workers", "2"), ("--seed", "1"))
    )
    assert here.code == there.code == other.code == 0, here.err + there.err + other.err
    assert without_time(here.report) == without_time(there.report)
    assert here.report["zero_shot"] != other.report["zero_shot"]


@pytest.mark.timeout(300)
def test_labelled_sounds(config: str) -> None:
    table = shared("recordings/audio_esc10/meta.csv")
    result = streamer("eval", config, "--data", str(table), "--json", timeout=280)
    assert result.code == 0, result.err
    report = result.report
    assert (report["files"], len(report["labels"]), report["lost"]) == (40, 10, [])
    assert "dog bark" in report["labels"], "an underscore is a space"
    audio = report["results"]["audio"]
    assert audio["accuracy"]["n"] == 40
    assert audio["chance"] == pytest.approx(0.1)
    assert sum(map(sum, audio["confusion"])) == 40


@pytest.mark.timeout(300)
def test_pictures_are_what_the_modality_says(config: str, tmp_path: Path) -> None:
    import cv2
    import numpy as np

    for name, grey in (("warm", 200), ("cold", 20)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((60, 80), grey, np.uint8))
    (tmp_path / "labels.csv").write_text("file,label\nwarm.png,warm\ncold.png,cold\n")
    arguments = ["eval", config, "--data", str(tmp_path), "--modality", "thermal", "--json"]
    result = streamer(*arguments, timeout=280)
    assert result.code == 0, result.err
    assert list(result.report["results"]) == ["thermal"]
    assert result.report["results"]["thermal"]["accuracy"]["n"] == 2


@pytest.mark.timeout(300)
def test_tables_of_motion(config: str, tmp_path: Path) -> None:
    import numpy as np

    for name, turning in (("still", 0), ("turning", 2)):
        t = np.arange(500) / 100
        rows = [t, 0 * t, 0 * t, 0 * t + 9.8, 0 * t, 0 * t, turning + 0 * t]
        path = tmp_path / f"{name}.csv"
        header = "t_s,ax,ay,az,gx,gy,gz"
        np.savetxt(path, np.column_stack(rows), "%.4f", ",", header=header, comments="")
    table = tmp_path / "labels.csv"
    table.write_text("file,label\nstill.csv,still\nturning.csv,turning\n")
    arguments = ["--data", str(table), "--modality", "imu", "--json"]
    result = streamer("eval", config, *arguments, timeout=280)
    assert result.code == 0, result.err
    assert result.report["results"]["imu"]["accuracy"]["n"] == 2


@pytest.mark.timeout(300)
def test_what_cannot_work_is_found_at_once() -> None:
    result = streamer("eval", "nowhere.safetensors", "--json", timeout=280)
    assert result.code == 1
    assert result.err == "error: encoder.weights: nowhere.safetensors: no such file\n"
    assert not result.report["ok"]


def test_a_file_can_be_calibrated_in_place(tmp_path: Path) -> None:
    path = save_packed(tmp_path / "a.safetensors", packed_state(SPEAKING, SPOKEN), model=SPEAKING)
    assert read_header(path).calibration is None
    calibrate_file(path, count=48, workers=0)
    calibration = read_header(path).calibration
    assert calibration is not None
    assert calibration.set == world_labels().hash
    assert set(calibration.temperatures) == set(calibration.none_below) == set(MODALITIES)
