"""Scenes of the simulated world for tests to look at."""

from dataclasses import replace
from functools import lru_cache
from math import radians, tan

import numpy as np
from numpy.typing import NDArray

from sources.world.geometry import Camera, rotation
from sources.world.moments import WorldMoments
from sources.world.motion import Motion
from sources.world.scene import Scene, Thing, draw

SMALL = 64, 48


@lru_cache(maxsize=1)
def mixture() -> tuple[Scene, ...]:
    """Scenes as the data set has them: every concept alone once, and as many of two or three."""
    moments = WorldMoments(5, 48)
    return tuple(moments.scene(index) for index in range(len(moments)))


def alone(name: str, seed: int = 0) -> tuple[Scene, Thing]:
    """A scene of one thing, and that thing."""
    scene = draw(seed, (name,))
    return scene, next(thing for thing in scene.things if thing.concept == name)


def without(scene: Scene, *gone: Thing) -> Scene:
    return replace(scene, things=tuple(t for t in scene.things if t not in gone))


def standing(scene: Scene) -> Scene:
    """The same scene with the robot frozen where it is at the beginning."""
    motion = scene.motion
    knots = np.broadcast_to(motion.knots[1], motion.knots.shape)
    return replace(scene, motion=Motion(None, knots, motion.vibration))


def camera(motion: Motion, t_s: float, width: int, height: int) -> Camera:
    """Where the robot's camera is."""
    positions, angles = motion.poses(np.array([t_s]))
    return Camera(positions[0], rotation(*angles[0]), width, height)


def ray(camera: Camera, row: int, column: int) -> NDArray[np.float64]:
    """Through the middle of a pixel, one metre along the optical axis."""
    half = tan(radians(30))
    right = (column + 0.5 - camera.width / 2) / (camera.height / 2) * half
    down = (row + 0.5 - camera.height / 2) / (camera.height / 2) * half
    front, left, up = camera.rotation.T
    return front - right * left - down * up


def overlap(one: NDArray[np.bool_], two: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks."""
    return float((one & two).sum() / max(1, (one | two).sum()))


def points(taken: Camera, metres: NDArray[np.float32]) -> NDArray[np.float64]:
    """Where in the world the pixels of a depth picture lie: (H, W, 3)."""
    rays = [
        [ray(taken, row, column) for column in range(taken.width)] for row in range(taken.height)
    ]
    return taken.position + np.array(rays) * metres[..., None]


def seen_at(taken: Camera, world: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Column, row and distance at which points (..., 3) of the world show in a picture."""
    ahead, left, up = np.moveaxis((world - taken.position) @ taken.rotation, -1, 0)
    scale = taken.height / 2 / tan(radians(30))
    return taken.width / 2 - left / ahead * scale, taken.height / 2 - up / ahead * scale, ahead
