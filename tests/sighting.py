"""Where a pinhole camera would see a thing of the world, worked out from poses alone."""

import numpy as np

from sources.world.geometry import Camera, rotation
from sources.world.scene import Scene, Thing

WIDTH, HEIGHT = 256, 192


def seen(played: Scene, thing: Thing, t_s: float) -> tuple[float, float, float]:
    """Column and row of the middle of the thing, -1..1 over the height of the picture, and its
    distance along the optical axis in metres."""
    positions, angles = played.motion.poses(np.array([t_s]))
    camera = Camera(positions[0], rotation(*angles[0]), WIDTH, HEIGHT)
    middle = np.add(thing.position, (0, 0, thing.size_m / 2))
    ahead, left, up = camera.rotation.T @ (middle - camera.position)
    scale = 2 * camera.focal_px / HEIGHT / ahead
    return float(-left * scale), float(-up * scale), float(ahead)
