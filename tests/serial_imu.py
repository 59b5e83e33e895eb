"""An inertial sensor on a serial line: a process that writes to a pseudo-terminal.

    with SerialImu(folder / "imu", rate_hz=200) as imu:   # a process of its own, at once plugged in
        imu.path          # a link that is there while the sensor is plugged in: the port to open
        imu.unplug()      # the line hangs up and the link is gone
        imu.replug()      # back under the same link, as another terminal
        imu.garbage(20)   # so many lines of noise, some of it not text, between the good ones
        imu.half_lines(5) # the first halves of so many readings, each with the end of its line
        imu.bad_sums(5)   # so many readings with a digit changed under way
        imu.step_clock(-3.0)  # its clock is set, seconds; readings go on coming at their rate
        imu.silence(True) # plugged in and mute; False: speaks again
        imu.flood(10)     # so many times its rate; 1: as before
        imu.sent          # whole good lines that went out so far
        imu.freeze(); imu.thaw()  # SIGSTOP, SIGCONT
    # leaving ends the process and removes the link; start() and stop() do the same

Each call returns when it is done. A line is `$IMU,<microseconds>,ax,ay,az,gx,gy,gz*CS` with CRLF:
acceleration in g, angular rate in deg/s, the time a counter of 32 bits that wraps. `ax` is a sine
of 1 Hz, `az` is 1 and `gx` counts the readings modulo 1000. `OPTIONS` is how to read that:

    SerialLines(stream="imu", port=str(imu.path), **OPTIONS)     # kind: serial_imu

Or `lines`, a text file, is sent once, line by line, as it is. Lines that find no room (nobody
reads) are dropped, as a UART would.
"""

import json
import math
import os
import selectors
import signal
import subprocess
import sys
import tty
from pathlib import Path
from types import TracebackType
from typing import Any

from streamer.clock import monotonic_ns
from tests.needs import ROOT

OPTIONS: dict[str, Any] = {
    "accel": (2, 3, 4),
    "gyro": (5, 6, 7),
    "accel_unit": "g",
    "gyro_unit": "deg/s",
    "time": 1,
    "time_unit": "us",
    "time_bits": 32,
    "prefix": "$IMU",
    "checksum": "xor",
}


