"""`streamer doctor` as a user meets it."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import flags, started, streamer
from tests.mosquitto import free_port

NOOP = "encoder={kind: noop}"


def by_name(report: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {finding["name"]: finding for finding in report["findings"]}


@pytest.mark.slow
def test_the_demo_passes() -> None:
    result = streamer("doctor", *flags([f"sinks.0.port={free_port()}"]), "--json")
    assert result.code == 0, result.err
    assert result.report["ok"]
    assert len(result.out.splitlines()) == 1
    found = by_name(result.report)
    assert {f"sensor {s}" for s in ("camera", "microphone", "depth", "thermal", "imu")} < set(found)
    assert all(set(each) == {"name", "state", "said", "remedy"} for each in found.values())
    assert found["weights"]["state"] == "pass"
    told = [line.split()[0] for line in result.err.splitlines()]
    assert told == [each["state"] for each in result.report["findings"]], "one line a check"


@pytest.mark.slow
def test_a_source_that_hangs_fails_and_the_command_ends(tmp_path: Path) -> None:
    # Opening a pipe waits for somebody who writes, and nothing interrupts it.
    pipe = tmp_path / "ride.mp4"
    os.mkfifo(pipe)
    port = free_port()
    source = f"sources=[{{kind: media, path: {pipe}, streams: {{vision: ride}}}}]"
    sinks = f"sinks=[{{kind: mqtt, port: {port}}}]"
    result = streamer("doctor", "media", *flags([source, sinks, NOOP]), "--json")
    assert result.code == 1
    found = by_name(result.report)
    assert found["sensor ride"]["state"] == "fail"
    assert "gave no answer" in found["sensor ride"]["said"]
    assert "check the path" in found["sensor ride"]["remedy"]
    assert found[f"broker mqtt://127.0.0.1:{port}"]["state"] == "fail"
    assert found["weights"]["state"] == "pass", "the rest goes on"


def test_a_configuration_that_is_wrong_is_an_error_of_one_line() -> None:
    result = streamer("doctor", "--set", "windows.hops=1", "--json")
    assert result.code == 2
    assert result.report["errors"] == ["windows.hops: Extra inputs are not permitted"]


def test_ctrl_c_ends_it_while_something_hangs(tmp_path: Path) -> None:
    pipe = tmp_path / "ride.mp4"
    os.mkfifo(pipe)
    source = f"sources=[{{kind: media, path: {pipe}, streams: {{vision: ride}}}}]"
    # A shell ignores it for what it runs in the background, and so would the child.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    child = started("doctor", "media", *flags([source, "sinks=[]", NOOP]))
    signal.signal(signal.SIGINT, before)
    assert child.stderr is not None
    lines: list[str] = []
    for line in child.stderr:
        lines.append(line)
        if "labels " in line:  # the last one before the source
            break
    # A writer that need not wait: the reader is there. It then waits for what is never written.
    deadline, writer = time.perf_counter() + 60, -1
    while writer < 0 and time.perf_counter() < deadline:
        try:
            writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            time.sleep(0.05)
    try:
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)
    finally:
        os.close(writer)
    assert child.returncode == 130
    assert "Traceback" not in err
