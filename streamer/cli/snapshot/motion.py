"""Motion: three accelerations and three rates of turn over time, in the units they shall have."""

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.cli.snapshot.drawing import (
    SOFT,
    Axes,
    Picture,
    blank,
    box,
    number,
    rule_x,
    rule_y,
    trace,
    write,
)
from streamer.cli.snapshot.sheet import WIDTH, Drawn, Note
from streamer.types import ImuBlock

_LEFT, _RIGHT = 46, 130
_ACROSS, _HEIGHT = WIDTH - _LEFT - _RIGHT, 190
_TOPS = 30, 256
_BELOW = 40

COLOURS = (200, 40, 40), (30, 140, 50), (30, 80, 200)
"""Of x, y, z: red, green, blue, as everywhere in robotics."""
GRAVITY = 9.80665


def motion(block: ImuBlock) -> Drawn:
    """Readings with their own stamps: m/s^2 with gravity, then rad/s."""
    finite = np.isfinite(block.values).all(axis=1)
    if not finite.any():
        return Drawn(blank(WIDTH, _HEIGHT), (Note("no reading is a number", bad=True),))
    lost = (
        (Note(f"{(~finite).sum()} readings are no numbers", bad=True),) if not finite.all() else ()
    )
    block = ImuBlock(block.t_ns[finite], block.values[finite])
    seconds = (block.t_ns - block.t_ns[0]) / 1e9
    values = block.values.astype(np.float64)
    pushed, turned = panels(seconds, values)
    body = blank(WIDTH, turned.bottom + _BELOW)
    _panel(body, pushed, "m/s^2", seconds, values[:, :3])
    _panel(body, turned, "rad/s", seconds, values[:, 3:])
    rule_x(body, turned, "seconds")
    return Drawn(body, (*_notes(block, values), *lost))


def panels(seconds: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[Axes, Axes]:
    """Where acceleration and rate of turn (n, 6) are drawn."""
    across = (0.0, max(float(seconds.max()), 1e-3))
    pushed, turned = _edges(values[:, :3], 2.0), _edges(values[:, 3:], 0.2)
    return (
        Axes(_LEFT, _TOPS[0], _ACROSS, _HEIGHT, across, pushed),
        Axes(_LEFT, _TOPS[1], _ACROSS, _HEIGHT, across, turned),
    )


def _panel(
    body: Picture, axes: Axes, unit: str, seconds: NDArray[np.float64], three: NDArray[np.float64]
) -> None:
    rule_y(body, axes, unit, grid=True)
    if unit == "m/s^2":
        for value in (-GRAVITY, GRAVITY):
            if axes.y[0] < value < axes.y[1]:
                _dashes(body, axes, value)
    # The widest first, so that none is hidden.
    for column in np.argsort(-three.std(axis=0)):
        trace(body, axes, seconds, three[:, column], COLOURS[column])
    for column, (name, colour) in enumerate(zip("xyz", COLOURS, strict=True)):
        middle, spread = three[:, column].mean(), three[:, column].std()
        at = axes.right + 12, axes.top + 16 + 40 * column
        write(body, f"{name}  {middle:+.3g}", at, colour=colour)
        write(body, f"    sd {spread:.2g}", (at[0], at[1] + 17), colour=SOFT)
    box(body, axes)


def _edges(three: NDArray[np.float64], least: float) -> tuple[float, float]:
    """All of it, a little more, and never so little that noise fills the box. Zero is shown."""
    low, high = min(float(three.min()), -least), max(float(three.max()), least)
    room = 0.06 * (high - low)
    return low - room, high + room


def _dashes(body: Picture, axes: Axes, value: float) -> None:
    y = round(float(axes.at_y(value)))
    for x in range(axes.left, axes.right - 4, 10):
        cv2.line(body, (x, y), (x + 4, y), SOFT)
    write(
        body,
        f"{'-' if value < 0 else ''}g",
        (axes.right - 6, max(y - 4, axes.top + 14)),
        colour=SOFT,
        align="right",
    )


def _notes(block: ImuBlock, values: NDArray[np.float64]) -> tuple[Note, ...]:
    steps = np.diff(block.t_ns)
    rate = f"{1e9 / np.median(steps):.4g} Hz; " if steps.size and np.median(steps) > 0 else ""
    mean = values[:, :3].mean(axis=0)
    size = float(np.linalg.norm(values[:, :3], axis=1).mean())
    axis = int(np.argmax(np.abs(mean)))
    along = f"{'-' if mean[axis] < 0 else '+'}{'xyz'[axis]}"
    turn = float(np.median(np.linalg.norm(values[:, 3:], axis=1)))
    notes = [
        Note(f"{rate}acceleration {size:.2f} m/s^2 on average, turning at {turn:.3g} rad/s"),
        *_gravity(size, along, abs(mean[axis]) / max(size, 1e-9)),
    ]
    if turn > 20:
        notes.append(Note("turns more than three times a second: degrees read as rad?", bad=True))
    for column, name in enumerate(("x", "y", "z", "x turning", "y turning", "z turning")):
        if len(values) > 10 and np.ptp(values[:, column]) == 0:
            notes.append(Note(f"{name} never changes from {number(values[0, column])}", bad=True))
    if (steps < 0).any():
        notes.append(Note(f"stamps go back {int((steps < 0).sum())} times", bad=True))
    return tuple(notes)


def _gravity(size: float, along: str, share: float) -> list[Note]:
    """At rest a sensor is pushed up by 9.81 m/s^2: that is the axis which points up."""
    if 0.85 * GRAVITY < size < 1.3 * GRAVITY:
        if share > 0.9:
            return [Note(f"gravity is on {along}: that axis points up")]
        return [Note(f"gravity is spread, most of it on {along}: tilted, or moving")]
    for unit, per in (("g", 1.0), ("mg", 1000.0)):
        if 0.85 * per < size < 1.3 * per:
            return [Note(f"{size:.4g} where gravity should be 9.81: is it in {unit}?", bad=True)]
    if size < 0.5:
        return [Note("no gravity: was it taken out? The model was trained with it", bad=True)]
    return [Note(f"{size:.3g} m/s^2 where gravity should be 9.81: is its scale right?", bad=True)]
