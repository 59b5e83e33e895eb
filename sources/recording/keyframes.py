"""What the bytes of one frame of compressed video are, without decoding them. Pure.

Enough of each bit stream to tell where decoding can begin: ITU-T H.264 and H.265, Annex B; AV1's
low-overhead units; VP9's frame header.
"""

from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["key", "delta", "parameters"]
"""A frame that needs none before it, one that does, and what is no frame but needed for them."""

_START = b"\0\0\1"


def kind(codec: str, data: bytes) -> Kind:
    """`codec`: h264, h265, vp9 or av1, as in `foxglove.CompressedVideo`."""
    if codec == "h264":
        return _units(data, shift=0, mask=31, keys=range(5, 6), slices=range(1, 6))
    if codec == "h265":
        return _units(data, shift=1, mask=63, keys=range(16, 24), slices=range(32))
    return _vp9(data) if codec == "vp9" else _av1(data)


def _units(data: bytes, shift: int, mask: int, keys: range, slices: range) -> Kind:
    """By the type of the first slice: all slices of a picture are of one kind."""
    at = data.find(_START)
    while 0 <= at < len(data) - 3:
        unit = data[at + 3] >> shift & mask
        if unit in slices:
            return "key" if unit in keys else "delta"
        at = data.find(_START, at + 3)
    return "parameters"


def _vp9(data: bytes) -> Kind:
    if not data:
        return "parameters"
    # Marker, two bits of profile (a third bit where both are set), "show an old one", "no key".
    first = data[0]
    below = first << 1 if first & 0x30 == 0x30 else first
    return "key" if first >> 6 == 2 and not below & 0x0C else "delta"


def _av1(data: bytes) -> Kind:
    """A unit that begins with a sequence header holds a key frame."""
    at, found = 0, False
    while at < len(data):
        head = data[at]
        unit, at = head >> 3 & 15, at + (2 if head & 4 else 1)
        if unit == 1:
            return "key"
        found = found or unit in (3, 6)
        if not head & 2:
            break
        size, at = _leb128(data, at)
        at += size
    return "delta" if found else "parameters"


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    number = 0
    for place in range(8):
        if at >= len(data):
            break
        byte = data[at]
        number |= (byte & 127) << 7 * place
        at += 1
        if not byte & 128:
            break
    return number, at
