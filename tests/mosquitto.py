"""A real mosquitto for a test: on a free loopback port, killed, stopped and restarted at will."""

import asyncio
import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.needs import program

READY_S = 5.0
_DEFAULT = ("allow_anonymous true", "set_tcp_nodelay true", "persistence false")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """`lines` follow the listener in its configuration. The folder must be readable by all: a
    mosquitto that root starts becomes the user mosquitto."""

    def __init__(self, folder: Path, *lines: str, port: int = 0) -> None:
        self.port = port or free_port()
        self._program = program("mosquitto")
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "mosquitto.log"
        self._config = folder / "mosquitto.conf"
        text = [f"listener {self.port} 127.0.0.1", *(lines or _DEFAULT), "log_dest stderr"]
        self._config.write_text("\n".join(text) + "\n", encoding="utf-8")
        open_to_all(folder)

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-c", str(self._config)], stdout=log, stderr=log
            )
        deadline = time.perf_counter() + READY_S
        while not self._accepts():
            if self._process.poll() is not None or time.perf_counter() > deadline:
                raise AssertionError(f"mosquitto did not start: {self.log()}")
            time.sleep(0.01)

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """SIGSTOP: it accepts connections, since the kernel does, and answers nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def _signal(self, number: int) -> None:
        assert self._process is not None, "mosquitto is not running"
        self._process.send_signal(number)

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


def open_to_all(folder: Path) -> None:
    """Let the user mosquitto in: pytest makes its folders for their owner alone."""
    if os.geteuid() != 0 or not any(entry.pw_name == "mosquitto" for entry in pwd.getpwall()):
        return
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid != 0 or len(parent.parts) <= 2:
            break
        parent.chmod(parent.stat().st_mode | 0o055)
    folder.chmod(0o777)
    for item in folder.iterdir():
        item.chmod(0o644)


@asynccontextmanager
async def mosquitto(folder: Path, *lines: str, port: int = 0) -> AsyncGenerator[Mosquitto]:
    """A running one; gone at the end, whatever the test did to it."""
    broker = Mosquitto(folder, *lines, port=port)
    await asyncio.to_thread(broker.start)
    try:
        yield broker
    finally:
        broker.kill()
