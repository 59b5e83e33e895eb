"""A picture in the making: colour, depth and heat of the nearest surface along every ray."""

import numpy as np
from numpy.typing import NDArray

from sources.world import hits
from sources.world.geometry import Camera, Floats, Light, Paint, Solid, directions, window

_SHAPES = {"ball": hits.ball, "box": hits.box, "tube": hits.tube}
_FADING = 0.03
"""Walls darken with distance: to 1 / (1 + 0.03 d) of their brightness at d metres."""


class Canvas:
    """Colour (3, H, W) 0..1, metres (H, W) and celsius (H, W) of what has been drawn so far."""

    def __init__(self, camera: Camera, light: Light) -> None:
        self._camera, self._light = camera, np.array(light.towards)
        shape = camera.height, camera.width
        # In planes: numpy is several times slower along an axis of three.
        self.colour: Floats = np.zeros((3, *shape), np.float32)
        self.metres: Floats = np.full(shape, np.inf, np.float32)
        self.celsius: Floats = np.zeros(shape, np.float32)

    def draw(self, solid: Solid) -> None:
        """Put a solid where it is nearer than what is there. Gas (alpha < 1) has to come last.

        A solid whose bounding box holds the camera is left out: there is no surface to see from
        inside, and a robot that is this near to something has driven into it.
        """
        camera = self._camera
        local = np.linalg.inv(solid.axes.T)
        origin = (local @ (camera.position - solid.centre)).astype(np.float32)
        if np.abs(origin).max() <= 1:
            return
        part = window(solid, camera)
        if part is None:
            return
        rays = directions(local @ camera.rotation, camera, *part)
        facing = solid.axes @ self._light / np.linalg.norm(solid.axes, axis=1)
        depth, light, place = _SHAPES[solid.shape](origin, rays, facing)
        nearer = depth < self.metres[part]
        if not nearer.any():
            return
        paint = solid.paint
        colour = _colour(paint, place, light)
        if paint.alpha == 1:
            np.copyto(self.metres[part], depth, where=nearer)
            np.copyto(self.celsius[part], np.float32(paint.celsius), where=nearer)
            for plane, value in zip(self.colour, colour, strict=True):
                np.copyto(plane[part], value, where=nearer)
        else:
            share = np.float32(paint.alpha) * nearer
            for plane, value in zip(self.colour, colour, strict=True):
                plane[part] += share * (value - plane[part])
            self.celsius[part] += share * (np.float32(paint.celsius) - self.celsius[part])

    def surround(
        self, low: NDArray[np.float64], high: NDArray[np.float64], paints: tuple[Paint, ...]
    ) -> None:
        """The inside of a box from `low` to `high` (3,), which holds the camera: every ray ends.

        `paints` are of the walls at -x, +x, -y, +y, the floor and the ceiling. Comes first: it
        covers what has been drawn before.
        """
        camera = self._camera
        middle, half = (low + high) / 2, (high - low) / 2
        whole = slice(0, camera.height), slice(0, camera.width)
        rays = directions(camera.rotation, camera, *whole)
        origin = camera.position - middle
        exits = [
            _exit(d, np.float32(half[axis]), np.float32(origin[axis]))
            for axis, d in enumerate(rays)
        ]
        depth = np.minimum(np.minimum(exits[0], exits[1]), exits[2])
        for axis in range(3):
            other = [i for i in range(3) if i != axis]
            for side, sign in enumerate((-1.0, 1.0)):
                ahead = rays[axis] > 0 if sign > 0 else rays[axis] < 0
                here = np.flatnonzero((depth == exits[axis]) & ahead)
                if not here.size:
                    continue
                paint = paints[2 * axis + side]
                at = depth.reshape(-1)[here]
                u, v = (rays[i].reshape(-1)[here] * at + np.float32(origin[i]) for i in other)
                cosine = max(0.0, -sign * self._light[axis])
                light = np.float32(hits.AMBIENT + (1 - hits.AMBIENT) * cosine)
                fade = light / (1 + np.float32(_FADING) * at)
                for plane, value in zip(self.colour, _colour(paint, (u, v, u), fade), strict=True):
                    plane.reshape(-1)[here] = value
                self.celsius.reshape(-1)[here] = paint.celsius
        np.copyto(self.metres, depth)


def _exit(d: Floats, half: np.float32, origin: np.float32) -> Floats:
    """Where rays leave the slab from -half to half that they start in."""
    # Exactly parallel to the slab, a ray leaves it nowhere near.
    inverse = np.reciprocal(np.where(d == 0, np.float32(1e-9), d))
    return np.abs(inverse * half) - inverse * origin


def _colour(
    paint: Paint, place: tuple[Floats, Floats, Floats], light: Floats
) -> tuple[Floats, Floats, Floats]:
    """Red, green and blue of a surface at places in its own coordinates."""
    bright = np.maximum(light, np.float32(paint.glow)) if paint.glow else light
    if paint.pattern == "plain":
        red, green, blue = (bright * np.float32(part) for part in paint.colour)
        return red, green, blue
    pitch = np.float32(paint.pitch)
    match paint.pattern:
        case "stripes":
            share = _alternating(place[2] * pitch)
        case "bars":
            share = _alternating(place[1] * pitch)
        case "checks":
            share = np.abs(_alternating(place[0] * pitch) - _alternating(place[1] * pitch))
        case "grain":
            u, v = place[0] * pitch, place[1] * pitch
            share = np.sin(2.3 * u + 1.7 * np.sin(1.3 * v)) + np.sin(3.1 * v + 2.1 * u)
            share = np.float32(0.5) + np.float32(0.25) * share
    share = share * bright
    red, green, blue = (
        bright * np.float32(first) + share * np.float32(second - first)
        for first, second in zip(paint.colour, paint.other, strict=True)
    )
    return red, green, blue


def _alternating(x: Floats) -> Floats:
    """0 and 1 in turn, each one wide."""
    return np.bitwise_and(np.floor(x).astype(np.int32), 1).astype(np.float32)
