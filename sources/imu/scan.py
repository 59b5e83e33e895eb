"""The records of a Linux IIO buffer: what `scan_elements` says, as a dtype and numbers. Pure.

Source: Documentation/ABI/testing/sysfs-bus-iio and `iio_compute_scan_bytes` of the kernel: enabled
channels follow each other by index, each aligned to its own size, the whole to the largest.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TYPE = re.compile(r"(le|be):([su])(\d{1,3})/(\d{1,3})(?:X(\d{1,3}))?(?:>>(\d{1,3}))?")


@dataclass(frozen=True, slots=True)
class Element:
    """How one channel lies in a record. `stored` and `bits` are numbers of bits."""

    name: str
    index: int
    big: bool
    signed: bool
    bits: int
    stored: int
    repeat: int
    shift: int

    @property
    def size(self) -> int:
        return self.stored // 8 * self.repeat


def parse_type(name: str, index: int, text: str) -> Element:
    """Of `le:s16/16>>0`, `be:s12/16>>4`, `le:s32/32X4>>0`. Raises ValueError."""
    match = _TYPE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{name}: expected a type like le:s16/16>>0, got {text[:40]!r}")
    end, sign, *numbers = match.groups()
    bits, stored, repeat, shift = (int(number or 0) for number in numbers)
    if stored not in (8, 16, 32, 64) or not 0 < bits <= stored - shift:
        raise ValueError(f"{name}: expected bits that fit 8, 16, 32 or 64, got {text[:40]!r}")
    return Element(name, index, end == "be", sign == "s", bits, stored, max(1, repeat), shift)


def record(elements: Sequence[Element]) -> np.dtype[Any]:
    """The dtype of one record; a field for each channel, as stored. Raises ValueError."""
    ordered = sorted(elements, key=lambda element: element.index)
    if len({element.index for element in ordered}) < len(ordered):
        raise ValueError("expected channels of different index")
    offsets: list[int] = []
    end, largest = 0, 1
    for element in ordered:
        end = _aligned(end, element.size)
        offsets.append(end)
        end += element.size
        largest = max(largest, element.size)
    return np.dtype(
        {
            "names": [element.name for element in ordered],
            "formats": [_format(element) for element in ordered],
            "offsets": offsets,
            "itemsize": _aligned(end, largest),
        }
    )


def numbers(records: NDArray[Any], element: Element) -> NDArray[np.int64]:
    """What a channel says: shifted, cut to its bits, with its sign. (n,)"""
    stored = records[element.name].astype(np.uint64) >> np.uint64(element.shift)
    if element.bits == 64:
        return stored.view(np.int64)
    kept = (stored & np.uint64((1 << element.bits) - 1)).view(np.int64)
    if not element.signed:
        return kept
    sign = np.int64(1 << (element.bits - 1))
    return (kept ^ sign) - sign


def _format(element: Element) -> str:
    if element.repeat > 1:
        return f"V{element.size}"
    return f"{'>' if element.big else '<'}u{element.size}"


def _aligned(at: int, size: int) -> int:
    return -(-at // size) * size
