"""`streamer snapshot`: files, devices that fail, and folders that have something in them."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from sources.isolated.watch import Patience
from sources.world.source import World
from streamer.cli.main import app
from streamer.cli.snapshot.draw import draw
from streamer.cli.snapshot.take import Taken, take
from streamer.types import NS_PER_S, AudioBlock, Sample
from tests.e2e.command import Result, flags
from tests.needs import ROOT
from tests.puppet import Puppet

CLIP = str(ROOT / "tests/e2e/clip.yaml")


def streamer(*arguments: str) -> Result:
    """The command in this process: to start one takes seconds."""
    done = CliRunner().invoke(app, arguments)
    return Result(done.exit_code, done.stdout, done.stderr)


def test_a_file_becomes_a_picture_a_stream_and_nothing_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    made = streamer("snapshot", CLIP, "-o", str(folder), "--seconds", "2", "--json")
    assert made.code == 0, made.err
    streams = made.report["streams"]
    assert {name: each["file"] for name, each in streams.items()} == {
        "camera": str(folder / "camera.png"),
        "microphone": str(folder / "microphone.png"),
    }
    assert sorted(path.name for path in folder.iterdir()) == ["camera.png", "microphone.png"]
    # The clip's disc is red for two seconds; it is on the page, and nothing else there is.
    page = cv2.imread(str(folder / "camera.png"))
    assert page is not None
    red = (page[:, :, 2] > 170) & (page[:, :, 1] < 110) & (page[:, :, 0] < 110)
    assert red.sum() > 5000
    assert "48000 Hz; peak -" in streams["microphone"]["notes"][0]["text"]

    (folder / "camera.png").write_bytes(b"mine")
    again = streamer("snapshot", CLIP, "-o", str(folder), "--json")
    assert again.code == 2
    assert "camera.png" in again.err
    assert "--force replaces them" in again.err
    assert len(again.err.splitlines()) == 1
    assert (folder / "camera.png").read_bytes() == b"mine"
    assert streamer("snapshot", CLIP, "-o", str(folder), "--force").code == 0
    assert (folder / "camera.png").read_bytes() != b"mine"


def test_a_source_that_gives_nothing_is_said_and_spoils_no_other(tmp_path: Path) -> None:
    sources = (
        "sources=[{kind: pictures, path: /nowhere.png, stream: gone, encoding: {kind: colour}},"
        " {kind: demo_clip, vision: camera, audio: mic, seconds: 2}]"
    )
    at = flags([sources, "encoder={kind: noop}"])
    result = streamer("snapshot", CLIP, *at, "-o", str(tmp_path), "--seconds", "1", "--json")
    assert result.code == 1
    streams = result.report["streams"]
    assert streams["gone"]["file"] is None
    assert "/nowhere.png" in streams["gone"]["why"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["camera.png", "mic.png"]


def test_a_folder_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("mine")
    result = streamer("snapshot", CLIP, "-o", str(there))
    assert result.code == 2
    assert result.err.startswith(f"error: {there}")
    assert len(result.err.splitlines()) == 1
    assert there.read_text() == "mine"


@pytest.mark.parametrize(
    ("then", "words"), [("lose", "puppet: unplugged"), ("hang", "no sample for 0.5 s")]
)
async def test_what_came_before_a_device_failed_is_drawn_with_why(then: str, words: str) -> None:
    settings = {"after": 5, "then": then, "patience": Patience(open_s=30, stall_s=0.5)}
    (taken,) = await take(Puppet.model_validate(settings), 30)
    assert len(taken.samples) == 1, "the newest picture alone"
    _, notes = draw(taken)
    assert words in notes[-1].text
    assert notes[-1].bad


async def test_the_world_is_right_in_all_five_senses() -> None:
    taken = await take(World(seed=1, truth=None), 2)
    said = {each.stream: draw(each)[1] for each in taken}
    assert set(said) == {"camera", "microphone", "depth", "thermal", "imu"}
    # A machine that is busy leaves holes in sound, which are said as they should be.
    bad = [note.text for notes in said.values() for note in notes if note.bad]
    assert [text for text in bad if "is missing" not in text] == []
    assert "gravity is on +z" in said["imu"][1].text


def test_stamps_that_leap_do_not_make_a_span_that_fills_the_memory() -> None:
    taken = Taken("mic", "audio", 2 * NS_PER_S)
    for t_s in (0, 1, 2, 3, 10**8, 10**8 + 1, 5):
        block = AudioBlock(np.ones(100, np.float32), 100)
        taken.add(Sample("mic", "audio", t_s * NS_PER_S, NS_PER_S, block))
    span_ns = max(s.end_ns for s in taken.samples) - taken.samples[0].t_ns
    assert span_ns <= 3 * NS_PER_S
    draw(taken)
