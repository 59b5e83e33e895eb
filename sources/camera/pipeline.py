"""Pictures of a GStreamer pipeline, run by `gst-launch-1.0` in a process of its own.

OpenCV's packages are built without GStreamer, and a pipeline that crashes or hangs, as those of
nvarguscamerasrc can, must be ended without asking it. The pictures come through a pipe, raw.
"""

import contextlib
import fcntl
import os
import select
import shlex
import shutil
import signal
import subprocess
import tempfile
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sources.camera.address import masked
from sources.camera.frames import Grab
from sources.isolated.bound import bound
from streamer.clock import monotonic_ns
from streamer.errors import SourceLost

PROGRAM = "gst-launch-1.0"

_PIPE_BYTES = 1 << 20
_LOOK_MS = 100
_END_S = 0.5
_WORDS = 8192
_MOST_WORDS = 1 << 20


class Pipeline:
    """`Frames` of a running pipeline of `width` x `height`. `text` ends with raw video; what
    follows it is added here. `rate_hz` is demanded where it is given."""

    order: Literal["RGB", "BGR"] = "RGB"

    def __init__(self, text: str, width: int, height: int, rate_hz: float | None) -> None:
        if shutil.which(PROGRAM) is None:
            raise SourceLost(f"a pipeline needs {PROGRAM}: install gstreamer1.0-tools, plugins too")
        self._height, self._width = height, width
        self.rate_hz = rate_hz or 0.0
        self.what = f"{PROGRAM}: {width}x{height}" + (f" at {rate_hz:g} fps" if rate_hz else "")
        self._raw = self._rows()
        self._filled = 0
        self._began_ns = 0
        self._pipe, theirs = os.pipe()
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close
        with contextlib.suppress(OSError):
            # More than a user may have is refused: then it goes in smaller pieces.
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        try:
            self._process = subprocess.Popen(
                bound([PROGRAM, "-q", *arguments(text, width, height, rate_hz, theirs)]),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # not for pictures: it is where gst-launch talks
                stderr=self._words,
                pass_fds=(theirs,),
            )
        except OSError:
            os.close(self._pipe)
            self._words.close()
            raise
        finally:
            os.close(theirs)

    def grab(self) -> Grab | None:
        """Stamped when its first byte came."""
        raw = memoryview(self._raw.data).cast("B")
        while self._filled < len(raw):
            poll = select.poll()
            poll.register(self._pipe, select.POLLIN)
            if not poll.poll(_LOOK_MS):
                return None
            count = os.readv(self._pipe, [raw[self._filled :]])
            if count == 0:
                raise SourceLost(self._obituary())
            if self._filled == 0:
                self._began_ns = monotonic_ns()
            self._filled += count
        self._filled = 0
        return Grab(self._began_ns)

    def picture(self) -> NDArray[Any]:
        if os.fstat(self._words.fileno()).st_size > _MOST_WORDS:
            # Warnings of weeks. The program writes at the place that is shared with it.
            self._words.seek(0)
            self._words.truncate()
        full, self._raw = self._raw, self._rows()
        return full[:, : 3 * self._width].reshape(self._height, self._width, 3)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._pipe)
        self._words.close()

    def _rows(self) -> NDArray[np.uint8]:
        # GStreamer's rows start at multiples of four bytes.
        return np.empty((self._height, -(-3 * self._width // 4) * 4), np.uint8)

    def _obituary(self) -> str:
        try:
            code = self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            return f"{PROGRAM} closed its output"
        if code < 0:
            return f"{PROGRAM} was ended by {signal.Signals(-code).name}"
        said = os.fstat(self._words.fileno()).st_size
        words = os.pread(self._words.fileno(), _WORDS, max(0, said - _WORDS))
        # Whole lines: the rest of one that was cut could no longer be masked.
        words, _, _ = words.rpartition(b"\n")
        if said > _WORDS:
            _, _, words = words.partition(b"\n")
        why = complaint(words.decode(errors="replace"))
        return f"{PROGRAM}: {why or 'the stream has ended'}"


def arguments(text: str, width: int, height: int, rate_hz: float | None, fd: int) -> list[str]:
    """The words of the pipeline, ending in raw RGB of a known size on a file descriptor."""
    caps = f"video/x-raw,format=RGB,width={width},height={height}"
    if rate_hz is not None:
        rate = Fraction(rate_hz).limit_denominator(1001)
        caps += f",framerate={rate.numerator}/{rate.denominator}"
    return [*shlex.split(text), "!", "videoconvert", "!", caps, "!", "fdsink", f"fd={fd}"]


def complaint(said: str) -> str:
    """The one line of gst-launch's that tells what is wrong, without accounts of addresses."""
    lines = [line.strip() for line in said.splitlines()]
    for start in ("ERROR", "WARNING: erroneous pipeline", "WARNING", ""):
        for line in lines:
            if line and line.startswith(start):
                return masked(line.partition(": ")[2] if start else line)[:200]
    return ""
