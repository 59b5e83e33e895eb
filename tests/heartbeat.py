"""How long the machine itself stood still, told by a process that has nothing else to do.

A virtual machine can be held up for a second by its host. Whatever waits then is late, and no code
under test has a part in it.
"""

import mmap
import os
import struct
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from tempfile import NamedTemporaryFile

BEAT_S = 0.01
_TOTAL = struct.Struct("d")


class Heartbeat:
    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._memory = mmap.mmap(file.fileno(), _TOTAL.size, access=mmap.ACCESS_READ)

    @property
    def stood_still_s(self) -> float:
        """Seconds in all, since it began, by which the beats were late."""
        return _TOTAL.unpack_from(self._memory)[0]


@contextmanager
def beating() -> Generator[Heartbeat]:
    with NamedTemporaryFile() as file:
        file.write(bytes(_TOTAL.size))
        file.flush()
        with Popen([sys.executable, __file__, file.name, str(os.getpid())]) as beats:
            yield Heartbeat(Path(file.name))
            beats.kill()


def _beat(path: Path, parent: int) -> None:
    with path.open("r+b") as file:
        memory = mmap.mmap(file.fileno(), _TOTAL.size)
    total_s, last = 0.0, time.perf_counter()
    while os.getppid() == parent:
        time.sleep(BEAT_S)
        now = time.perf_counter()
        # Twice the time that was asked for is how timers are, not a machine that stands still.
        total_s += max(0.0, now - last - 2 * BEAT_S)
        last = now
        _TOTAL.pack_into(memory, 0, total_s)


if __name__ == "__main__":
    _beat(Path(sys.argv[1]), int(sys.argv[2]))
