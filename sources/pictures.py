"""Single pictures and folders of pictures as a source: colour, depth, thermal."""

import io
import re
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from sources.background import in_thread
from sources.encodings import Encoding, FlirJpeg, WrongPicture
from sources.epoch import DEFAULT_START, Start, to_ns
from streamer.errors import SourceLost
from streamer.protocols import Clock
from streamer.types import FILE_CLOCK, NS_PER_S, Sample, StreamInfo

ARRAY = ".npy"
SUFFIXES = {".png", ".jpg", ".jpeg", ".pgm", ".ppm", ".tif", ".tiff", ".bmp", ".webp", ARRAY}
_MAX_FILE_BYTES = 1 << 28


class Pictures(BaseModel):
    """One picture, or a folder of them in natural order (2 before 10), at a declared rate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["pictures"] = "pictures"
    path: Path
    stream: str = Field(min_length=1)
    encoding: Encoding
    """What the numbers mean; decides the modality."""
    pattern: str = Field(default="*", min_length=1)
    """Which names in a folder, for example `*depth*`. Other than picture files are passed over."""
    rate_hz: float = Field(default=10.0, gt=0, le=1000)
    hold_s: float = Field(default=2.0, gt=0, le=86400)
    """How long a single picture is shown, over and over at the rate; a folder is shown once."""
    start: Start = DEFAULT_START
    """When the first picture was taken."""

    @property
    def live(self) -> bool:
        return False

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        return (StreamInfo(self.stream, self.encoding.modality),)

    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncGenerator[AsyncIterator[Sample], None]:
        """Every picture, `Deferred`. Raises `SourceLost`, on entering if the first one is wrong."""
        async with in_thread(self._samples) as samples:
            yield samples

    def _samples(self) -> Generator[Sample, None, None]:
        start_ns = to_ns(self.start)
        rate = Fraction(self.rate_hz)
        for index, picture in enumerate(self._pictures()):
            if index == 0:
                picture.array()  # a wrong encoding should be known before the run has begun
            t_ns, end_ns = (
                start_ns + n * NS_PER_S * rate.denominator // rate.numerator
                for n in (index, index + 1)
            )
            yield Sample(
                self.stream, self.encoding.modality, t_ns, end_ns - t_ns, picture, FILE_CLOCK
            )

    def _pictures(self) -> Generator["EncodedPicture", None, None]:
        if self.path.is_dir():
            names = [p for p in self.path.glob(self.pattern) if p.suffix.lower() in SUFFIXES]
            if not names:
                raise SourceLost(f"{self.path}: no pictures named {self.pattern!r} in this folder")
            for path in sorted(names, key=_natural):
                yield _load(path, self.encoding)
        else:
            picture = _load(self.path, self.encoding)
            for _ in range(max(1, round(self.hold_s * self.rate_hz))):
                yield picture


def _natural(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


@dataclass(frozen=True, slots=True, eq=False)
class EncodedPicture:
    """A picture file in memory, still compressed."""

    path: Path
    data: bytes
    encoding: Encoding

    @property
    def nbytes(self) -> int:
        return len(self.data)

    def array(self) -> NDArray[Any]:
        """The pixels as the encoding promises them. Raises `SourceLost`."""
        try:
            if isinstance(self.encoding, FlirJpeg):
                return self.encoding.unpack(self.data)
            return self.encoding.decode(self._stored())
        except WrongPicture as error:
            raise SourceLost(f"{self.path}: {error}") from None

    def _stored(self) -> NDArray[Any]:
        if self.path.suffix.lower() == ARRAY:
            return _array(self.data)
        import cv2

        try:
            picture = cv2.imdecode(np.frombuffer(self.data, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error:
            picture = None
        if picture is None:
            raise WrongPicture("not a picture, or damaged")
        return picture


def _array(data: bytes) -> NDArray[Any]:
    """The numbers of a `.npy` file. Nothing is unpickled, and nothing allocated that is not there.

    Raises `WrongPicture`.
    """
    headers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    file = io.BytesIO(data)
    try:
        shape, by_column, dtype = headers[npy.read_magic(file)](file)
        if dtype.kind not in "fu" or len(shape) != 2 or min(shape) < 1:
            came = f"{dtype} {shape}"[:100]
            raise WrongPicture(f"an array of numbers (H, W) was expected, {came} came")
        numbers = np.frombuffer(data[file.tell() :], dtype)
        array = numbers.reshape(shape, order="F" if by_column else "C")
        return np.ascontiguousarray(array, dtype.newbyteorder("="))
    except WrongPicture:
        raise
    # The header is a Python literal: anything can be wrong with it.
    except Exception as error:
        raise WrongPicture(f"not a .npy file, or damaged ({str(error)[:100]})") from None


def _load(path: Path, encoding: Encoding) -> EncodedPicture:
    try:
        size = path.stat().st_size
        if size > _MAX_FILE_BYTES:
            raise SourceLost(f"{path}: a picture was expected, the file has {size} bytes")
        return EncodedPicture(path, path.read_bytes(), encoding)
    except OSError as error:
        raise SourceLost(f"{path}: cannot be read ({error.strerror})") from None
