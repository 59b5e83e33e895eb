"""What pictures are cast from: solids, a camera, light; and the rays of a camera's pixels.

World frame: x ahead, y left, z up, metres. The camera looks along the body's x axis; a ray is
scaled to advance 1 along it, so that the ray parameter *is* the depth that a depth camera reports.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import cos, radians, sin, tan
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Shape: TypeAlias = Literal["ball", "box", "tube"]
Pattern: TypeAlias = Literal["plain", "stripes", "bars", "checks", "grain"]

FIELD_OF_VIEW_DEG = 60.0
"""Vertical. Pictures are 4:3, so that the middle square sees 60 x 60 degrees."""
NEAR_M = 0.05
"""Nothing nearer along the optical axis than this is seen."""


@dataclass(frozen=True, slots=True)
class Paint:
    """A surface. Colours are RGB in 0..1.

    `colour` and `other` alternate in `pattern`, `pitch` changes to one half extent of a solid or
    one metre of a wall. `glow` is the least brightness whatever the light; from 1 it shines by
    itself. An `alpha` below 1 makes it gas or light: it covers this share of the colour and of
    the heat behind it, and a depth camera does not see it.
    """

    colour: tuple[float, float, float]
    celsius: float
    other: tuple[float, float, float] = (0.0, 0.0, 0.0)
    pattern: Pattern = "plain"
    pitch: float = 3.0
    glow: float = 0.0
    alpha: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Solid:
    """A ball, box or tube (a cylinder along its third axis) of half extents `axes`.

    `centre` (3,) metres; the rows of `axes` (3, 3) are orthogonal and as long as half the solid,
    so a ball of three different lengths is an ellipsoid.
    """

    shape: Shape
    centre: NDArray[np.float64]
    axes: NDArray[np.float64]
    paint: Paint


@dataclass(frozen=True, slots=True)
class Light:
    """The direction that light comes from (unit vector) and the colour it gives to white."""

    towards: tuple[float, float, float]
    colour: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera of square pixels; pixel (row, column) looks through its middle.

    `position` (3,) metres. `rotation` (3, 3) turns body axes (front, left, up) into the world's.
    """

    position: NDArray[np.float64]
    rotation: NDArray[np.float64]
    width: int
    height: int

    @cached_property
    def focal_px(self) -> float:
        return self.height / 2 / tan(radians(FIELD_OF_VIEW_DEG / 2))


def rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Rz(yaw) Ry(pitch) Rx(roll) (3, 3), radians: its columns are the body's axes in the world.

    Positive yaw turns left, positive pitch is nose down, positive roll leans to the right.
    """
    cy, sy, cp, sp, cr, sr = cos(yaw), sin(yaw), cos(pitch), sin(pitch), cos(roll), sin(roll)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def directions(
    turned: NDArray[np.float64], camera: Camera, rows: slice, columns: slice
) -> tuple[Floats, Floats, Floats]:
    """Ray directions of a part of the picture, three planes (h, w).

    `turned` (3, 3) takes body axes to the frame that they are wanted in.
    """
    x, y = _plane(camera.width, camera.height)
    x, y = x[columns], y[rows, None]
    a, b, c = (turned.astype(np.float32)[:, i] for i in range(3))
    first, second, third = (a[i] - x * b[i] - y * c[i] for i in range(3))
    return first, second, third


@lru_cache(maxsize=8)
def _plane(width: int, height: int) -> tuple[Floats, Floats]:
    """Where pixels lie on the plane one metre ahead: to the right (W,) and down (H,)."""
    focal = height / 2 / tan(radians(FIELD_OF_VIEW_DEG / 2))
    x = (np.arange(width) + 0.5 - width / 2) / focal
    y = (np.arange(height) + 0.5 - height / 2) / focal
    return x.astype(np.float32), y.astype(np.float32)


_CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)


def window(solid: Solid, camera: Camera) -> tuple[slice, slice] | None:
    """Rows and columns that the solid can cover, or None if that is nothing.

    Most solids are small, and casting only the rays that can hit them is what makes it fast.
    """
    corners = (solid.centre + _CORNERS @ solid.axes - camera.position) @ camera.rotation
    ahead = corners[:, 0]
    if ahead.max() <= NEAR_M:
        return None
    if ahead.min() <= NEAR_M:
        # A corner behind the camera has no place in the picture to bound it with.
        return slice(0, camera.height), slice(0, camera.width)
    u = -corners[:, 1] / ahead * camera.focal_px + camera.width / 2
    v = -corners[:, 2] / ahead * camera.focal_px + camera.height / 2
    left, right = max(0, int(u.min())), min(camera.width, int(u.max()) + 1)
    top, bottom = max(0, int(v.min())), min(camera.height, int(v.max()) + 1)
    if left >= right or top >= bottom:
        return None
    return slice(top, bottom), slice(left, right)
