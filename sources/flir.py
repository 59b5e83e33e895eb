"""Temperatures out of a FLIR radiometric JPEG, through the library `flyr`.

The library believes what a file claims: billions of records, or a picture of gigapixels in a
kilobyte of PNG. Both claims are looked at before it sees them.
"""

import io
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

MAX_FILE_BYTES = 32 << 20
_MOST_PIXELS = 1 << 22
_RAW_DATA = 1
_CAMERA_INFO = 32
"""The type of the record that holds the sensor's numbers."""


class NotRadiometric(ValueError):
    """The file holds no temperatures, or is damaged; says what is wrong with it."""


def celsius(file: bytes) -> NDArray[np.float32]:
    """The temperatures (H, W), degrees Celsius. Raises `NotRadiometric`.

    Raises `ImportError` where flyr is not installed.
    """
    from flyr.flyr import parse_thermogram
    from flyr.records import extract_flir_app1, parse_flir_records

    if len(file) > MAX_FILE_BYTES:
        raise NotRadiometric(f"at most {MAX_FILE_BYTES >> 20} MiB were expected")
    whole = io.BytesIO(file)
    try:
        flir: Any = extract_flir_app1(whole)
        _check_directory(flir)
        records = parse_flir_records(flir)
        _check_pixels(flir, records[_RAW_DATA][2])
        # A photograph beside the heat would be unpacked as well, however large it claims to be.
        records = {kind: records[kind] for kind in (_RAW_DATA, _CAMERA_INFO)}
        whole.seek(0)
        with np.errstate(all="ignore"):
            picture = parse_thermogram(flir, records, whole).celsius.astype(np.float32)
    # Whatever the bytes make of a parser that expects none of it.
    except Exception as error:
        said = f"no {error} record" if isinstance(error, KeyError) else str(error)
        raise NotRadiometric(said.removeprefix("Invalid FLIR: ")[:150]) from None
    if not np.isfinite(picture).all():
        raise NotRadiometric("some temperatures are not finite: its calibration is damaged")
    return picture


def _check_directory(flir: io.BytesIO) -> None:
    """Of the records, 32 bytes each; their number is at byte 28."""
    data = flir.getbuffer()
    count = int.from_bytes(data[28:32], "big")
    if count * 32 > len(data):
        raise ValueError(f"{count} records in {len(data)} bytes")


def _check_pixels(flir: io.BytesIO, start: int) -> None:
    """Of the raw record at `start`: its own size, and that of the PNG in it."""
    head = bytes(flir.getbuffer()[start : start + 64])
    _check_size(head[2:4], head[4:6], "little")
    if head[32:36] == b"\x89PNG":
        _check_size(head[48:52], head[52:56], "big")


def _check_size(width: bytes, height: bytes, order: Literal["little", "big"]) -> None:
    across, down = int.from_bytes(width, order), int.from_bytes(height, order)
    if not 0 < across * down <= _MOST_PIXELS:
        raise ValueError(f"a sensor of {across}x{down} pixels is none")
