"""Rooms: the box that a scene happens in, its light and its temperature."""

from dataclasses import dataclass

import numpy as np

from sources.world.geometry import Light, Paint
from sources.world.looks.parts import any_colour, darker, mix

PATTERNS = ("plain", "plain", "plain", "plain", "stripes", "bars", "checks", "grain")


@dataclass(frozen=True, slots=True)
class Room:
    """From `low` to `high` (x, y, z in metres, the floor at z = 0), painted inside.

    `paints` are of the wall behind, ahead, to the right, to the left, the floor and the ceiling.
    `gain` is the camera's exposure.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    paints: tuple[Paint, ...]
    celsius: float
    light: Light
    gain: float


def draw(rng: np.random.Generator, wall_m: float | None, tall_m: float) -> Room:
    """A room around a robot that starts at the origin and looks along x.

    `wall_m`: where the wall ahead has to be, if that is given. `tall_m`: how far the robot climbs.
    """
    u = rng.random(48).tolist()
    celsius = mix(u[0], 13, 26)
    ahead = mix(u[1] ** 1.5, 3.5, 10) if wall_m is None else wall_m
    paints: list[Paint] = []
    for face in range(6):
        v = u[8 + 6 * face : 14 + 6 * face]
        # Muted, as rooms are; a little darker where it is patterned.
        colour = any_colour(v[0], 0.35 * v[1] ** 2, mix(v[2], 0.2, 0.9))
        other = darker(colour, mix(v[3], 0.65, 0.95))
        pattern = PATTERNS[int(len(PATTERNS) * v[4])]
        warmth = celsius + mix(v[5], -2, 2)
        paints.append(Paint(colour, warmth, other, pattern, mix(v[5], 0.7, 4)))
    towards = np.array([-mix(u[2], 0.2, 1.0), mix(u[3], -1, 1), mix(u[4], 0.3, 1.2)])
    towards /= np.linalg.norm(towards)
    tint = mix(u[5], -0.12, 0.12)
    return Room(
        low=(-3.0, -mix(u[6], 1.6, 5), 0.0),
        high=(ahead, mix(u[7], 1.6, 5), tall_m + mix(u[1], 2.3, 4.5)),
        paints=tuple(paints),
        celsius=celsius,
        light=Light((towards[0], towards[1], towards[2]), (1 + tint, 1.0, 1 - tint)),
        gain=mix(u[6], 0.7, 1.25),
    )
