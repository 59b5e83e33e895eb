"""The commands as a user meets them: exit status, the JSON line, one-line errors, signals."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from encoders.imagebind.preprocess import files
from sources.demo_clip import make_clip
from tests.e2e.command import flags, started, streamer
from tests.mosquitto import Mosquitto, free_port

CLIP = str(Path(__file__).with_name("clip.yaml"))


def clip_run(*overrides: str) -> list[str]:
    """A run from a file on a port of its own."""
    return [CLIP, *flags([f"sinks.0.port={free_port()}", *overrides])]


def test_a_run_from_a_file_ends_and_reports() -> None:
    result = streamer("run", *clip_run(), "--json")
    assert result.code == 0, result.err
    report = result.report
    assert report["ok"]
    assert report["lost"] == []
    assert {name: s["embeddings"] for name, s in report["streams"].items()} == {
        "camera": 23,
        "microphone": 24,
    }
    assert report["fused"] == 24
    sink = report["sinks"][0]
    assert sink["produced"] == sink["delivered"] >= 71 * 2
    assert sink["dropped"] == {}
    assert report["ticks"]["pending"] == 0
    assert "labels mean NOTHING" in result.err, "random weights say so, loudly"
    assert len(result.out.splitlines()) == 1


def test_listen_hears_a_run_whole() -> None:
    at = clip_run()
    listening = started("listen", *at, "--count", "71", "--seconds", "90", "--json")
    ran = streamer("run", *at)
    out, err = listening.communicate(timeout=100)
    assert ran.code == 0, ran.err
    report = json.loads(out.splitlines()[-1])
    assert listening.returncode == 0, err
    assert report["embeddings"] == 71
    assert (report["missing"], report["duplicates"], report["malformed"]) == (0, 0, 0)
    assert set(report["streams"]) == {"demo/camera", "demo/microphone", "demo/fused"}
    assert report["streams"]["demo/camera"]["rate_hz"] == 2.0


def test_listen_to_nobody_is_a_failure_that_says_why() -> None:
    result = streamer("listen", *clip_run(), "--seconds", "1", "--json")
    assert result.code == 1
    assert not result.report["ok"]
    assert "refused" in result.report["why"].lower()


def test_check_says_rates_and_topics() -> None:
    result = streamer("check", CLIP, "--json")
    assert result.code == 0, result.err
    report = result.report
    assert report["streams"]["camera"]["rate_hz"] == 25
    assert report["streams"]["microphone"]["rate_hz"] == 48000
    assert "streamer/v1/demo/embedding/vision/camera" in report["topics"]
    assert "streamer/v1/demo/label/fused" in report["topics"]


def test_check_of_a_file_that_is_no_media_fails_in_its_row() -> None:
    result = streamer("check", "media", "--set", "sources.0.path=README.md", "--json")
    assert result.code == 1
    verdict = result.report["streams"]["gopro"]["verdict"]
    assert verdict.startswith("README.md: not a media file")
    assert "would publish" not in result.err


def test_check_names_the_stream_of_a_lost_source_once(tmp_path: Path) -> None:
    config = tmp_path / "imu.yaml"
    config.write_text(
        f"""
        sources:
          - {{kind: serial_imu, stream: base, port: {tmp_path}/none, accel: [0, 1, 2],
              gyro: [3, 4, 5], accel_unit: g, gyro_unit: rad/s}}
        encoder: {{kind: noop}}
        sinks: [{{kind: jsonl, path: {tmp_path}/out.jsonl}}]
        """
    )
    result = streamer("check", str(config))
    assert result.code == 1
    (line,) = (x for x in result.err.splitlines() if "cannot be opened" in x)
    assert line.startswith(f"base: {tmp_path}/none: cannot be opened")


def test_a_run_from_files_waits_for_a_broker_that_comes_late(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    sink = f"sinks.0={{kind: mqtt, robot: late, port: {broker.port}}}"
    at = flags([sink, "encoder={kind: noop}"])
    running = started("run", CLIP, *at, "--json")
    try:
        assert running.stderr is not None
        for line in running.stderr:
            if "waiting for a sink" in line:
                break
        broker.start()
        try:
            out, err = running.communicate(timeout=60)
        finally:
            broker.kill()
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 0, err
    report = json.loads(out.splitlines()[-1])
    assert report["lost"] == []
    assert report["embeddings"]["delivered"] == 71


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("encoder.weights=nope.pth", "encoder.weights: nope.pth: no such file"),
        ("encoder.device=cuda", "device: expected cuda, but torch"),
        ("labels.set=nope", "nope: expected a label set (No such file"),
        ("sinks=[{kind: jsonl, path: README.md}]", "sinks.0.path: README.md exists"),
    ],
)
@pytest.mark.parametrize("command", ["run", "check"])
def test_what_cannot_work_is_found_before_anything_is_loaded(
    command: str, override: str, message: str
) -> None:
    result = streamer(command, CLIP, "--set", override, "--json")
    assert result.code in (1, 2)
    assert result.err.startswith(f"error: {message}")
    assert len(result.err.splitlines()) == 1
    assert not result.report["ok"]
    assert result.report["errors"] == [result.err.splitlines()[0].removeprefix("error: ")]


def test_a_run_that_cannot_read_its_file_is_one_line() -> None:
    at = ["--set", "sources.0.path=/nowhere.mp4", "--set", "encoder={kind: noop}"]
    result = streamer("run", "media", *at, "--set", f"sinks.0.port={free_port()}", "--seconds", "5")
    assert result.code == 1
    assert [x for x in result.err.splitlines() if "error" in x] == [
        "error: /nowhere.mp4: no such file"
    ]
    assert "Traceback" not in result.err


@pytest.mark.parametrize("command", ["demo", "run", "check", "embed", "search", "listen"])
def test_a_typo_is_one_line_and_status_2(command: str) -> None:
    files = {"embed": ["README.md"], "search": ["README.md", "a dog"], "demo": []}
    where = files.get(command, ["demo"])
    result = streamer(command, *where, "--set", "sinks.0.prot=1")
    assert result.code == 2
    assert result.err == "error: sinks.0.mqtt.prot: Extra inputs are not permitted\n"


@pytest.mark.parametrize(
    "command", ["", "demo", "run", "devices", "check", "snapshot", "embed", "search", "listen"]
)
def test_help_teaches(command: str) -> None:
    result = streamer(*[command] if command else [], "--help")
    assert result.code == 0
    assert len(result.out.splitlines()) > 8


def test_embed_gives_unit_vectors_of_pictures_sound_and_video(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    make_clip(clip, 4)
    still = tmp_path / "still.png"
    subprocess_png(still)
    lines = tmp_path / "out.jsonl"
    of = [str(clip), str(still), "--config", CLIP]
    result = streamer("embed", *of, "-o", str(lines), "--json")
    assert result.code == 0, result.err
    records = [json.loads(line) for line in lines.read_text().splitlines()]
    found = [(Path(r["file"]).name, r["modality"], r["t0_s"], r["t1_s"]) for r in records]
    assert found == [
        ("clip.mp4", "vision", 0.0, 2.0),
        ("clip.mp4", "audio", 0.0, 2.0),
        ("clip.mp4", "vision", 2.0, 4.0),
        ("clip.mp4", "audio", 2.0, 4.0),
        ("still.png", "vision", 0.0, 2.0),
    ]
    for record in records:
        assert np.linalg.norm(record["vector"]) == pytest.approx(1, abs=1e-5)
        assert sum(label["p"] for label in record["labels"]) == pytest.approx(1, abs=1e-4)
    assert result.report["vectors"] == 5

    matrix = tmp_path / "out.safetensors"
    again = streamer("embed", *of, "-o", str(matrix))
    assert again.code == 0, again.err
    vectors = load_file(matrix)["vectors"]
    assert vectors == pytest.approx(np.array([r["vector"] for r in records]), abs=1e-6)


def subprocess_png(path: Path) -> None:
    import cv2

    cv2.imwrite(str(path), np.full((60, 80, 3), 200, np.uint8))
    assert files.picture(path).shape == (60, 80, 3)


def test_embed_never_overwrites(tmp_path: Path) -> None:
    there = tmp_path / "out.jsonl"
    there.write_text("mine")
    result = streamer("embed", "README.md", "-o", str(there))
    assert result.code == 2
    assert "exists already" in result.err
    assert there.read_text() == "mine"


def live_run() -> subprocess.Popen[str]:
    """A live run that has published something."""
    port = free_port()
    overrides = [
        "encoder={kind: noop}",
        "sinks.0={kind: mqtt, broker: embedded, robot: test}",
        f"sinks.0.port={port}",
        "health_s=0.2",
    ]
    running = started("run", "robot", *flags(overrides), "--json")
    listening = streamer("listen", "robot", *flags(overrides), "--count", "5", "--seconds", "60")
    assert listening.code == 0, listening.err
    return running


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_drains_and_leaves_with_status_0(number: signal.Signals) -> None:
    running = live_run()
    # As a terminal does: to the program and all that it started, the embedded broker too.
    os.killpg(running.pid, number)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 0, err
    report = json.loads(out.splitlines()[-1])
    assert report["ok"]
    assert report["ticks"]["pending"] == 0
    for stream in report["streams"].values():
        assert stream["samples"]["pending"] == 0
        assert stream["samples"]["dropped"] == {}
    sink = report["sinks"][0]
    assert sink["produced"] == sink["delivered"]
    assert sink["dropped"] == {}
    assert "connection lost" not in err


def test_a_second_signal_ends_at_once() -> None:
    running = live_run()
    running.send_signal(signal.SIGINT)
    running.send_signal(signal.SIGINT)
    started_s = time.perf_counter()
    running.communicate(timeout=30)
    # The two may arrive as one; then it drains. Either way it does not hang.
    assert running.returncode in (0, 128 + signal.SIGINT)
    assert time.perf_counter() - started_s < 10


def test_seconds_ends_a_live_run() -> None:
    port = free_port()
    overrides = ["encoder={kind: noop}", "sinks.0={kind: mqtt, broker: embedded, robot: test}",
                 f"sinks.0.port={port}"]  # fmt: skip
    result = streamer("run", "robot", *flags(overrides), "--seconds", "4", "--json")
    assert result.code == 0, result.err
    ends = [s["embeddings"] for s in result.report["streams"].values()]
    assert min(ends) >= 3
    assert re.search(r"ticks in \d", result.err)
