"""A minute of the soak test; `python -m tests.soak --seconds 1800` is the whole of it."""

import json
import subprocess
import sys

import pytest

from tests.needs import ROOT, program, shared


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_five_live_sensors_survive_a_minute_of_faults() -> None:
    for name in ("mosquitto", "pulseaudio", "gst-launch-1.0"):
        program(name)
    shared("recordings/thermal/cptv/possum.cptv")
    # A machine that runs tests for a living is busier than a robot.
    asked = ["--seconds", "60", "--seed", "20261121", "--allowance", "0.5"]
    soak = subprocess.run(
        [sys.executable, "-m", "tests.soak", *asked],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=380,
    )
    assert soak.returncode == 0, soak.stderr[-8000:]
    figures = json.loads(soak.stdout.splitlines()[-1])
    assert figures["broken"] == []
    # It did something: two faults a minute on each of five.
    assert figures["faults"]["count"] == 10
    assert all(stream["due"] > 60 for stream in figures["streams"].values())
