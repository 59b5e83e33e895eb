"""A robot of five live sensors that are harmed while it runs: `python -m tests.soak`.

    python -m tests.soak --seconds 1800 --seed 7

`streamer run` with an RTSP camera, a microphone through PortAudio, an inertial unit on a serial
line, a depth camera through pyrealsense2 and a thermal recording; a real broker; a process that
has the devices and does two faults a minute to each; an observer over MQTT; a judge. Prints a table
and, as the last line, one JSON object. Status 1 if a promise was broken.
"""

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import yaml

from benchmarks.result import say
from streamer.clock import SystemClock
from streamer.types import NS_PER_S
from tests.mosquitto import Mosquitto
from tests.needs import ROOT
from tests.soak.judge import Verdict, judge
from tests.soak.observer import Observer, observing
from tests.soak.processes import family, left_of
from tests.soak.table import table
from tests.soak.timeline import Ending, Fault, Terms

HOP_S, LATENESS_S = 0.5, 0.1
LENGTHS_S = {"front": 2.0, "mic": 2.0, "base": 5.0, "front-depth": 2.0, "front-thermal": 2.0}

START_S, STOP_S = 90.0, 60.0
"""How long everything has to come up, and to end."""


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    arguments.add_argument("--seconds", type=float, default=60)
    arguments.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32))
    arguments.add_argument(
        "--allowance",
        type=float,
        default=0.25,
        help="seconds an embedding may be late for the machine's sake (%(default)s)",
    )
    chosen = arguments.parse_args()
    print(f"seed {chosen.seed}", file=sys.stderr, flush=True)
    terms = Terms(
        round(HOP_S * NS_PER_S),
        round(LATENESS_S * NS_PER_S),
        {stream: round(s * NS_PER_S) for stream, s in LENGTHS_S.items()},
        round(chosen.allowance * NS_PER_S),
        chosen.seconds,
    )
    with TemporaryDirectory(prefix="soak-run-") as folder:
        verdict = soak(Path(folder), chosen.seed, terms)
    print(table(verdict.figures))
    for line in verdict.broken:
        print(line, file=sys.stderr)
    asked = {"seconds": chosen.seconds, "seed": chosen.seed, "allowance_s": chosen.allowance}
    say("soak", **asked, **verdict.figures, broken=verdict.broken)
    return 1 if verdict.broken else 0


def soak(folder: Path, seed: int, terms: Terms) -> Verdict:
    """Run it for as long as `terms` say from when every stream publishes. It logs to `folder`."""
    (folder / "broker").mkdir()
    # A queue that no run can fill: what is missed is to be the robot's own doing.
    lines = ("allow_anonymous true", "set_tcp_nodelay true", "max_queued_messages 0")
    broker = Mosquitto(folder / "broker", *lines)
    broker.start()
    try:
        with injecting(seed) as injector, observing(broker.port) as observer:
            rigged = injector.hear()
            (folder / "robot.yaml").write_text(
                yaml.safe_dump(robot(rigged["sources"], broker.port)), encoding="utf-8"
            )
            return _run(folder, rigged["environment"], injector, observer, terms)
    finally:
        broker.kill()


def robot(sources: Any, port: int) -> dict[str, Any]:
    return {
        "sources": sources,
        "encoder": {"kind": "noop"},
        "labels": False,
        "windows": {"hop_s": HOP_S, "lateness_s": LATENESS_S},
        "sinks": [{"kind": "mqtt", "port": port, "robot": "soak"}],
    }


def _run(
    folder: Path,
    environment: Mapping[str, str],
    injector: "Injector",
    observer: Observer,
    terms: Terms,
) -> Verdict:
    log = folder / "run.log"
    with log.open("wb") as stderr:
        run = subprocess.Popen(
            [sys.executable, "-m", "streamer", "run", str(folder / "robot.yaml"), "--json"],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    try:
        for _ in range(int(START_S)):
            if observer.wait_for_streams(set(terms.lengths_ns), 1) or run.poll() is not None:
                break
        else:
            raise TimeoutError(f"not every stream came up:\n{tail(log)}")
        clock = SystemClock()
        began_ns = clock.now_ns()
        injector.tell({"pid": run.pid, "seconds": terms.seconds})
        faults = injector.faults()
        rest_s = terms.seconds - (clock.now_ns() - began_ns) / NS_PER_S
        # It is not to end by itself.
        try:
            run.wait(max(0.0, rest_s))
        except subprocess.TimeoutExpired:
            ended_ns = clock.now_ns()
        else:
            raise RuntimeError(f"the run ended by itself:\n{tail(log)}")
        relatives = family(run.pid)
        run.send_signal(signal.SIGTERM)
        said, _ = run.communicate(timeout=STOP_S)
    finally:
        run.kill()
        run.wait()
    if not observer.wait_for_the_end(STOP_S):
        raise TimeoutError(f"the run did not say that it was over:\n{tail(log)}")
    if not said.strip():
        raise RuntimeError(f"no report, status {run.returncode}:\n{tail(log)}")
    report = json.loads(said.splitlines()[-1])
    ending = Ending(run.returncode, left_of(relatives))
    verdict = judge(observer.timeline(ended_ns), faults, report, ending, terms)
    if verdict.broken:
        print(tail(log), file=sys.stderr)
    return verdict


class Injector:
    """The process that harms the devices, from the outside."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def hear(self) -> dict[str, Any]:
        line = _pipe(self._process.stdout).readline()
        if not line:
            raise RuntimeError(f"the process that has the devices ended: {self._process.wait()}")
        said = json.loads(line)
        if "error" in said:
            raise RuntimeError(said["error"])
        return said

    def tell(self, what: dict[str, Any]) -> None:
        pipe = _pipe(self._process.stdin)
        pipe.write(json.dumps(what) + "\n")
        pipe.flush()

    def faults(self) -> list[Fault]:
        """All that it does, when it has done them."""
        faults: list[Fault] = []
        while "done" not in (said := self.hear()):
            faults.append(Fault(*said["fault"]))
        return faults


@contextmanager
def injecting(seed: int) -> Generator[Injector, None, None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.soak.injector", str(seed)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Injector(process)
    finally:
        # It puts its devices away when nobody talks to it any more.
        process.communicate(timeout=STOP_S)


def _pipe(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise RuntimeError("expected a pipe")
    return pipe


def tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-8000:]


if __name__ == "__main__":
    sys.exit(main())
