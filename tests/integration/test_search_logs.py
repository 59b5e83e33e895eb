"""`streamer search` in recorded logs: the right moment is first, in any sense; and refusals."""

import runpy
import shutil
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from encoders.imagebind.runtime import ImageBindEncoder
from encoders.search import combined, cosines
from sources.recording.format import EMBEDDING, LABEL
from sources.replay.container import McapLog
from sources.replay.own import OwnLog
from streamer.cli.main import app
from streamer.cli.search.gallery import SENSES, Gallery
from streamer.cli.search.logs import look, rows_of
from streamer.events import Arrived
from streamer.types import NS_PER_S, Modality, Truth
from tests.e2e.command import Result
from tests.needs import ROOT
from tests.world_log import BEGAN_NS, WorldLog

# The whole file shares one recording, which takes as long as many other tests.
pytestmark = pytest.mark.slow

WORLD = WorldLog(seed=4, seconds=56)
"""A person; a dog and a drone; a tap; a radio and an alarm; rough ground; a tap and a person; a
kettle: 8 s each."""


def streamer(*arguments: str) -> Result:
    """As the command of that name; a second process would spend its time on imports."""
    done = CliRunner().invoke(app, arguments)
    return Result(done.exit_code, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`raw.mcap`, of sensors alone; `run.mcap`, with what the built-in model made of them."""
    folder = tmp_path_factory.mktemp("logs")
    WORLD.write(folder / "raw.mcap")
    settings = {
        "sources": [{"kind": "replay", "path": str(folder / "raw.mcap")}],
        "windows": {"hop_s": 1.0},
        "encoder": {"kind": "imagebind", "weights": "builtin", "device": "cpu"},
        "labels": False,
        "record": {"path": str(folder / "run.mcap")},
    }
    (folder / "again.yaml").write_text(yaml.safe_dump(settings))
    done = streamer("run", str(folder / "again.yaml"))
    assert done.code == 0, done.err
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> str:
    return str(folder / "run.mcap")


@pytest.fixture(scope="module")
def examples(folder: Path) -> Path:
    """Pictures and sounds of other scenes."""
    with pytest.MonkeyPatch.context() as patch:
        page = str(ROOT / "docs" / "how-to" / "world_files.py")
        concepts = ["a dog barking", "a kettle boiling"]
        patch.setattr(sys, "argv", [page, str(folder / "examples"), *concepts])
        runpy.run_path(page, run_name="__main__")
    return folder / "examples"


@lru_cache(maxsize=1)
def truths() -> list[Truth]:
    return WORLD.truths()


def share(concept: str, start_s: float, end_s: float) -> float:
    """Of a span of the log in seconds: how much of it has the concept to perceive."""
    there = [
        any(concept in names for names in each.present.values())
        for each in truths()
        if (each.span.start_ns - BEGAN_NS) / NS_PER_S >= start_s - 1e-6
        and (each.span.end_ns - BEGAN_NS) / NS_PER_S <= end_s + 1e-6
    ]
    return float(np.mean(there)) if there else 0.0


def found(*arguments: str) -> list[dict[str, Any]]:
    result = streamer("search", *arguments, "--json")
    assert result.code == 0, result.err
    hits: list[dict[str, Any]] = result.report["hits"]
    return hits


def first(hits: Sequence[dict[str, Any]], concept: str) -> bool:
    return share(concept, hits[0]["t0_s"], hits[0]["t1_s"]) >= 0.5


def test_the_name_of_what_was_there_finds_when_it_was(run: str) -> None:
    names = sorted({n for each in truths() for ns in each.present.values() for n in ns})
    encoder = ImageBindEncoder(weights="builtin", device="cpu", precision="fp32")
    with encoder.open([], text=True) as opened:
        texts, dim = opened.text(names), opened.dim
    lost: list[str] = []
    log = look(Path(run))
    rows = list(rows_of(log, dim, SENSES, (), lost))
    right: list[bool] = []
    for name, text in zip(names, texts, strict=True):
        gallery = Gallery({run: log.began_s})
        for places, vectors in rows:
            gallery.add(places, cosines(vectors, combined(text[None], [1])))
        right.append(first([hit.plain() for hit in gallery.best(1)], name))
    # A window that somebody points at blindly.
    chance = np.mean([share(name, 0, WORLD.seconds) for name in names])
    assert len(names) == 8
    assert not lost
    assert np.mean(right) > max(0.6, 3 * chance), (dict(zip(names, right, strict=True)), chance)


def test_a_hit_says_when_in_the_log_and_by_the_clock_and_who_saw_it(run: str) -> None:
    result = streamer("search", run, "a kettle boiling", "--top", "3", "--json")
    assert result.code == 0, result.err
    (best, *_) = hits = result.report["hits"]
    # The last scene of 8 s.
    assert 47 <= best["t0_s"] < best["t1_s"] <= 56.1
    assert best["from_s"] <= best["t0_s"]
    assert best["t1_s"] <= best["to_s"]
    assert best["to_s"] - best["from_s"] > 3, "a moment and not every window of it"
    assert best["utc"].startswith("2026-11-18T11:07:")
    assert {best["stream"], *best["also"]} <= {
        "camera", "microphone", "depth", "heat", "imu", "fused"
    }  # fmt: skip
    assert best["also"], "more than one sense has a kettle"
    for one in hits[1:]:
        assert one["to_s"] < best["from_s"] or best["to_s"] < one["from_s"]
    assert set(result.report["searched"]) == {*SENSES} - {"text"}
    assert f"streamer replay {run} --from {best['from_s']:g}" in result.err
    assert result.report["model"] == "builtin"


@pytest.mark.parametrize(
    ("query", "concept", "modality"),
    [
        (["--image", "a-kettle-boiling-1.png"], "a kettle boiling", None),
        (["--image", "a-kettle-boiling-2.png"], "a kettle boiling", "audio"),
        (["--audio", "a-dog-barking-1.wav"], "a dog barking", "depth"),
        (["--audio", "a-kettle-boiling-1.wav"], "a kettle boiling", "thermal"),
        (
            ["--image", "a-kettle-boiling-1.png::0.5", "--audio", "a-kettle-boiling-2.wav"],
            "a kettle boiling",
            "fused",
        ),
    ],
    ids=["picture", "picture-sound", "sound-depth", "sound-heat", "sum-fused"],
)
def test_pictures_sounds_and_sums_find_moments_of_any_sense(
    run: str, examples: Path, query: list[str], concept: str, modality: Modality | None
) -> None:
    of = [str(examples / each) if each.startswith("a-") else each for each in query]
    only = [] if modality is None else ["--modality", modality]
    hits = found(run, *of, *only)
    assert first(hits, concept), hits[:3]
    if modality is not None:
        assert {hit["modality"] for hit in hits} == {modality}


def test_streams_and_folders_narrow_and_widen_what_is_searched(run: str, tmp_path: Path) -> None:
    hits = found(run, "a dog barking", "--streams", "depth, heat")
    assert {hit["stream"] for hit in hits} == {"depth", "heat"}
    parts = tmp_path / "parts"
    parts.mkdir()
    for name in ("b.mcap", "a.mcap"):
        shutil.copy(run, parts / name)
    (parts / "notes.md").write_text("no log")
    once, twice = found(run, "a dog barking"), found(str(parts), "a dog barking")
    # Two files of one run tell of the same time: no moment is told twice.
    assert [hit["t0_s"] for hit in twice] == [hit["t0_s"] for hit in once]
    assert {hit["file"] for hit in twice} == {str(parts / "a.mcap")}


def test_logs_are_searched_beside_files_and_outputs(
    run: str, examples: Path, tmp_path: Path
) -> None:
    picture, output = str(examples / "a-kettle-boiling-1.png"), str(tmp_path / "seen.jsonl")
    assert streamer("embed", str(examples / "a-dog-barking-1.png"), "-o", output).code == 0
    hits = found(run, output, picture, "a kettle boiling", "--top", "40")
    assert {hit["file"] for hit in hits} == {run, str(examples / "a-dog-barking-1.png"), picture}
    assert all(("utc" in hit) == (hit["file"] == run) for hit in hits)


def test_what_cannot_be_searched_is_one_line(folder: Path, run: str, tmp_path: Path) -> None:
    raw, foreign = str(folder / "raw.mcap"), tmp_path / "foreign.mcap"
    foreign.write_bytes(b"not at all")
    bare = tmp_path / "bare"
    bare.mkdir()
    random = ["--config", "demo", "--set", "encoder.weights=random"]
    for arguments, message in (
        ([raw, "a dog"], "raw.mcap: holds sensors and no embeddings"),
        ([run, "a dog", *random], "run.mcap: expected vectors of the query's model"),
        ([run, "a dog", "--streams", "lidar"], "--streams: expected one of camera, depth, fused"),
        ([run, "a dog", "--streams", "imu", "--modality", "audio"], "to search of audio and imu"),
        ([str(folder / "again.yaml"), "a dog", "--streams", "imu"], "and there is none"),
        ([str(foreign), "a dog"], "foreign.mcap: expected an MCAP file"),
        ([str(bare), "a dog"], "bare: expected files, or a folder of logs"),
    ):
        result = streamer("search", *arguments, "--json")
        assert result.code in (1, 2), arguments
        (error,) = result.report["errors"]
        assert message in error
        assert "Traceback" not in result.err
    # One of several is searched, and the other named.
    result = streamer("search", raw, run, "a dog barking", "--json")
    assert result.code == 1
    (lost,) = result.report["lost"]
    assert "raw.mcap: holds sensors and no embeddings" in lost
    assert first(result.report["hits"], "a dog barking")


def test_of_a_log_that_was_cut_off_the_rest_is_searched(run: str, tmp_path: Path) -> None:
    whole = Path(run).read_bytes()
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(whole[: len(whole) * 6 // 10])
    result = streamer("search", str(cut), "a dog barking", "--json")
    assert result.code == 1
    (lost,) = result.report["lost"]
    assert "cut.mcap: cut off" in lost
    assert first(result.report["hits"], "a dog barking")
    assert max(hit["to_s"] for hit in result.report["hits"]) < 45
    counts = result.report["searched"]
    assert 15 < counts["audio"] < 45, "two thirds of the windows"


def test_vectors_have_chunks_of_their_own(run: str) -> None:
    """Who searches reads them by the index, and a small part of the file."""
    log = McapLog(Path(run))
    index = log.index()
    assert index is not None
    made = {n for n, spec in index.channels.items() if spec.topic.startswith((EMBEDDING, LABEL))}
    assert made
    with_made = [chunk for chunk in index.chunks if made & chunk.message_index_offsets.keys()]
    for chunk in with_made:
        assert chunk.message_index_offsets.keys() <= made
    share = sum(c.chunk_length for c in with_made) / sum(c.chunk_length for c in index.chunks)
    assert share < 0.1
    log.close()


def test_recording_a_log_again_keeps_what_happened(folder: Path) -> None:
    """The same windows, digest for digest, and vectors beside them now."""
    digests: list[dict[str, str] | None] = []
    for name in ("raw.mcap", "run.mcap"):
        log = McapLog(folder / name)
        digests.append(log.metadata("streamer.digest"))
        log.close()
    assert digests[0] is not None
    assert digests[0] == digests[1]
    again = OwnLog(folder / "run.mcap")
    events = [item for item in again.events() if not isinstance(item, Truth)]
    again.close()
    stamps = [event.sample.end_ns for event in events if isinstance(event, Arrived)]
    assert events[-1].now_ns - max(stamps) < 10 * NS_PER_S, "the end has the clock of another day"
