"""A minute of ruined logs; `python -m tests.fuzz_logs --seconds 600` goes on for longer."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.needs import ROOT


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_minute_of_ruined_logs_ends_no_reader(tmp_path: Path) -> None:
    """In a process of its own, whose memory is bounded."""
    command = [sys.executable, "-W", "error", "-m", "tests.fuzz_logs", "--seconds", "60"]
    done = subprocess.run(
        [*command, "--seed", "6", "--keep", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:] + done.stdout
    opened = json.loads(done.stdout.splitlines()[-1])["opened"]
    # How many there are in a minute is a matter of the machine; that none is left out is not.
    assert {"ours jpeg", "ours mixed", "ours png"} <= opened.keys()
    assert min(opened.values()) >= 4, opened
