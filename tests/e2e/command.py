"""The `streamer` command as a child process, as a user's shell starts it."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.needs import ROOT

COMMAND = [sys.executable, "-m", "streamer"]
# A wide terminal, so that nothing a test looks for is cut; one thread, since CI shares two cores.
OURS = {"COLUMNS": "160", "NO_COLOR": "1"}


@dataclass(frozen=True, slots=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """The JSON object that `--json` promises as the last line."""
        return json.loads(self.out.splitlines()[-1])


def streamer(*arguments: str, timeout: float = 100) -> Result:
    done = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **OURS},
        cwd=ROOT,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **OURS},
        cwd=ROOT,
        start_new_session=True,  # a signal to its group reaches it and all that it started
    )


def flags(overrides: Sequence[str]) -> list[str]:
    return [part for override in overrides for part in ("--set", override)]
