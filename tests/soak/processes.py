"""The processes of a run's devices, from the outside: found by the stream that they are for."""

import threading

import psutil

WITHIN_S = 20.0


class Processes:
    """`pid` is that of the run."""

    def __init__(self) -> None:
        self.pid = 0

    def of(self, stream: str) -> psutil.Process:
        """That of a source whose first stream is `stream`; one that is just being started is
        waited for."""
        again = threading.Event()
        for _ in range(int(WITHIN_S / 0.02)):
            for child in psutil.Process(self.pid).children():
                if _is_for(child, stream):
                    return child
            again.wait(0.02)
        raise TimeoutError(f"no process for {stream} within {WITHIN_S:g} s")

    def kill(self, stream: str) -> None:
        self.of(stream).kill()

    def freeze(self, stream: str) -> None:
        self.of(stream).suspend()


def _is_for(process: psutil.Process, stream: str) -> bool:
    try:
        words = process.cmdline()
    except psutil.NoSuchProcess:
        return False
    return "sources.isolated.child" in words and words[-1] == stream
