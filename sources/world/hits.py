"""Where rays meet solids: exact intersections, for whole pictures at once.

All in the solid's own coordinates, in which it is the unit ball, the cube from -1 to 1 or the tube
of radius 1 from -1 to 1: an origin `o` (3,), directions `d` of three planes (h, w) and the light
(3,) seen from each axis. Stretching space keeps the ray parameter, so the depth is in metres.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sources.world.geometry import NEAR_M, Floats

Rays: TypeAlias = tuple[Floats, Floats, Floats]
Hit: TypeAlias = tuple[Floats, Floats, Rays]
"""Depth (infinite = missed), brightness 0..1, and the place in the solid's own coordinates."""

AMBIENT = 0.45
"""The brightness of what no light falls on."""


def ball(o: Floats, d: Rays, light: NDArray[np.float64]) -> Hit:
    a = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
    b = o[0] * d[0] + o[1] * d[1] + o[2] * d[2]
    inside = b * b - a * (o @ o - 1)
    depth = (-b - np.sqrt(np.maximum(inside, 0))) / a
    depth = np.where((inside > 0) & (depth > NEAR_M), depth, np.float32(np.inf))
    near = np.where(np.isfinite(depth), depth, 0)
    place = d[0] * near + o[0], d[1] * near + o[1], d[2] * near + o[2]
    cosine = sum((place[i] * np.float32(light[i]) for i in range(3)), np.float32(0))
    return depth, _lit(np.asarray(cosine)), place


def box(o: Floats, d: Rays, light: NDArray[np.float64]) -> Hit:
    enters: list[Floats] = []
    leave: Floats | None = None
    for axis in range(3):
        inverse = _inverse(d[axis])
        one, two = (-1 - o[axis]) * inverse, (1 - o[axis]) * inverse
        enters.append(np.minimum(one, two))
        last = np.maximum(one, two)
        leave = last if leave is None else np.minimum(leave, last)
    depth = np.maximum(np.maximum(enters[0], enters[1]), enters[2])
    missed = (depth >= leave) | (depth <= NEAR_M)
    bright = np.zeros_like(depth)
    for axis in range(3):
        face = depth == enters[axis]
        bright = np.where(face, -np.sign(d[axis]) * np.float32(light[axis]), bright)
    near = np.where(missed, 0, depth)
    place = d[0] * near + o[0], d[1] * near + o[1], d[2] * near + o[2]
    return np.where(missed, np.float32(np.inf), depth), _lit(bright), place


def tube(o: Floats, d: Rays, light: NDArray[np.float64]) -> Hit:
    # Along the axis the round side is never entered; a tiny radius of the ray's spiral puts it
    # far behind for rays inside the tube, and `inside` rules out the others.
    a = np.maximum(d[0] * d[0] + d[1] * d[1], np.float32(1e-12))
    b = o[0] * d[0] + o[1] * d[1]
    inside = b * b - a * (o[0] * o[0] + o[1] * o[1] - 1)
    root = np.sqrt(np.maximum(inside, 0))
    side, back = (-b - root) / a, (-b + root) / a
    inverse = _inverse(d[2])
    one, two = (-1 - o[2]) * inverse, (1 - o[2]) * inverse
    cap = np.minimum(one, two)
    depth = np.maximum(side, cap)
    missed = (inside <= 0) | (depth >= np.minimum(back, np.maximum(one, two))) | (depth <= NEAR_M)
    near = np.where(missed, 0, depth)
    place = d[0] * near + o[0], d[1] * near + o[1], d[2] * near + o[2]
    round_ = place[0] * np.float32(light[0]) + place[1] * np.float32(light[1])
    bright = np.where(cap > side, -np.sign(d[2]) * np.float32(light[2]), round_)
    return np.where(missed, np.float32(np.inf), depth), _lit(bright), place


def _inverse(d: Floats) -> Floats:
    """1 / d; of a ray parallel to a face something huge, so that it meets the face far away."""
    return np.reciprocal(np.where(np.abs(d) < 1e-9, np.float32(1e-9), d))


def _lit(cosine: Floats) -> Floats:
    """Brightness of a face whose normal makes this cosine with the light.

    Normals of squeezed balls are taken as if they were round, which only shifts the shading.
    """
    return np.maximum(cosine, 0) * np.float32(1 - AMBIENT) + np.float32(AMBIENT)
