"""Recording as a user meets it: files that are whole, one-line errors, disks that are full."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from sources.recording.format import CONFIG, DIGEST, SESSION
from streamer.cli.main import app
from streamer.events import Arrived
from streamer.types import NS_PER_S
from tests.disks import check_chunks, events_of, metadata
from tests.e2e.command import COMMAND, OURS, Result, flags, started, streamer
from tests.needs import ROOT

SENSORS = str(Path(__file__).with_name("sensors.yaml"))


def whole(path: Path) -> dict[str, int]:
    """Samples by stream of a file that was closed."""
    assert metadata(path, DIGEST)["windows"]
    check_chunks(path)
    samples: dict[str, int] = {}
    for event in events_of(path):
        if isinstance(event, Arrived):
            samples[event.sample.stream] = samples.get(event.sample.stream, 0) + 1
    return samples


def test_sensors_are_recorded_and_the_command_says_what(tmp_path: Path) -> None:
    path = tmp_path / "walk.mcap"
    result = streamer(
        "record", SENSORS, "-o", str(path), "--seconds", "3", "--json",
        *flags(["record.pictures=png"]),
    )  # fmt: skip
    assert result.code == 0, result.err
    report = result.report
    assert report["ok"]
    assert report["lost"] == []
    record = report["record"]
    samples = whole(path)
    assert samples.keys() == {"front", "mic", "base"}
    for stream, count in samples.items():
        account = record["streams"][stream]
        assert account == {"produced": count, "delivered": count, "dropped": {}, "pending": 0}
    digest = metadata(path, DIGEST)["windows"]
    (file,) = record["files"]
    assert (file["windows"], file["bytes"], file["path"]) == (
        digest,
        path.stat().st_size,
        str(path),
    )
    told = " ".join(result.err.split())
    assert f"3 streams, {sum(samples.values())} samples" in told
    assert f"windows {digest[:16]}" in told
    assert metadata(path, SESSION)["part"] == "0"
    stored = yaml.safe_load(metadata(path, CONFIG)["yaml"])
    assert [source["stream"] for source in stored["sources"]] == ["front", "mic", "base"]
    assert stored["record"]["pictures"] == "png"


@pytest.mark.slow
def test_files_are_recorded_whole_and_end_by_themselves(tmp_path: Path) -> None:
    path = tmp_path / "clip.mcap"
    clip = str(ROOT / "tests" / "e2e" / "clip.yaml")
    result = streamer("record", clip, "-o", str(path), "--json")
    assert result.code == 0, result.err
    assert not result.report["stopped"]
    samples, streams = whole(path), result.report["streams"]
    assert samples == {name: stream["samples"]["produced"] for name, stream in streams.items()}
    assert samples["camera"] > 100


def test_what_fills_no_window_is_in_the_file_and_not_lost(tmp_path: Path) -> None:
    """A fifth of a second."""
    table, config, path = tmp_path / "imu.csv", tmp_path / "imu.yaml", tmp_path / "imu.mcap"
    stamps = [1e6 + n / 100 for n in range(20)]
    table.write_text("".join(f"{t},0,0,9.8,0,0,0\n" for t in stamps))
    columns = "accel: [1, 2, 3], gyro: [4, 5, 6], time: 0, time_unit: s, header: false"
    units = "accel_unit: m/s^2, gyro_unit: rad/s, start: file"
    source = f"{{kind: imu_csv, path: {table}, stream: imu, {columns}, {units}}}"
    config.write_text(f"sources: [{source}]\nencoder: {{kind: noop}}\nlabels: false\n")
    done = CliRunner().invoke(app, ["record", str(config), "-o", str(path), "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["ok"]
    assert report["streams"]["imu"]["embeddings"] == 0
    assert whole(path)["imu"] == report["record"]["streams"]["imu"]["delivered"]


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, id="int", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, id="term"),
    ],
)
def test_a_signal_ends_the_recording_and_the_file_is_whole(
    tmp_path: Path, number: signal.Signals
) -> None:
    path = tmp_path / "run-%Y.mcap"
    recording = started("record", SENSORS, "-o", str(path), *flags(["record.rotate_s=1"]))
    parts = wait_for_parts(tmp_path, 3, recording)
    recording.send_signal(number)
    _, err = recording.communicate(timeout=60)
    assert recording.returncode == 0, err
    parts = sorted(tmp_path.iterdir())
    assert len(parts) >= 3
    assert all("%" not in each.name for each in parts)
    assert sum(sum(whole(each).values()) for each in parts) > 20
    assert f"and {len(parts) - 1} more" in err


def wait_for_parts(folder: Path, number: int, child: subprocess.Popen[str]) -> list[Path]:
    deadline = time.perf_counter() + 60
    while len(found := sorted(folder.iterdir())) < number:
        assert child.poll() is None, child.communicate()
        assert time.perf_counter() < deadline, found
        time.sleep(0.02)
    return found


def on_a_full_disk(*arguments: str, kilobytes: int) -> Result:
    """The command where no file can grow beyond so much: the system then takes no more."""
    limited = ["bash", "-c", f'ulimit -f {kilobytes}; exec "$@"', "bash", *COMMAND, *arguments]
    done = subprocess.run(
        limited,
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, **OURS},
        cwd=ROOT,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.mark.slow
def test_a_full_disk_stops_the_recording_with_a_state_and_nothing_else(tmp_path: Path) -> None:
    path, said = tmp_path / "run.mcap", tmp_path / "said.jsonl"
    result = on_a_full_disk(
        "run", SENSORS, "--seconds", "6", "--json",
        *flags([
            f"record={{path: {path}, quality: 100}}",
            "sources.0.width=640",
            "sources.0.height=480",
            f"sinks=[{{kind: jsonl, path: {said}, vectors: false}}]",
        ]),
        kilobytes=60,
    )  # fmt: skip
    assert result.code == 1, result.err
    lines: list[dict[str, Any]] = [json.loads(line) for line in said.read_text().splitlines()]
    states = [line for line in lines if line["topic"] == "recording/status"]
    assert [line["state"] for line in states][:2] == ["recording", "failed"]
    assert {line["path"] for line in states} == {str(path)}
    failed = next(line for line in states if line["state"] == "failed")
    assert failed["why"] == "File too large"
    assert states[-1]["dropped"]["failed"] > 0
    after = lines[lines.index(failed) :]
    assert sum(line["topic"] == "embedding/vision/front" for line in after) >= 3, "it goes on"

    record = result.report["record"]
    assert record["state"] == "failed"
    assert f"recorded {path}: 3 streams" in " ".join(result.err.split())
    assert result.report["lost"][0] == "recording stopped: File too large"
    assert any("samples of front" in line for line in result.report["lost"])
    for account in record["streams"].values():
        dropped = sum(account["dropped"].values())
        assert account["produced"] == account["delivered"] + dropped
        assert account["pending"] == 0
    # What was there until then can be read, and is what was said to be there.
    check_chunks(path)
    kept = [e.sample.stream for e in events_of(path) if isinstance(e, Arrived)]
    for stream in ("front", "mic", "base"):
        assert 0 < record["streams"][stream]["delivered"] <= kept.count(stream)


@pytest.mark.slow
def test_the_command_that_only_records_ends_when_it_cannot(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    result = on_a_full_disk("record", SENSORS, "-o", str(path), kilobytes=60)
    assert result.code == 1, result.err
    assert "recording stopped: File too large" in result.err
    assert events_of(path)


# -- killed --------------------------------------------------------------------------------------

ZYGOTE = """
import asyncio, mmap, os, sys