class SerialImu:
    """The sensor, from the outside. `clock_s` is what its clock says at the start."""

    def __init__(
        self,
        path: Path,
        rate_hz: float = 200,
        *,
        clock_s: float = 0.0,
        lines: Path | None = None,
        silent: bool = False,
    ) -> None:
        self.path = path
        told = str(lines) if lines else None
        self._told = json.dumps([str(path), rate_hz, clock_s, told, silent])
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.serial_imu", self._told],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        self._answer()

    def stop(self) -> None:
        """Also where it is frozen, or was never started."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.communicate()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> "SerialImu":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def sent(self) -> int:
        return self._ask("sent")

    def unplug(self) -> None:
        self._ask("unplug")

    def replug(self) -> None:
        self._ask("replug")

    def garbage(self, lines: int) -> None:
        self._ask("garbage", lines)

    def half_lines(self, lines: int) -> None:
        self._ask("half_lines", lines)

    def bad_sums(self, lines: int) -> None:
        self._ask("bad_sums", lines)

    def step_clock(self, seconds: float) -> None:
        self._ask("step_clock", seconds)

    def silence(self, mute: bool) -> None:
        self._ask("silence", mute)

    def flood(self, times: int) -> None:
        self._ask("flood", times)

    def freeze(self) -> None:
        self._running.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._running.send_signal(signal.SIGCONT)

    @property
    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError("the sensor was not started")
        return self._process

    def _ask(self, what: str, argument: float = 0) -> int:
        stdin = self._running.stdin
        assert stdin is not None
        stdin.write(json.dumps([what, argument]) + "\n")
        stdin.flush()
        return self._answer()

    def _answer(self) -> int:
        stdout = self._running.stdout
        assert stdout is not None
        return int(stdout.readline())


class _Sensor:
    """The sensor, from the inside."""

    def __init__(
        self, path: str, rate_hz: float, clock_s: float, lines: str | None, silent: bool
    ) -> None:
        self._path = Path(path)
        self._period_ns = 1e9 / rate_hz
        self._clock_us = round(clock_s * 1e6)
        # Readings to send once; None: made as they are due.
        self._lines = None if lines is None else Path(lines).read_bytes().splitlines(keepends=True)
        self._silent = silent
        self._times = 1
        self._born_ns = monotonic_ns()
        self._due_ns = float(self._born_ns)
        self._count = 0
        self._rest = b""
        self._bad: list[str] = []
        self._fds: tuple[int, int] | None = None
        self.sent = 0
        self.replug()

    def unplug(self, _: float = 0) -> None:
        if self._fds is not None:
            self._path.unlink()
            for fd in self._fds:
                os.close(fd)
            self._fds = None

    def replug(self, _: float = 0) -> None:
        if self._fds is not None:
            return
        # The sensor holds its port too: readers come and go, and the line stays.
        master, port = os.openpty()
        tty.setraw(port)
        os.set_blocking(master, False)
        self._fds, self._rest = (master, port), b""
        self._path.unlink(missing_ok=True)
        self._path.symlink_to(os.ttyname(port))

    def garbage(self, lines: float) -> None:
        self._bad += ["garbage"] * int(lines)

    def half_lines(self, lines: float) -> None:
        self._bad += ["half"] * int(lines)

    def bad_sums(self, lines: float) -> None:
        self._bad += ["sum"] * int(lines)

    def step_clock(self, seconds: float) -> None:
        self._clock_us += round(seconds * 1e6)

    def silence(self, mute: float) -> None:
        self._silent = bool(mute)

    def flood(self, times: float) -> None:
        self._times = int(times)

    @property
    def wait_s(self) -> float:
        return max(0.0, (self._due_ns - monotonic_ns()) / 1e9)

    def speak(self) -> None:
        """All that is due: a busy machine makes the sensor late, not slow."""
        while self._due_ns <= monotonic_ns():
            taken_ns = int(self._due_ns)
            self._due_ns += self._period_ns / self._times
            if self._silent or self._fds is None:
                continue
            if self._bad:
                self._send(self._damaged(self._bad.pop(0), taken_ns))
            elif self._lines is None:
                self.sent += self._send(self._line(taken_ns))
            elif self._lines:
                # Sent once and whole: these wait for room.
                if not self._send(self._lines[0]):
                    break
                self._lines.pop(0)
                self.sent += 1

    def _line(self, taken_ns: int) -> bytes:
        self._count += 1
        clock_us = ((taken_ns - self._born_ns) // 1000 + self._clock_us) % (1 << 32)
        ax = math.sin(2 * math.pi * (taken_ns - self._born_ns) / 1e9)
        body = f"IMU,{clock_us},{ax:.6f},0.0,1.0,{self._count % 1000},-0.5,0.25"
        return b"$%s*%02X\r\n" % (body.encode(), _xor(body.encode()))

    def _damaged(self, how: str, taken_ns: int) -> bytes:
        line = self._line(taken_ns)
        match how:
            case "half":
                return line[: len(line) // 2] + b"\r\n"
            case "sum":
                return line.replace(b",-0.5,", b",-0.6,")
            case _:
                return b"\xff\xfe\x00garbage,%d,,\x80*ZZ\n" % self._count

    def _send(self, line: bytes) -> bool:
        """Whole or not at all; what is half through goes first."""
        if self._fds is None or not self._flush():
            return False
        self._rest = line
        self._flush()
        return True

    def _flush(self) -> bool:
        try:
            while self._rest and self._fds:
                self._rest = self._rest[os.write(self._fds[0], self._rest) :]
        except BlockingIOError:
            return False
        return True


def _xor(body: bytes) -> int:
    total = 0
    for byte in body:
        total ^= byte
    return total


def _main(told: str) -> None:
    path, rate_hz, clock_s, lines, silent = json.loads(told)
    sensor = _Sensor(path, rate_hz, clock_s, lines, silent)
    print(0, flush=True)
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            if selector.select(sensor.wait_s):
                # One question at a time: the next comes after the answer.
                asked = sys.stdin.readline()
                if not asked:
                    return  # nobody is there any more
                what, argument = json.loads(asked)
                if what != "sent":
                    getattr(sensor, what)(argument)
                print(sensor.sent, flush=True)
            sensor.speak()


if __name__ == "__main__":
    _main(sys.argv[1])
