"""`streamer embed` and `search` in this process: files of all kinds, outputs, refusals."""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from sources.demo_clip import make_clip
from streamer.cli.main import app
from tests.e2e.command import Result
from tests.needs import ROOT
from tests.tiny import TINY


def streamer(*arguments: str) -> Result:
    """As the command of that name; a second process would spend its time on imports."""
    done = CliRunner().invoke(app, arguments)
    return Result(done.exit_code, done.stdout, done.stderr)


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    """A configuration with a small model that costs nothing and knows nothing."""
    model = {**TINY, "vocab_size": 49408, "context_length": 77}
    encoder = {"kind": "imagebind", "weights": "random", "device": "cpu", "model": model}
    path = tmp_path / "tiny.yaml"
    fields = {"sources": [{"kind": "demo_clip"}], "encoder": encoder, "labels": False}
    path.write_text(yaml.safe_dump(fields))
    return str(path)


def write_table(path: Path, seconds: float, names: str = "t_s,ax,ay,az,gx,gy,gz") -> None:
    t = np.arange(round(seconds * 100)) / 100
    still = np.zeros_like(t)
    rows = np.column_stack([t, still, still, still + 9.8, np.sin(t), still, still])
    np.savetxt(path, rows, "%.5f", ",", header=names, comments="")


def embedded(path: Path, *arguments: str) -> list[dict[str, Any]]:
    result = streamer("embed", *arguments, "-o", str(path), "--json")
    assert result.code == 0, result.err
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_depth_and_motion_are_embedded_as_what_they_are_said_to_be(
    tmp_path: Path, tiny: str
) -> None:
    metres = np.linspace(0.5, 4, 48 * 64, dtype=np.float32).reshape(48, 64)
    np.save(tmp_path / "floats.npy", metres)
    cv2.imwrite(str(tmp_path / "millimetres.png"), (metres * 1000).round().astype(np.uint16))
    write_table(tmp_path / "walk.csv", 10)
    still = [str(tmp_path / name) for name in ("floats.npy", "millimetres.png")]

    depth = embedded(tmp_path / "d.jsonl", *still, "--as", "depth", "--config", tiny)
    assert [(r["modality"], r["t0_s"], r["t1_s"]) for r in depth] == [("depth", 0, 2)] * 2
    # The same metres, rounded to millimetres.
    assert np.dot(depth[0]["vector"], depth[1]["vector"]) > 0.999
    table = [str(tmp_path / "walk.csv"), "--as", "imu", "--hop", "5", "--config", tiny]
    motion = embedded(tmp_path / "m.jsonl", *table)
    assert [(r["modality"], r["t0_s"], r["t1_s"]) for r in motion] == [
        ("imu", 0, 5), ("imu", 5, 10)
    ]  # fmt: skip


