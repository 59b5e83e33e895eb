"""LLVIP as a two-way classification: crops of people and of as many places without any."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.rows import Row
from streamer.errors import ConfigError

LARGEST_XML = 1 << 20
TRIES = 100


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels, from the left and top edge up to, not including, the right and bottom one."""

    left: int
    top: int
    right: int
    bottom: int

    def meets(self, other: "Box") -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


def llvip(folder: Path, crops: Path) -> Iterator[Row]:
    """Crops of the test pictures of LLVIP: every person, and beside each a place of its size.

    Reads infrared/test/*.jpg and Annotations/*.xml and writes pictures into the new folder `crops`.
    The place is drawn by lot (the same in every run) among those that meet no person; where a
    picture has no room for it there is none.
    """
    pictures = sorted((folder / "infrared" / "test").glob("*.jpg"))
    if not pictures:
        raise ConfigError(f"{folder / 'infrared' / 'test'}: expected pictures, found none")
    if crops.exists():
        raise ConfigError(f"{crops}: exists already; expected the name of a new folder")
    for label in ("person", "background"):
        (crops / label).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for path in pictures:
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if grey is None:
            raise ConfigError(f"{path}: not a picture, or damaged")
        people = _boxes(folder / "Annotations" / f"{path.stem}.xml", grey.shape)
        for number, box in enumerate(people):
            yield _crop(grey, box, crops / "person" / f"{path.stem}_{number}.png")
            place = elsewhere(box, people, grey.shape, rng)
            if place is not None:
                yield _crop(grey, place, crops / "background" / f"{path.stem}_{number}.png")


def elsewhere(
    box: Box, people: Sequence[Box], shape: tuple[int, ...], rng: Generator
) -> Box | None:
    """A box of the same size in a picture of `shape` (H, W) that meets none of `people`."""
    width, height = box.right - box.left, box.bottom - box.top
    for _ in range(TRIES):
        left = int(rng.integers(shape[1] - width + 1))
        top = int(rng.integers(shape[0] - height + 1))
        place = Box(left, top, left + width, top + height)
        if not any(place.meets(person) for person in people):
            return place
    return None


def _boxes(path: Path, shape: tuple[int, ...]) -> list[Box]:
    """The boxes of an annotation in the format of Pascal VOC, cut at the edges of the picture."""
    if path.stat().st_size > LARGEST_XML:
        raise ConfigError(f"{path}: expected at most {LARGEST_XML} bytes")
    try:
        # Reads no other file or address; the parser itself stops entities that expand without end.
        root = ET.parse(path).getroot()  # noqa: S314
        found = [
            [int(float(box.findtext(edge, ""))) for edge in ("xmin", "ymin", "xmax", "ymax")]
            for box in root.iter("bndbox")
        ]
    except (ET.ParseError, ValueError) as error:
        raise ConfigError(f"{path}: expected boxes in the format of Pascal VOC: {error}") from None
    boxes = [
        Box(max(0, left), max(0, top), min(right, shape[1]), min(bottom, shape[0]))
        for left, top, right, bottom in found
    ]
    return [box for box in boxes if box.left < box.right and box.top < box.bottom]


def _crop(grey: NDArray[Any], box: Box, path: Path) -> Row:
    cv2.imwrite(str(path), grey[box.top : box.bottom, box.left : box.right])
    return Row(path, path.parent.name)
