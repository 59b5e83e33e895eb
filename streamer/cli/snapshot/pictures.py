"""Camera, depth and heat: the picture with its pixels as axes, and a scale of what it measures."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.cli.snapshot.drawing import (
    Axes,
    Picture,
    blank,
    box,
    paint,
    rule_x,
    rule_y,
    scale,
    table,
    ticks,
    write,
)
from streamer.cli.snapshot.sheet import WIDTH, Drawn, Note

_LEFT, _TOP, _BELOW, _RIGHT = 46, 26, 40, 84
_ROOM = WIDTH - _LEFT - _RIGHT
_HIGHEST = 700

NEAR_TO_FAR = table(cv2.COLORMAP_TURBO, backwards=True)
HEAT = table(cv2.COLORMAP_INFERNO)
NO_RETURN = (255, 255, 255)
"""White: the farthest of the colours is nearly black."""

LEAST_SPAN_C = 2.0
"""A wall of one temperature shall not be shown as noise in all colours."""


def frame(rgb: NDArray[np.uint8]) -> Drawn:
    """A camera's picture uint8 (H, W, 3) RGB, as it is."""
    body, _ = placed(rgb)
    level = float(rgb.mean())
    black, white = (float((rgb.max(axis=2) <= 2).mean()), float((rgb.min(axis=2) >= 253).mean()))
    red, green, blue = rgb.reshape(-1, 3).mean(axis=0)
    notes = [
        Note(
            f"mean level {level:.0f} of 255 (red {red:.0f}, green {green:.0f}, blue {blue:.0f}); "
            f"{black:.1%} black, {white:.1%} white"
        )
    ]
    if rgb.min() == rgb.max():
        notes.append(Note("every pixel is the same: covered, or no picture at all", bad=True))
    elif level < 12 or black > 0.9:
        notes.append(Note("nearly black: covered, or exposed far too briefly", bad=True))
    elif level > 243 or white > 0.9:
        notes.append(Note("nearly white: exposed far too long", bad=True))
    return Drawn(body, tuple(notes))


def depth(metres: NDArray[np.float32]) -> Drawn:
    """Depth float32 (H, W) in metres, 0 = no return (white): red is near, blue is far."""
    there = np.isfinite(metres) & (metres > 0)
    share = float(there.mean())
    if not share:
        body, _ = placed(np.full((*metres.shape, 3), NO_RETURN, np.uint8))
        return Drawn(body, (Note("no pixel has a return", bad=True),))
    # In float64: sums of what a damaged picture may hold are beyond float32.
    wide = metres.astype(np.float64)
    seen = wide[there]
    edges = _edges(seen, 0.02)
    rgb = paint(np.where(there, wide, edges[0]), *edges, NEAR_TO_FAR)
    rgb[~there] = NO_RETURN
    body, axes = placed(rgb)
    _scale(body, axes, edges, "metres", NEAR_TO_FAR)
    middle = float(np.median(seen))
    figures = f"nearest {seen.min():.2f} m, median {middle:.2f} m, farthest {seen.max():.2f} m"
    notes = [Note(f"{figures}; {1 - share:.1%} without a return (white)")]
    if middle > 200:
        notes.append(Note("farther than depth cameras see: millimetres read as metres?", bad=True))
    elif middle < 0.05:
        notes.append(Note("nearer than depth cameras see: is its scale right?", bad=True))
    if share < 0.1:
        notes.append(Note("hardly any pixel has a return", bad=True))
    if seen.min() == seen.max():
        notes.append(Note("every return is at the same distance", bad=True))
    elif striped(np.where(there, wide, np.nan)):
        notes.append(Note("stripes: neighbours differ too much: are the bytes swapped?", bad=True))
    return Drawn(body, tuple(notes))