def test_files_and_outputs_are_searched_alike(tmp_path: Path, tiny: str) -> None:
    clip, notes = str(tmp_path / "clip.mp4"), str(tmp_path / "notes.txt")
    make_clip(Path(clip), 8)
    Path(notes).write_text("a red disc\n\na blue disc\n")
    lines, matrix = tmp_path / "out.jsonl", tmp_path / "out.safetensors"
    records = embedded(lines, clip, notes, "--config", tiny)
    assert [(r["line"], r["text"]) for r in records[-2:]] == [(1, "a red disc"), (3, "a blue disc")]
    assert streamer("embed", clip, notes, "-o", str(matrix), "--config", tiny).code == 0

    of = ["a disc", "--audio", f"{clip}::-0.5", "--top", "3", "--config", tiny, "--json"]
    reports = [
        streamer("search", *what, *of)
        for what in ([str(lines)], [str(matrix)], [clip, notes], [str(lines), str(matrix)])
    ]
    for result in reports:
        assert result.code == 0, result.err
        assert len(result.out.splitlines()) == 1
    hits = reports[0].report["hits"]
    assert reports[1].report["hits"] == hits
    assert reports[2].report["hits"] == hits
    # What is there twice is one moment all the same.
    again = [(hit["file"], hit["modality"], hit.get("t0_s")) for hit in reports[3].report["hits"]]
    assert len(set(again)) == len(again)
    report = reports[0].report
    assert report["searched"] == {"vision": 4, "audio": 4, "text": 2}
    assert [(p["kind"], p["weight"]) for p in report["query"]] == [("text", 1), ("audio", -0.5)]
    assert report["model_hash"] == records[0]["model_hash"]
    assert [hit["rank"] for hit in hits] == [1, 2, 3]
    assert hits[0]["score"] >= hits[1]["score"] >= hits[2]["score"]
    for shown in ("score", "cosine", "modality", "0:0", "in 4 vision, 4 audio, 2 text"):
        assert shown in reports[0].err

    # The query again, in float64, from the vectors of the output.
    sound = np.array([r["vector"] for r in records if r["modality"] == "audio"], np.float64)
    query = sound.mean(axis=0) / np.linalg.norm(sound.mean(axis=0))
    only = ["--audio", clip, "--modality", "audio", "--config", tiny, "--json"]
    heard = streamer("search", str(matrix), *only).report["hits"]
    expected = sorted(sound @ query, reverse=True)
    assert heard[0]["cosine"] == pytest.approx(expected[0], abs=1e-6)
    assert {hit["modality"] for hit in heard} == {"audio"}


def test_what_does_not_fit_is_one_line(tmp_path: Path, tiny: str) -> None:
    picture, lines = tmp_path / "still.png", tmp_path / "out.jsonl"
    cv2.imwrite(str(picture), np.full((60, 80, 3), 200, np.uint8))
    write_table(tmp_path / "walk.csv", 5)
    record = embedded(lines, str(picture), "--config", tiny)[0]
    bad = tmp_path / "bad.jsonl"
    bad.write_text(json.dumps({**record, "vector": [0.5] * 16}) + "\n")
    other = ["--config", tiny, "--set", "encoder.seed=1"]
    same = ["--config", tiny]
    for arguments, message in (
        ([str(lines), "a dog", *other], "out.jsonl: expected vectors of the query's model"),
        ([str(lines), *same], "expected something to look for"),
        ([str(lines), "nope.mp4", *same], "nope.mp4: no such file"),
        ([str(bad), "a dog", *same], "bad.jsonl: expected unit vectors, got one of length 2"),
        ([str(picture), "a dog", "--modality", "imu", *same], "vectors to search of imu, found"),
        ([str(lines), "--audio", str(picture), *same], "expected audio, it holds vision"),
        ([str(tmp_path / "walk.csv"), "a dog", *same], "a table does not say what it holds"),
    ):
        result = streamer("search", *arguments, "--json")
        assert result.code in (1, 2), arguments
        (error,) = result.report["errors"]
        assert message in error
        assert "Traceback" not in result.err


def test_a_sentence_finds_files_of_the_world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = str(ROOT / "docs" / "how-to" / "world_files.py")
    concepts = ["a dog barking", "a fire burning", "the robot turning left"]
    monkeypatch.setattr(sys, "argv", [page, str(tmp_path), *concepts])
    runpy.run_path(page, run_name="__main__")
    outputs: list[str] = []
    for kind, ending in (("depth", "depth.npy"), ("thermal", "heat.npy"), ("imu", "csv")):
        files = sorted(map(str, tmp_path.glob(f"*.{ending}")))
        outputs.append(str(tmp_path / f"{kind}.safetensors"))
        how = ["--as", kind, "--hop", "5", "-o", outputs[-1]]
        result = streamer("embed", *files, *how, "--set", "labels=false")
        assert result.code == 0, result.err
    sounds = sorted(map(str, tmp_path.glob("*.wav")))
    for concept, modality in (("a fire burning", "thermal"), ("the robot turning left", "imu")):
        result = streamer("search", *outputs, *sounds, concept, "--modality", modality, "--json")
        assert result.code == 0, result.err
        assert concept.replace(" ", "-") in result.report["hits"][0]["file"]