import streamer.cli.main
from configs.load import load_sensors
from encoders.noop import NoopEncoder
from pathlib import Path
from streamer.cli import session


class Witness:
    # Hears every event before the recorder does; what it writes survives this process.
    def __init__(self, path):
        with open(path, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 8)

    def heard(self, event, ticks):
        self._memory[:] = event.now_ns.to_bytes(8, "little")

    async def room(self):
        pass


def record(folder):
    noop = NoopEncoder(dim=2)
    config = load_sensors("demo", (), record_to=Path(folder) / "run.mcap")
    bare = config.model_copy(update={"encoder": noop, "labels": False, "sinks": ()})
    with noop.open(bare.modalities, text=False) as encoder:
        asyncio.run(session.run(bare, encoder, taps=[Witness(folder + "/pushed")]))


for line in sys.stdin:
    child = os.fork()
    if child == 0:
        record(line.strip())
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Forks a process that records, for every folder that it is told: without the seconds that a start
takes. Answers with its number, and at its end with its status."""


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_kill_at_any_moment_loses_at_most_a_second(tmp_path: Path) -> None:
    lost_s: list[float] = []
    with subprocess.Popen(
        [sys.executable, "-c", ZYGOTE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as zygote:
        assert zygote.stdin is not None
        assert zygote.stdout is not None
        for number in range(20):
            folder = tmp_path / str(number)
            folder.mkdir()
            path = folder / "run.mcap"
            (folder / "pushed").write_bytes(bytes(8))
            zygote.stdin.write(f"{folder}\n")
            zygote.stdin.flush()
            child = int(zygote.stdout.readline())
            deadline = time.perf_counter() + 60
            while not path.exists() or path.stat().st_size < 20_000:
                assert time.perf_counter() < deadline
                time.sleep(0.01)
            # Moments that are spread evenly over the chunks.
            time.sleep(1 + 2 * ((number * 0.618) % 1))
            os.kill(child, signal.SIGKILL)
            assert int(zygote.stdout.readline()) == -signal.SIGKILL
            pushed_ns = int.from_bytes((folder / "pushed").read_bytes(), "little")
            check_chunks(path)
            events = events_of(path)
            lost_s.append((pushed_ns - events[-1].now_ns) / NS_PER_S)
            assert any(isinstance(event, Arrived) for event in events)
            assert pushed_ns - events[0].now_ns > NS_PER_S
        zygote.stdin.close()
    print("lost:", sorted(round(each, 3) for each in lost_s))
    assert max(lost_s) <= 1.0
    assert max(lost_s) > 0, "kills between the chunks lose something"
