"""What looks are made of: parts in a thing's own frame, and dice that never change their mind.

A thing's frame: x to its front, y to its left, z up, its base at z = 0, about one unit in size.
A look is a function of `seed` (which thing), `t_s` (when), `active` (whether something happens to
it then) and `room_c` (the room's temperature in degrees Celsius), and gives its parts.
"""

from colorsys import hsv_to_rgb
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sources.world.geometry import Paint, Shape, Solid, rotation

RGB = tuple[float, float, float]


@lru_cache(maxsize=256)
def dice(seed: int) -> tuple[float, ...]:
    """Forty numbers in 0..1: the individual traits of a thing. Time does not change them."""
    return tuple(np.random.default_rng([seed, 0x100]).random(40).tolist())


def mix(u: float, low: float, high: float) -> float:
    """`low` to `high` as `u` goes from 0 to 1."""
    return low + u * (high - low)


def any_colour(hue: float, saturation: float, value: float) -> RGB:
    """Anything but black, so that shading stays visible."""
    return hsv_to_rgb(hue, mix(saturation, 0.1, 0.9), mix(value, 0.3, 1.0))


def typical(
    odd: float, hue: float, saturation: float, value: float, family: tuple[RGB, RGB]
) -> RGB:
    """A colour between the two of a `family`, given as lowest and highest hue, saturation and
    value; one thing in ten has any colour at all. All arguments but the last are dice in 0..1."""
    if odd > 0.9:
        return any_colour(hue, saturation, value)
    low, high = family
    return hsv_to_rgb(
        mix(hue, low[0], high[0]) % 1, mix(saturation, low[1], high[1]), mix(value, low[2], high[2])
    )


def grey(value: float) -> RGB:
    return value, value, value


def darker(colour: RGB, by: float = 0.6) -> RGB:
    return colour[0] * by, colour[1] * by, colour[2] * by


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A solid in the thing's frame, `half` its size; `turn` (yaw, pitch, roll) in radians about
    its own centre."""

    shape: Shape
    centre: tuple[float, float, float]
    half: tuple[float, float, float]
    paint: Paint
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)


FACING = (0.0, np.pi / 2, 0.0)
"""Turns a tube's axis to the front: discs on walls, speakers, wheels seen from ahead."""
SIDEWAYS = (0.0, 0.0, np.pi / 2)
"""Turns a tube's axis to the side: wheels."""


def place(parts: list[Part], position: NDArray[np.float64], yaw: float, size: float) -> list[Solid]:
    """Parts as solids in the world: `size` metres a unit, turned by `yaw` about the vertical."""
    turn = rotation(yaw, 0, 0)
    return [
        Solid(
            part.shape,
            position + size * (turn @ np.array(part.centre)),
            (turn @ rotation(*part.turn) * (size * np.array(part.half))).T,
            part.paint,
        )
        for part in parts
    ]
