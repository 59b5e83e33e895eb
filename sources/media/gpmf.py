"""Parser of GoPro's telemetry payloads (GPMF), for accelerometer and gyroscope.

Pure: bytes in, arrays out. The format is a tree of key, length and value, big-endian, values padded
to 32 bits, as described in the README of github.com/gopro/gpmf-parser:

    DEVC                      one device (the camera; a drone or sensor may be another)
      DVNM                    its name
      STRM                    one sensor
        TSMP                  readings delivered since the recording began, these included
        ORIN                  the axis of each channel; a small letter reverses it
        SIUN, SCAL            unit; divisor of the raw numbers, one for all or one per channel
        ACCL or GYRO          the readings

The payload comes from a file nobody vouches for: every length is checked against what is there
before anything is read, and the depth is fixed, so the work is linear in the size.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HEADER = struct.Struct(">4scBH")
_DTYPES = {
    b"b": ">i1",
    b"B": ">u1",
    b"s": ">i2",
    b"S": ">u2",
    b"l": ">i4",
    b"L": ">u4",
    b"f": ">f4",
    b"d": ">f8",
    b"j": ">i8",
    b"J": ">u8",
}
_SENSORS = {b"ACCL": b"m/s\xb2", b"GYRO": b"rad/s"}

# Cameras that do not state ORIN. HERO5 set the order Z, X, Y; the parser's README has the others.
_DEFAULT_ORDER = "ZXY"
_UNSTATED_ORDERS = {"hero6": "YxZ", "fusion": "yXZ"}


class Damaged(ValueError):
    """The bytes are no valid payload."""


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Readings of one sensor in one payload: float64 (n, 3), axes x y z, m/s^2 or rad/s.

    Axes are those of GoPro's drawing: x to one side, y along the lens, z up, right-handed.
    `total` counts the readings since the recording began, these included; None = not stated.
    """

    values: NDArray[np.float64]
    total: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Payload:
    """What one payload holds; None = that sensor is not in it. `keys`: all data keys seen."""

    accl: Readings | None
    gyro: Readings | None
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Item:
    key: bytes
    type: bytes
    size: int
    value: memoryview


def parse(payload: bytes) -> Payload:
    """The first device with an accelerometer or a gyroscope. Raises `Damaged`."""
    keys: list[str] = []
    found: dict[bytes, Readings] = {}
    for device in _items(memoryview(payload)):
        if device.key != b"DEVC":
            raise Damaged(f"a device (DEVC) was expected, {_text(device.key)} came")
        if not found:
            found = _device(device.value, keys)
    return Payload(found.get(b"ACCL"), found.get(b"GYRO"), tuple(dict.fromkeys(keys)))


def _items(data: memoryview) -> Iterator[_Item]:
    at = 0
    while at + _HEADER.size <= len(data):
        key, kind, size, repeat = _HEADER.unpack_from(data, at)
        if key == b"\0\0\0\0":  # payloads may be padded with zeros
            return
        start = at + _HEADER.size
        length = size * repeat
        if length > len(data) - start:
            raise Damaged(f"{_text(key)} claims {length} bytes where {len(data) - start} are left")
        yield _Item(key, kind, size, data[start : start + length])
        at = start + (length + 3) // 4 * 4


def _device(data: memoryview, keys: list[str]) -> dict[bytes, Readings]:
    found: dict[bytes, Readings] = {}
    name = ""
    for item in _items(data):
        if item.key == b"DVNM":
            name = _text(item.value)
        elif item.key == b"STRM" and item.type == b"\0":
            stream = list(_items(item.value))
            # The property that precedes the readings describes them; the readings come last.
            properties = {each.key: each for each in stream}
            keys.extend(_text(each.key) for each in stream[-1:])
            for key in _SENSORS.keys() & properties.keys():
                found.setdefault(key, _readings(properties[key], properties, name))
    return found


def _readings(item: _Item, properties: dict[bytes, _Item], device: str) -> Readings:
    key = _text(item.key)
    raw = _numbers(item)
    if raw.shape[1] != 3:
        raise Damaged(f"{key} has {raw.shape[1]} channels where 3 were expected")
    unit = properties.get(b"SIUN")
    if unit is not None and bytes(unit.value).rstrip(b"\0") != _SENSORS[item.key]:
        expected = _SENSORS[item.key].decode("latin-1")
        raise Damaged(f"{key} is in {_text(unit.value)!r} where {expected!r} was expected")
    scale = np.ones(1)
    if b"SCAL" in properties:
        scale = _numbers(properties[b"SCAL"]).ravel().astype(np.float64)
    if scale.size not in (1, 3) or not np.isfinite(scale).all() or (scale == 0).any():
        raise Damaged(f"{key} has the unusable scale {scale[:4].tolist()}")
    values = raw.astype(np.float64) / scale
    if not np.isfinite(values).all():
        raise Damaged(f"{key} holds numbers that are not finite")
    order = _order(properties.get(b"ORIN"), device)
    return Readings(_to_xyz(values, order), _total(properties.get(b"TSMP")))


def _numbers(item: _Item) -> NDArray[Any]:
    """Raw numbers (n, channels)."""
    if item.type not in _DTYPES:
        raise Damaged(f"{_text(item.key)} has the unknown type {_text(item.type)!r}")
    dtype = np.dtype(_DTYPES[item.type])
    if item.size == 0 or item.size % dtype.itemsize:
        raise Damaged(f"{_text(item.key)} has {item.size} bytes a reading")
    return np.frombuffer(item.value, dtype).reshape(-1, item.size // dtype.itemsize)


def _order(stated: _Item | None, device: str) -> str:
    if stated is None:
        for model, order in _UNSTATED_ORDERS.items():
            if model in device.lower():
                return order
        return _DEFAULT_ORDER
    order = _text(stated.value)
    if sorted(order.upper()) != ["X", "Y", "Z"]:
        raise Damaged(f"the axes (ORIN) are {order!r} where x, y and z were expected")
    return order


def _to_xyz(values: NDArray[np.float64], order: str) -> NDArray[np.float64]:
    columns = [order.upper().index(axis) for axis in "XYZ"]
    signs = np.array([1.0 if order[column].isupper() else -1.0 for column in columns])
    return values[:, columns] * signs


def _total(stated: _Item | None) -> int | None:
    if stated is None:
        return None
    numbers = _numbers(stated).ravel()
    return int(numbers[0]) if numbers.size == 1 else None


def _text(raw: bytes | memoryview) -> str:
    """Printable text of an untrusted string."""
    text = bytes(raw[:64]).rstrip(b"\0").decode("latin-1")
    return "".join(c if c.isprintable() else "?" for c in text)
