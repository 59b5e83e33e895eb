"""The processes of a run, from the outside: those of its devices are found by their stream."""

import threading
from collections.abc import Sequence

import psutil

WITHIN_S = 20.0
LEFT_S = 2.0
"""How long a process may outlive the run: the last of it is done by the kernel, or by init."""


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


def family(pid: int) -> list[psutil.Process]:
    """All that descend from `pid`. To be asked while it is there, since orphans have no name."""
    return psutil.Process(pid).children(recursive=True)


def left_of(processes: Sequence[psutil.Process]) -> list[str]:
    """The command of each that is still there after a while; they are killed."""
    _, alive = psutil.wait_procs(processes, timeout=LEFT_S)
    left: list[str] = []
    for process in alive:
        try:
            # A zombie is over; whoever inherited it has not looked yet.
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            left.append(f"{process.pid} {' '.join(process.cmdline())}")
            process.kill()
        except psutil.NoSuchProcess:
            continue
    return left