def heat(values: NDArray[Any]) -> Drawn:
    """Heat float32 (H, W) in degrees Celsius, or uint8 (H, W) of a camera without temperatures."""
    if values.dtype == np.uint8:
        rgb = paint(values, 0, 255, HEAT)
        body, axes = placed(rgb)
        _scale(body, axes, (0, 255), "level", HEAT)
        span = f"levels {values.min()} to {values.max()} of 255, mean {values.mean():.0f}"
        notes = [Note(f"{span}; 8-bit picture, without temperatures")]
        return Drawn(body, (*notes, *_flat(values)))
    finite = np.isfinite(values)
    celsius = np.where(finite, values, np.nan).astype(np.float64)
    if not finite.any():
        body, _ = placed(np.zeros((*values.shape, 3), np.uint8))
        return Drawn(body, (Note("no pixel is a number", bad=True),))
    edges = _edges(celsius[finite], 0.005, LEAST_SPAN_C)
    body, axes = placed(paint(np.where(finite, celsius, edges[0]), *edges, HEAT))
    _scale(body, axes, edges, "degrees C", HEAT)
    coldest, hottest = float(np.nanmin(celsius)), float(np.nanmax(celsius))
    for index, word in ((np.nanargmin(celsius), "coldest"), (np.nanargmax(celsius), "hottest")):
        _mark(body, axes, divmod(int(index), values.shape[1]), word)
    middle = float(np.nanmedian(celsius))
    notes = [Note(f"coldest {coldest:.1f}, median {middle:.1f}, hottest {hottest:.1f} degrees C")]
    if 200 < middle < 400:
        notes.append(Note("kelvin read as degrees Celsius?", bad=True))
    elif not -60 < middle < 200 or coldest < -100:
        notes.append(Note("not temperatures of a room: counts, or the bytes swapped?", bad=True))
    return Drawn(body, (*notes, *_flat(celsius)))


def _flat(values: NDArray[Any]) -> tuple[Note, ...]:
    same = np.nanmin(values) == np.nanmax(values)
    return (Note("every pixel is the same", bad=True),) if same else ()


def striped(metres: NDArray[np.floating[Any]]) -> bool:
    """Whether depth (H, W), NaN = no return, leaps to and fro as it does with swapped bytes.

    The mean step to the next pixel is 0.1 % to 0.7 % of the range in pictures of depth cameras,
    6 % to 30 % in the same with their bytes swapped.
    """
    steps = np.abs(np.diff(metres, axis=1))
    if np.isnan(steps).all():
        return False
    low, high = np.nanquantile(metres, (0.02, 0.98))
    # Before a wall there is nothing but noise.
    return bool(high - low > 1 and np.nanmean(steps) > 0.045 * (high - low))


def placed(rgb: Picture) -> tuple[Picture, Axes]:
    """The picture on paper: shrunk to fit, or enlarged a whole number of times, pixel by pixel."""
    height, width = rgb.shape[:2]
    times = min(_ROOM / width, _HIGHEST / height)
    if times >= 1:
        times = int(times)
        shown = np.repeat(np.repeat(rgb, times, axis=0), times, axis=1)
    else:
        size = max(1, round(width * times)), max(1, round(height * times))
        shown = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    down, across = shown.shape[:2]
    body = blank(WIDTH, _TOP + down + _BELOW)
    axes = Axes(_LEFT, _TOP, across, down, (0, max(1, width - 1)), (max(1, height - 1), 0))
    body[axes.top : axes.bottom, axes.left : axes.right] = shown
    box(body, axes)
    rule_x(body, axes, "pixels")
    rule_y(body, axes, "")
    return body, axes


def _scale(
    body: Picture, axes: Axes, edges: tuple[float, float], unit: str, colours: Picture
) -> None:  # fmt: skip
    scale(body, (axes.right + 14, axes.top), axes.height, edges, unit, colours)


def _edges(values: NDArray[Any], cut: float, least: float = 0.0) -> tuple[float, float]:
    """Where the colours end: all but a share of `cut` at both ends, out to round numbers."""
    low, high = (float(v) for v in np.quantile(values.astype(np.float64), (cut, 1 - cut)))
    least = max(least, 1e-3 * max(abs(low), abs(high)), 1e-6)
    if high - low < least:
        middle = (low + high) / 2
        low, high = middle - least / 2, middle + least / 2
    marks = ticks(low, high, 11)
    step = marks[1] - marks[0] if len(marks) > 1 else high - low
    return float(np.floor(low / step) * step), float(np.ceil(high / step) * step)


def _mark(body: Picture, axes: Axes, place: tuple[int, int], word: str) -> None:
    x, y = round(float(axes.at_x(place[1]))), round(float(axes.at_y(place[0])))
    for colour, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.drawMarker(body, (x, y), colour, cv2.MARKER_CROSS, 13, thick)
    # To the side where there is room.
    left = x > (axes.left + axes.right) / 2
    at = (x - 10 if left else x + 10, min(max(y + 5, axes.top + 14), axes.bottom - 6))
    for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        write(body, word, (at[0] + dx, at[1] + dy), colour=(0, 0, 0), align=_side(left))
    write(body, word, at, colour=(255, 255, 255), align=_side(left))


def _side(left: bool) -> Any:
    return "right" if left else "left"
