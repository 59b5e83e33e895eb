"""Frames of a thermal camera as OpenCV hands them over: 16 bits found, telemetry cut off. Pure."""

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sources.encodings import WrongPicture

Y16 = "Y16 "
MOST_PIXELS = 1 << 21
"""No thermal camera has more; a driver can claim any size."""

End: TypeAlias = Literal["start", "end"]

_TELEMETRY_ROWS = {(122, 160): 2, (63, 80): 3}
"""By (H, W): a Lepton 3 or 2 whose telemetry is on."""


def unpack(frame: NDArray[Any], width: int, height: int) -> NDArray[np.uint16]:
    """A Y16 frame, (H, W) of 16 bits or its bytes (little-endian) in any shape, as (H, W).

    Raises `WrongPicture`: 8 bits a pixel, or another size than the camera said.
    """
    if min(width, height) < 1 or width * height > MOST_PIXELS:
        raise WrongPicture(f"a picture of up to {MOST_PIXELS} pixels was expected, {_came(frame)}")
    if frame.dtype.name not in ("uint16", "uint8") or frame.nbytes != 2 * width * height:
        raise WrongPicture(f"{width}x{height} of 16 bits were expected, {_came(frame)}")
    return np.ascontiguousarray(frame).reshape(-1).view("<u2").reshape(height, width)


def without_telemetry(picture: NDArray[np.uint16], at: End, rows: int | None) -> NDArray[np.uint16]:
    """The picture alone. `rows` None takes off those that a Lepton's size tells.

    Raises `WrongPicture` if nothing is left.
    """
    if rows is None:
        rows = _TELEMETRY_ROWS.get(picture.shape, 0)
    if rows >= len(picture):
        raise WrongPicture(f"more than {rows} rows were expected, {_came(picture)}")
    return picture[rows:] if at == "start" else picture[: len(picture) - rows]


def fourcc_name(code: float) -> str:
    """Four letters out of the number that stands for them: "Y16 "."""
    number = int(code)
    return "".join(chr(number >> shift & 0xFF) for shift in (0, 8, 16, 24))


def _came(frame: NDArray[Any]) -> str:
    return f"{frame.dtype} {'x'.join(map(str, frame.shape))} came"
