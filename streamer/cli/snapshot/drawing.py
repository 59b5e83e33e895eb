"""Text, axes, traces and colour scales drawn with OpenCV. Pictures are uint8 (H, W, 3) RGB."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Picture: TypeAlias = NDArray[np.uint8]
Colour: TypeAlias = tuple[int, int, int]

PAPER: Colour = (255, 255, 255)
INK: Colour = (30, 30, 30)
SOFT: Colour = (110, 110, 110)
FAINT: Colour = (222, 222, 222)
BAD: Colour = (200, 20, 20)

SIZE = 0.45
LINE = 20
"""Pixels from one line of text to the next."""

_LEVELS = np.arange(256, dtype=np.uint8)[:, None]


def blank(width: int, height: int) -> Picture:
    return np.full((height, width, 3), PAPER, np.uint8)


def write(
    picture: Picture,
    words: str,
    at: tuple[int, int],
    *,
    colour: Colour = INK,
    bold: bool = False,
    align: Literal["left", "centre", "right"] = "left",
) -> None:
    """`at` (x, y) is the left end, middle or right end of the base line. ASCII: older OpenCV has no
    more than that."""
    font = cv2.FONT_HERSHEY_DUPLEX if bold else cv2.FONT_HERSHEY_SIMPLEX
    size = 1.2 * SIZE if bold else SIZE
    words = words.encode("ascii", "replace").decode()
    width = cv2.getTextSize(words, font, size, 1)[0][0]
    x = at[0] - {"left": 0, "centre": width // 2, "right": width}[align]
    cv2.putText(picture, words, (x, at[1]), font, size, colour, 1, cv2.LINE_AA)


def table(colours: int, *, backwards: bool = False) -> Picture:
    """256 colours (256, 3) of one of OpenCV's maps (`cv2.COLORMAP_...`), the lowest first."""
    found = cv2.applyColorMap(_LEVELS, colours)[:, 0, ::-1]
    return np.ascontiguousarray(found[::-1] if backwards else found, np.uint8)


def paint(values: NDArray[Any], low: float, high: float, colours: Picture) -> Picture:
    """Values (H, W) as the colours of a `table`; beyond `low` and `high` as those."""
    share = (values.astype(np.float64) - low) / max(high - low, 1e-12)
    return colours[np.clip(np.round(share * 255), 0, 255).astype(np.uint8)]


@dataclass(frozen=True, slots=True)
class Axes:
    """A box of pixels, and the values at its edges: `x` left and right, `y` bottom and top."""

    left: int
    top: int
    width: int
    height: int
    x: tuple[float, float]
    y: tuple[float, float]

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def bottom(self) -> int:
        return self.top + self.height

    def at_x(self, values: Any) -> NDArray[np.float64]:
        share = (np.asarray(values, np.float64) - self.x[0]) / (self.x[1] - self.x[0])
        return self.left + share * (self.width - 1)

    def at_y(self, values: Any) -> NDArray[np.float64]:
        share = (np.asarray(values, np.float64) - self.y[0]) / (self.y[1] - self.y[0])
        return self.bottom - 1 - share * (self.height - 1)


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` round numbers from `low` to `high`: steps of 1, 2 or 5 and zeros."""
    rough = (high - low) / max(1, most - 1)
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    step = next(power * times for times in (1, 2, 5, 10, 20) if power * times >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)][:most]


def number(value: float) -> str:
    return f"{round(value, 9):g}"


def rule_x(picture: Picture, axes: Axes, unit: str, *, most: int = 9, grid: bool = False) -> None:
    """Numbers below the box, the unit at its right end."""
    for value in ticks(*axes.x, most):
        x = round(float(axes.at_x(value)))
        if grid:
            cv2.line(picture, (x, axes.top), (x, axes.bottom - 1), FAINT)
        cv2.line(picture, (x, axes.bottom), (x, axes.bottom + 4), SOFT)
        write(picture, number(value), (x, axes.bottom + 18), colour=SOFT, align="centre")
    write(picture, unit, (axes.right, axes.bottom + 34), colour=SOFT, align="right")


def rule_y(
    picture: Picture,
    axes: Axes,
    unit: str,
    *,
    most: int = 6,
    grid: bool = False,
    at: Mapping[float, str] | None = None,
) -> None:
    """Numbers to the left of the box, the unit above its upper left corner.

    `at` gives the places and what is written there, where values are not to be read as they are.
    """
    low, high = min(axes.y), max(axes.y)
    words = at or {value: number(value) for value in ticks(low, high, most)}
    for value in (value for value in words if low <= value <= high):
        y = round(float(axes.at_y(value)))
        if grid:
            cv2.line(picture, (axes.left, y), (axes.right - 1, y), FAINT)
        cv2.line(picture, (axes.left - 5, y), (axes.left - 1, y), SOFT)
        write(picture, words[value], (axes.left - 9, y + 5), colour=SOFT, align="right")
    write(picture, unit, (axes.left - 9, axes.top - 8), colour=SOFT, align="centre")


def box(picture: Picture, axes: Axes) -> None:
    corners = (axes.left - 1, axes.top - 1), (axes.right, axes.bottom)
    cv2.rectangle(picture, *corners, SOFT)


def scale(
    picture: Picture, at: tuple[int, int], height: int, edges: tuple[float, float], unit: str,
    colours: Picture,
) -> None:  # fmt: skip
    """A bar of `colours` from the lowest value, below, to the highest."""
    axes = Axes(*at, 16, height, (0, 1), edges)
    levels = np.linspace(255, 0, height).round().astype(np.uint8)
    picture[axes.top : axes.bottom, axes.left : axes.right] = colours[levels][:, None]
    box(picture, axes)
    for value in ticks(*edges, max(3, height // 45)):
        y = round(float(axes.at_y(value)))
        cv2.line(picture, (axes.right, y), (axes.right + 4, y), SOFT)
        write(picture, number(value), (axes.right + 9, y + 5), colour=SOFT)
    write(picture, unit, (axes.left, axes.top - 8), colour=SOFT)


def trace(
    picture: Picture, axes: Axes, x: NDArray[Any], y: NDArray[Any], colour: Colour
) -> None:  # fmt: skip
    """One line through (n,) points, cut at the edges of the box."""
    inside = picture[axes.top : axes.bottom, axes.left : axes.right]
    # In sixteenths of a pixel; a value far outside must still fit an int32.
    points = np.stack([axes.at_x(x) - axes.left, axes.at_y(y) - axes.top], axis=1)
    fixed = np.round(np.clip(points, -(2.0**20), 2.0**20) * 16).astype(np.int32)
    cv2.polylines(inside, [fixed[:, None]], False, colour, 1, cv2.LINE_AA, 4)


def columns(
    picture: Picture, axes: Axes, values: Sequence[tuple[float, float]], colour: Colour
) -> None:  # fmt: skip
    """A bar from the lowest to the highest value in each column of pixels; NaN leaves one out."""
    for x, (low, high) in enumerate(values):
        if not math.isnan(low):
            first, last = (round(float(axes.at_y(v))) for v in np.clip((high, low), *axes.y))
            picture[first : last + 1, axes.left + x] = colour
