"""`streamer demo` as a user starts it: a world, a model, a broker, and a verdict."""

import json
import signal
from importlib.resources import files
from pathlib import Path

import pytest

from tests.e2e.command import flags, started, streamer
from tests.mosquitto import free_port

SENSES = ["camera", "microphone", "depth", "thermal", "imu"]
# A model that guesses, and only the senses that even a loaded machine simulates in time.
GUESSING = (
    "encoder={kind: noop}",
    *(f"sources.0.{sense}=null" for sense in ("camera", "depth", "thermal")),
)


def demo(*overrides: str) -> list[str]:
    """The demo on a port of its own."""
    return ["demo", *flags([f"sinks.0.port={free_port()}", *overrides]), "--json"]


def test_the_built_in_model_is_mostly_right_in_every_sense() -> None:
    weights = files("encoders").joinpath("assets", "builtin.safetensors")
    if not weights.is_file():
        pytest.fail("needs weights file: encoders/assets/builtin.safetensors", pytrace=False)
    result = streamer(*demo(), "--seconds", "16")
    assert result.code == 0, result.err
    report = result.report
    assert report["ok"]
    assert (report["lost"], report["wrong"]) == ([], [])
    assert list(report["senses"]) == [*SENSES, "fused"]
    for sense, score in report["senses"].items():
        # A window each half second; the first second has no world, the IMU's first windows are
        # not half full, and a loaded machine may drop ticks.
        assert score["embeddings"] >= 12, sense
        assert score["embeddings"] == score["judged"] + sum(score["not_judged"].values())
    assert report["judged"] >= 30
    assert report["hits"] >= 0.6 * report["judged"]
    assert report["truths"]["dropped"] == {}
    assert report["ticks"]["pending"] == 0
    assert report["latency"]["encode"]["p50_ms"] < 500, "real time at a hop of half a second"
    assert 0 < report["peak_memory_mb"] < 4000
    assert "not calibrated" not in result.err, "the weights bring what was fitted for these labels"


@pytest.mark.slow
def test_labels_that_are_guesses_are_status_1() -> None:
    result = streamer(*demo(*GUESSING), "--seconds", "9")
    assert result.code == 1, result.err
    report = result.report
    assert not report["ok"]
    assert report["lost"] == []
    assert report["wrong"][-1].startswith("all senses: ")
    assert list(report["senses"]) == ["microphone", "imu", "fused"]
    assert all(score["embeddings"] > 5 for score in report["senses"].values())
    assert report["judged"] >= 10
    assert 2 * report["hits"] < report["judged"]
    assert "wrong: all senses" in result.err
    assert "right so far: microphone " in result.err, "where there is no terminal"
    assert len(result.out.splitlines()) == 1


@pytest.mark.slow
def test_a_sense_that_never_comes_is_status_1_and_named() -> None:
    outage = "sources.0.faults={outages: [{stream: imu, at_s: 0, for_s: 100}]}"
    result = streamer(*demo(*GUESSING, outage), "--seconds", "4")
    assert result.code == 1, result.err
    assert "imu: no embedding came" in result.report["wrong"]
    assert "microphone: no embedding came" not in result.report["wrong"]


def test_without_labels_nothing_can_be_judged() -> None:
    result = streamer(*demo(*GUESSING, "labels=false"), "--seconds", "4")
    assert result.code == 2
    assert result.err.startswith("error: labels: expected a label set")


@pytest.mark.slow
def test_somebody_can_listen_meanwhile_and_a_picture_is_left(tmp_path: Path) -> None:
    at = flags([f"sinks.0.port={free_port()}", *GUESSING])
    listening = started("listen", *at, "--seconds", "60", "--count", "20", "--json")
    picture = tmp_path / "demo.svg"
    try:
        ran = streamer("demo", *at, "--seconds", "8", "--seed", "5", "--picture", str(picture))
        out, err = listening.communicate(timeout=60)
    finally:
        listening.kill()
    assert ran.code == 1, "guesses"
    heard = json.loads(out.splitlines()[-1])
    assert heard["ok"], err
    assert {"demo/microphone", "demo/fused"} <= set(heard["streams"])
    assert heard["truths"]["demo/truth"] > 5
    drawn = picture.read_text(encoding="utf-8")
    assert "microphone" in drawn
    assert "@font-face" not in drawn


def test_ctrl_c_ends_it_with_a_summary() -> None:
    running = started(*demo(*GUESSING))
    assert running.stderr is not None
    for line in running.stderr:
        if "scene 1" in line:
            break
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert "Traceback" not in err
    assert "judged" in err
    assert json.loads(out.splitlines()[-1])["stopped"]
