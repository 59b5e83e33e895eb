"""`streamer replay` as a user meets it: one line of result, an exit status, one-line errors."""

import json
import os
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sources.recording import format as names
from streamer.cli.main import app
from tests import mediafiles
from tests.e2e.command import Result, started
from tests.replay_logs import CONFIG, without, write


def replay(*arguments: str) -> Result:
    """In this process: the command, its exit status and what it wrote."""
    done = CliRunner().invoke(app, ["replay", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Result(done.exit_code, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logs") / "log.mcap"
    write(path)
    return path


def test_verify_says_one_line_and_its_status_says_the_same(log: Path) -> None:
    done = replay(str(log), "--speed", "max", "--verify")
    assert done.code == 0, done.err
    assert done.out == "pass: 36 windows in 9 ticks agree, it holds no embeddings\n"


def test_digests_of_one_replay_hold_for_another(log: Path, tmp_path: Path) -> None:
    out = tmp_path / "digests.json"
    made = replay(str(log), "--speed", "max", "--digests", str(out))
    assert made.code == 0, made.err
    # Windows are cut as they were there, whatever is configured here.
    other = tmp_path / "other.yaml"
    other.write_text(f"{CONFIG}\nwindows: {{hop_s: 0.25}}\n")
    at = ["--speed", "max", "--verify", "--against", str(out), "--config", str(other)]
    done = replay(str(log), *at, "--json")
    assert done.code == 0, done.err
    assert done.report["ok"]
    assert done.report["verdict"].startswith("pass: 33 windows in 9 ticks agree, 42 embeddings")

    lines = out.read_text().splitlines()
    changed = [line.replace('"camera": "', '"camera": "0') for line in lines]
    out.write_text("\n".join(changed))
    done = replay(str(log), *at)
    assert done.code == 1
    assert done.out.startswith("FAIL: first difference: camera window ending 2023-11-14 22:13:21")
    assert len(done.out.splitlines()) == 1

    out.write_text("\n".join(lines[:-1]))
    done = replay(str(log), *at)
    assert done.code == 2
    assert "cut off" in done.err


def test_a_replay_publishes_what_the_configuration_asks_for(log: Path, tmp_path: Path) -> None:
    config, out = tmp_path / "config.yaml", tmp_path / "out.jsonl"
    config.write_text(f"{CONFIG}\nsinks: [{{kind: jsonl, path: {out}}}]\n")
    at = ["--speed", "max", "--config", str(config), "--from", "1", "--streams", "camera,depth"]
    done = replay(str(log), *at, "--json")
    assert done.code == 0, done.err
    sink = done.report["sinks"][0]
    assert sink["delivered"] == sink["produced"] > 10
    assert sorted(done.report["streams"]) == ["camera", "depth"]
    messages = [json.loads(line) for line in out.read_text().splitlines()]
    assert any("truth" in json.dumps(message) for message in messages)


def test_the_summary_names_what_was_replaced(log: Path, tmp_path: Path) -> None:
    sound = tmp_path / "tone.wav"
    mediafiles.write_audio(sound, [("pcm_s16le", 8000, [(0, mediafiles.tone(40000, 8000, 440))])])
    at = ["--speed", "max", "--substitute", f"microphone={sound}"]
    done = replay(str(log), *at)
    assert done.code == 0, done.err
    assert f"microphone: replaced by {sound}" in done.err


def test_ctrl_c_ends_a_loop_and_drains(log: Path) -> None:
    replaying = started("replay", str(log), "--speed", "5", "--loop", "--json")
    try:
        assert replaying.stderr is not None
        for line in replaying.stderr:
            if " of 0:0" in line:
                break
        os.kill(replaying.pid, signal.SIGINT)
        out, err = replaying.communicate(timeout=60)
    finally:
        replaying.kill()
        replaying.wait()
    assert replaying.returncode in (0, 1), err
    report = json.loads(out.splitlines()[-1])
    assert report["stopped"]
    assert report["ticks"]["pending"] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--speed", "fast"], "--speed: expected max or a number"),
        (["--streams", "lidar"], "has no stream 'lidar': expected some of camera, depth, imu"),
        (["--verify", "--streams", "imu"], "--verify needs the log as it is"),
        (["--verify", "--substitute", "imu=x"], "--verify needs the log as it is"),
        (["--against", "x"], "--against: expected --verify"),
        (["--verify", "--against", "README.md"], "README.md: expected JSON, one object a line"),
        (["--digests", "README.md"], "--digests README.md: File exists"),
    ],
    ids=["speed", "streams", "part", "substitute", "alone", "no digests", "exists"],
)
def test_what_cannot_be_done_is_one_line(log: Path, options: list[str], message: str) -> None:
    done = replay(str(log), *options)
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert message in line


@pytest.mark.parametrize("name", ["none.mcap", "README.md"])
def test_what_is_no_log_is_one_line(name: str) -> None:
    for options, status in [(["--verify"], 2), ([], 1)]:
        done = replay(name, *options)
        assert done.code == status, "nothing was compared, so nothing differs"
        assert len(done.err.splitlines()) == 1


def test_verify_without_its_model_proves_nothing(log: Path, tmp_path: Path) -> None:
    encoder = f"encoder={{kind: imagebind, weights: {tmp_path / 'none.pth'}}}"
    # With digests to write, embeddings are made.
    at = ["--speed", "max", "--digests", str(tmp_path / "digests.json"), "--set", encoder]
    done = replay(str(log), *at, "--verify")
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert "none.pth" in done.err


def test_verify_takes_the_whole_log_whatever_part_is_configured(log: Path, tmp_path: Path) -> None:
    part = f"{{kind: replay, path: {log}, only: [camera], from_ns: 1, to_ns: 2, again_s: 1}}"
    config = tmp_path / "part.yaml"
    config.write_text(f"sources: [{part}]\nencoder: {{kind: noop}}\nlabels: false\n")
    done = replay(str(log), "--speed", "max", "--verify", "--config", str(config))
    assert done.code == 0, done.out + done.err
    assert done.out.startswith("pass: 36 windows in 9 ticks agree")


def test_a_log_without_a_configuration_asks_for_an_encoder(log: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.mcap"
    without(log, bare, names.CONFIG)
    done = replay(str(bare), "--speed", "max")
    assert done.code == 2
    assert "--config" in done.err
    assert len(done.err.splitlines()) == 1
    done = replay(str(bare), "--speed", "max", "--set", "encoder={kind: noop}")
    assert done.code == 0, done.err


def test_damage_is_named_and_the_rest_is_replayed(log: Path, tmp_path: Path) -> None:
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 255
    (tmp_path / "hurt.mcap").write_bytes(content)
    done = replay(str(tmp_path / "hurt.mcap"), "--speed", "max", "--json")
    assert done.code == 1
    assert "lost: hurt.mcap: damaged chunk" in done.err
    report = done.report
    assert not report["ok"]
    assert any(cause.startswith("damaged chunk") for cause in report["problems"])
    assert any("damaged chunk" in line for line in report["lost"])
    assert report["ticks"]["delivered"] > 0
    verified = replay(str(tmp_path / "hurt.mcap"), "--speed", "max", "--verify")
    assert verified.code == 1
    assert "the log is damaged: damaged chunk" in verified.out


def test_a_log_that_was_cut_off_is_replayed_to_its_end(tmp_path: Path) -> None:
    write(tmp_path / "killed.mcap", finish=False)
    done = replay(str(tmp_path / "killed.mcap"), "--speed", "max", "--json")
    assert done.code == 0, done.err
    assert [cause[:7] for cause in done.report["problems"]] == ["cut off"]


@pytest.mark.parametrize("how", [["convert"], ["cut", "--from", "1"], ["cut", "--to", "4"]])
def test_what_is_made_of_a_damaged_log_proves_nothing(
    log: Path, tmp_path: Path, how: list[str]
) -> None:
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 255
    (tmp_path / "hurt.mcap").write_bytes(content)
    out = str(tmp_path / "out.mcap")
    command, *options = how
    made = CliRunner().invoke(
        app, ["log", command, str(tmp_path / "hurt.mcap"), "-o", out, *options]
    )
    assert made.exit_code == 0, made.output
    assert "left out: 1 x damaged chunk" in made.stderr
    done = replay(out, "--speed", "max", "--verify")
    assert done.code == 2, done.out
    assert "its recorder left out" in done.out
    assert "(damaged)" in done.out
