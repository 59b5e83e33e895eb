"""The running process of one device: started, heard, ended."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys

log = logging.getLogger(__name__)

TERM_S, KILL_S = 1.0, 0.9
"""How long the process has to close its device, and then to be gone."""

_LAST_WORDS = 4096
# Blocks the event loop, and only where nobody can wait any more.
_REAP_S = 0.1


class Process:
    """The process of one device and what it wrote to stderr last."""

    def __init__(self, name: str, theirs: socket.socket, memory_fd: int) -> None:
        fds = (theirs.fileno(), memory_fd)
        self._stderr, stderr = os.pipe()
        try:
            # A session of its own: Ctrl-C is for the program, and what it starts ends with it.
            self._popen = subprocess.Popen(
                [
                    sys.executable, "-P", "-X", "faulthandler", "-m", "sources.isolated.child",
                    *map(str, fds), str(os.getpid()), name,
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                pass_fds=fds,
                start_new_session=True,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            )  # fmt: skip
        except OSError:
            os.close(self._stderr)
            raise
        finally:
            os.close(stderr)
        self._words = b""
        self._pidfd = os.pidfd_open(self._popen.pid)
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        loop = asyncio.get_running_loop()
        os.set_blocking(self._stderr, False)
        loop.add_reader(self._pidfd, self._note_end)
        loop.add_reader(self._stderr, self._listen)

    async def end(self) -> None:
        """TERM, and KILL if that does not do; then nothing that it started is left either."""
        if not self._gone.done():
            self._signal(signal.SIGTERM)
            # A stopped process gets no TERM before it goes on; it may yet close its device.
            self._signal(signal.SIGCONT)
            await self._wait(TERM_S)
        self._signal(signal.SIGKILL)
        if not await self._wait(KILL_S):
            log.error("process %d of a device cannot be ended", self._popen.pid)

    async def obituary(self) -> str:
        """What became of it, with the last it said."""
        if not await self._wait(KILL_S):
            return "its process closed the connection"
        code = self._popen.returncode
        self._listen()
        words = self._words.decode(errors="replace").strip()
        if words:
            log.warning("what the process of a device said last:\n%s", words)
        if code < 0:
            return f"its process ended with {_signal_name(-code)}"
        last = words.splitlines()[-1][:200] if words else "it said nothing"
        return f"its process ended with status {code}: {last}"

    def close(self) -> None:
        """Whoever was interrupted while it ended leaves nothing either."""
        if not self._gone.done():
            self._signal(signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(_REAP_S)
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._pidfd)
        loop.remove_reader(self._stderr)
        os.close(self._pidfd)
        os.close(self._stderr)

    async def _wait(self, seconds: float) -> bool:
        done, _ = await asyncio.wait([self._gone], timeout=seconds)
        return bool(done)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, number)

    def _note_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        self._popen.wait()
        if not self._gone.done():
            self._gone.set_result(None)

    def _listen(self) -> None:
        """Keep the last words. A pipe that nobody reads would stop the process one day."""
        try:
            said = os.read(self._stderr, 1 << 16)
        except BlockingIOError:
            return
        if not said:
            asyncio.get_running_loop().remove_reader(self._stderr)
        self._words = (self._words + said)[-_LAST_WORDS:]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
