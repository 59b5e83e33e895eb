"""A real RTSP camera for tests: a GStreamer server in a process of its own, on loopback.

    with rtsp_server() as camera:       # width=320, height=240, rate_hz=30, codec="h264" | "jpeg"
        camera.url                      # rtsp://127.0.0.1:PORT/camera, the same after each start
        camera.freeze(); camera.thaw()  # SIGSTOP, SIGCONT: connections stay and nothing comes
        camera.stop(); camera.start()   # SIGKILL, as if unplugged; back on the same port
        camera.hold()                   # goes on, with the same picture each time

`RtspServer(...)` is the same without the context manager: call `start`, and `stop` at the end.

Each picture carries a number that can be read after compression: `number(picture)`. It counts the
camera's periods on CLOCK_MONOTONIC, so `age_s(picture, rate_hz, t_ns)` says how old a picture was
at `t_ns` whoever delivered it. The lower half is red, to tell RGB from BGR.
`user` and `password` ask for them (basic authentication).
"""

import select
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tests.needs import missing

BITS = 16
READY_S = 20.0
# The Python that the distribution's bindings belong to, not the one that runs the tests.
PYTHON = Path("/usr/bin/python3")
_CHILD = Path(__file__).with_name("rtsp_server_child.py")
_NEEDED = """
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
elements = [Gst.ElementFactory.find(name) for name in ("appsrc", "jpegenc", "x264enc")]
raise SystemExit(not all(elements))
"""


class RtspServer:
    """One camera at `url`. Everything blocks for a moment: in a coroutine use `to_thread`."""

    def __init__(
        self,
        *,
        width: int = 320,
        height: int = 240,
        rate_hz: int = 30,
        codec: Literal["h264", "jpeg"] = "h264",
        user: str | None = None,
        password: str | None = None,
    ) -> None:
        self.rate_hz = rate_hz
        self.port = 0
        account = [] if user is None else [user, password or ""]
        self._options = [str(width), str(height), str(rate_hz), codec, *account]
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/camera"

    @property
    def running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        """Listening when it returns, on the port of before if there was one."""
        if self._process is not None:
            return
        self._process = subprocess.Popen(
            [PYTHON, _CHILD, str(self.port), *self._options], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], READY_S)
        line = self._process.stdout.readline() if ready else ""
        if not line.strip().isdecimal():
            self.stop()
            raise AssertionError(f"the RTSP server did not start on port {self.port}: {line!r}")
        self.port = int(line)

    def stop(self) -> None:
        """SIGKILL, frozen or not: its connections are reset."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None

    def freeze(self) -> None:
        """SIGSTOP: the kernel still accepts connections, and nothing is said on any."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def hold(self) -> None:
        """From now on the same picture, at the same rate; until it is stopped."""
        self._signal(signal.SIGUSR1)

    def _signal(self, number: int) -> None:
        assert self._process is not None, "the RTSP server is not running"
        self._process.send_signal(number)


@contextmanager
def rtsp_server(
    *,
    width: int = 320,
    height: int = 240,
    rate_hz: int = 30,
    codec: Literal["h264", "jpeg"] = "h264",
    user: str | None = None,
    password: str | None = None,
) -> Generator[RtspServer, None, None]:
    """A running one; gone at the end, whatever the test did to it. Skips where it cannot run."""
    if not _installed():
        missing("GStreamer's RTSP server with python3-gi (make system)")
    server = RtspServer(
        width=width, height=height, rate_hz=rate_hz, codec=codec, user=user, password=password
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()


def number(picture: NDArray[Any]) -> int:
    """The number of a picture (H, W, 3), of whatever size it has been made."""
    height, width, _ = picture.shape
    row = picture[height // 4, :, 1].astype(np.int64)
    centres = [(2 * bit + 1) * width // (2 * BITS) for bit in range(BITS)]
    return sum(1 << (BITS - 1 - bit) for bit, x in enumerate(centres) if row[x] > 127)


def age_s(picture: NDArray[Any], rate_hz: int, t_ns: int) -> float:
    """How old a picture was at `t_ns` (CLOCK_MONOTONIC), to one period of its camera."""
    periods = (t_ns * rate_hz // 1_000_000_000 - number(picture)) % (1 << BITS)
    half = 1 << (BITS - 1)
    return (periods - 2 * half if periods >= half else periods) / rate_hz


def _installed() -> bool:
    if not PYTHON.exists():
        return False
    tried = subprocess.run([PYTHON, "-c", _NEEDED], capture_output=True, check=False, timeout=60)
    return tried.returncode == 0
