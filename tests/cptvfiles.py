"""CPTV files out of real ones, shorter or retimed, and damaged ones. Their frames stay as taken.

A file is gzip: `CPTV`, the version, then sections: a letter, the number of fields, and each field
as its length, its letter and its value. The bytes of a frame follow its section.
"""

import gzip
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.needs import shared

START = b"CPTV\x02"


@dataclass
class Section:
    letter: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes = b""

    def packed(self) -> bytes:
        fields = b"".join(bytes([len(value)]) + name + value for name, value in self.fields)
        return self.letter + bytes([len(self.fields)]) + fields + self.body


def sections(path: Path) -> list[Section]:
    """The header, then the frames."""
    data = gzip.decompress(path.read_bytes())
    found: list[Section] = []
    at = len(START)
    while at < len(data):
        letter, count = data[at : at + 1], data[at + 1]
        at += 2
        fields: list[tuple[bytes, bytes]] = []
        for _ in range(count):
            end = at + 2 + data[at]
            fields.append((data[at + 1 : at + 2], data[at + 2 : end]))
            at = end
        size = struct.unpack("<I", dict(fields).get(b"f", bytes(4)))[0]
        found.append(Section(letter, fields, data[at : at + size]))
        at += size
    return found


def packed(parts: Sequence[Section]) -> bytes:
    return gzip.compress(START + b"".join(part.packed() for part in parts), 1)


def recording(name: str) -> Path:
    """A real one: `background` (centikelvin) or `possum` (counts)."""
    return shared(f"recordings/thermal/cptv/{name}.cptv")


def short(name: str, frames: int, step_ms: int) -> list[Section]:
    """The header, the background and the first frames of a real one, at another pace."""
    header, background, *rest = sections(recording(name))
    for number, frame in enumerate(rest[:frames]):
        frame.fields = [
            (letter, struct.pack("<I", 5_000_000 + number * step_ms) if letter == b"t" else value)
            for letter, value in frame.fields
        ]
    return [header, background, *rest[:frames]]


def as_the_library_reads(path: Path) -> list[NDArray[np.uint16]]:
    """All frames but the background."""
    from cptv import CPTVReader

    with path.open("rb") as file:
        frames = list(CPTVReader(file))
    return [np.asarray(frame.pix, np.uint16) for frame in frames if not frame.background_frame]
