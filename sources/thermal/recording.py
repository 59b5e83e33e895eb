"""CPTV files, frame by frame, through the library `cptv`. Nothing in them is believed.

The library allocates what a header claims, reads what a frame claims, and takes a file that is cut
off for one that ends. So the claims are looked at first, and its stream says where it broke off.
"""

import gzip
import struct
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from streamer.errors import SourceLost
from streamer.types import NS_PER_S

MOST_PIXELS = 1 << 20
_MAX_FILE_BYTES = 1 << 30
_LEPTON_HZ = 9
_LONGEST_STEP_NS = NS_PER_S
"""A longer step is a clock that was set, or a recording with a hole: nobody waits for that."""

# What the library raises for bytes that are no CPTV.
_ERRORS = (
    ArithmeticError,
    EOFError,
    LookupError,
    OSError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """`raw` (H, W), and how long after the one before it was taken."""

    raw: NDArray[np.uint16]
    step_ns: int


class Recording:
    """An open file: `what` tells a person about it; iterate once for its frames."""

    def __init__(self, path: Path, reader: Any) -> None:
        self._path, self._reader = path, reader
        model = (reader.model or b"unknown camera").decode(errors="replace")
        self._period_ns = NS_PER_S // (reader.fps or _LEPTON_HZ)
        self.what = f"{path}: {reader.x_resolution}x{reader.y_resolution}, {model}"

    def __iter__(self) -> Iterator[Frame]:
        """The frames that were taken. Raises `SourceLost` where the file is damaged.

        The first in a file is usually the mean of what was there before, made by the recorder and
        marked as background, with no time of its own: it is left out.
        """
        before_ns: int | None = None
        try:
            for frame in self._reader:
                if frame.background_frame:
                    continue
                t_ns = None if frame.time_on is None else round(frame.time_on.total_seconds() * 1e9)
                step_ns = self._period_ns
                if t_ns is not None and before_ns is not None:
                    passed_ns = t_ns - before_ns
                    step_ns = passed_ns if 0 < passed_ns <= _LONGEST_STEP_NS else step_ns
                before_ns = t_ns
                yield Frame(frame.pix, step_ns)
        except _ERRORS as error:
            raise _damaged(self._path, error) from None


@contextmanager
def opened(path: Path) -> Generator[Recording, None, None]:
    """Raises `SourceLost`: the file is missing, no CPTV, damaged, or claims too much."""
    try:
        import cptv
    except ImportError:
        raise SourceLost(f"{path}: needs cptv: install imagebind-streamer[thermal-files]") from None
    with _file(path) as file:
        try:
            reader: Any = cptv.CPTVReader(file)
            width, height = reader.x_resolution, reader.y_resolution
            if not 1 <= width * height <= MOST_PIXELS:
                raise ValueError(f"up to {MOST_PIXELS} pixels were expected, {width}x{height} came")
            # The widest difference between pixels has 3 bytes, the first pixel 4.
            reader.s = _Stream(reader.s, 4 + 3 * width * height)
            recording = Recording(path, reader)
        except _ERRORS as error:
            raise _damaged(path, error) from None
        yield recording


@contextmanager
def _file(path: Path) -> Generator[BinaryIO, None, None]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise SourceLost(f"{path}: cannot be read ({error.strerror})") from None
    with file:
        size = path.stat().st_size
        if size > _MAX_FILE_BYTES:
            raise SourceLost(f"{path}: a CPTV recording was expected, the file has {size} bytes")
        yield file


class _Stream:
    """Decompressed bytes, of which nobody takes more than `most` at once, and never half."""

    def __init__(self, file: gzip.GzipFile, most: int) -> None:
        self._file, self._most = file, most

    def read(self, size: int) -> bytes:
        if size > self._most:
            raise ValueError(f"a frame of {size} bytes, {self._most} are the most")
        try:
            data = self._file.read(size)
        except EOFError as error:
            # Not as it is: the library takes this one for the end of the recording.
            raise OSError("it ends in the middle") from error
        if 0 < len(data) < size:
            raise OSError("it ends in the middle")
        return data

    def seek(self, position: int) -> int:
        return self._file.seek(position)


def _damaged(path: Path, error: Exception) -> SourceLost:
    said = str(error)[:100] or type(error).__name__
    return SourceLost(f"{path}: not a CPTV recording, or damaged ({said})")
