"""Ray-cast solids against intersections worked out ray by ray in float64, from the surfaces'
equations: a hit is the nearest of all points that a ray has in common with a face."""

from math import inf, pi, sqrt

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sources.world.canvas import Canvas
from sources.world.geometry import NEAR_M, Camera, Light, Paint, Shape, Solid, rotation
from tests.scenes import ray

Vector = NDArray[np.float64]
WIDTH, HEIGHT = 16, 12
LIGHT = Light((0.0, 0.0, 1.0), (1.0, 1.0, 1.0))
WHITE = Paint((1.0, 1.0, 1.0), 30.0)
SHAPES: tuple[Shape, ...] = ("ball", "box", "tube")


def depth(solid: Solid, camera: Camera, row: int, column: int, grown: float = 1.0) -> float:
    """How far it is to a solid that is `grown` times as large; infinite: the ray misses it."""
    lengths = [sqrt(float(axis @ axis)) for axis in solid.axes]
    offset, way = camera.position - solid.centre, ray(camera, row, column)
    # In units of half the solid: its axes are orthogonal, so a projection is all it takes.
    pairs = list(zip(solid.axes, lengths, strict=True))
    o = [float(offset @ axis) / (grown * length * length) for axis, length in pairs]
    d = [float(way @ axis) / (grown * length * length) for axis, length in pairs]
    met: list[float] = []
    if solid.shape == "box":
        for axis in range(3):
            for face in (-1, 1):
                t = (face - o[axis]) / d[axis] if d[axis] else inf
                beside = [i for i in range(3) if i != axis]
                if t < inf and all(abs(o[i] + t * d[i]) <= 1 for i in beside):
                    met.append(t)
    else:
        round_ = range(3) if solid.shape == "ball" else range(2)
        a = sum(d[i] * d[i] for i in round_)
        b = sum(o[i] * d[i] for i in round_)
        c = sum(o[i] * o[i] for i in round_) - 1
        if a > 0 and b * b >= a * c:
            for root in (-1, 1):
                t = (-b + root * sqrt(b * b - a * c)) / a
                if solid.shape == "ball" or abs(o[2] + t * d[2]) <= 1:
                    met.append(t)
        if solid.shape == "tube" and d[2]:
            for face in (-1, 1):
                t = (face - o[2]) / d[2]
                if (o[0] + t * d[0]) ** 2 + (o[1] + t * d[1]) ** 2 <= 1:
                    met.append(t)
    nearest = min(met, default=inf)
    return nearest if nearest > NEAR_M else inf


ANGLE = st.floats(-pi, pi)
POSE = st.tuples(ANGLE, st.floats(-1.4, 1.4), ANGLE)
PLACE = st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.floats(0, 3))


@settings(deadline=None, max_examples=60)
@given(
    shape=st.sampled_from(SHAPES),
    pose=POSE,
    position=PLACE,
    # Of the solid's middle: metres ahead, and to the side and down as shares of that.
    ahead=st.floats(0.4, 6),
    side=st.floats(-1, 1),
    down=st.floats(-0.8, 0.8),
    half=st.tuples(*[st.floats(0.1, 1.2)] * 3),
    turn=st.tuples(ANGLE, ANGLE, ANGLE),
)
@example("box", (0, 0, 0), (0, 0, 1), 1.0, 0.9, 0.0, (0.9, 0.3, 0.3), (0, 0, 0))
@example("tube", (0, 0, 0), (0, 0, 1), 2.0, 0.0, 0.0, (0.5, 0.5, 0.5), (0, pi / 2, 0))
def test_depth_is_that_of_a_float64_intersection_at_every_pixel(
    shape: Shape,
    pose: tuple[float, float, float],
    position: tuple[float, float, float],
    ahead: float,
    side: float,
    down: float,
    half: tuple[float, float, float],
    turn: tuple[float, float, float],
) -> None:
    camera = Camera(np.array(position), rotation(*pose), WIDTH, HEIGHT)
    centre = camera.position + camera.rotation @ (ahead * np.array((1, -side, -down)))
    axes = (rotation(*turn) * np.array(half)).T
    solid = Solid(shape, centre, axes, WHITE)
    if np.abs(np.linalg.solve(axes.T, camera.position - centre)).max() <= 1.01:
        return  # the camera is in its bounding box, which is another test
    canvas = Canvas(camera, LIGHT)
    canvas.draw(solid)
    # Every pixel, so the part of the picture that is cast at all cuts nothing off.
    for row in range(HEIGHT):
        for column in range(WIDTH):
            near, far = (depth(solid, camera, row, column, size) for size in (1.001, 0.999))
            if (near < inf) != (far < inf):
                continue  # within a thousandth of the edge, or of the near plane
            assert near - 1e-4 <= canvas.metres[row, column] <= far + 1e-4
            assert canvas.celsius[row, column] == (30 if far < inf else 0)


@settings(deadline=None, max_examples=30)
@given(
    pose=POSE,
    low=st.tuples(*[st.floats(-6, -0.5)] * 3),
    high=st.tuples(*[st.floats(0.5, 6)] * 3),
    at=st.tuples(*[st.floats(0.05, 0.95)] * 3),
)
def test_every_ray_leaves_the_room_through_the_right_wall(
    pose: tuple[float, float, float],
    low: tuple[float, float, float],
    high: tuple[float, float, float],
    at: tuple[float, float, float],
) -> None:
    room = np.array((low, high))
    position = room[0] + np.array(at) * (room[1] - room[0])
    camera = Camera(position, rotation(*pose), WIDTH, HEIGHT)
    canvas = Canvas(camera, LIGHT)
    canvas.surround(room[0], room[1], tuple(Paint((1, 1, 1), 10.0 + face) for face in range(6)))
    for row in range(HEIGHT):
        for column in range(WIDTH):
            way = ray(camera, row, column)
            ways_out = sorted(
                ((room[int(way[i] > 0), i] - position[i]) / way[i], 2 * i + int(way[i] > 0))
                for i in range(3)
                if abs(way[i]) > 1e-6
            )
            metres, face = ways_out[0]
            assert canvas.metres[row, column] == pytest.approx(metres, rel=1e-5)
            if ways_out[1][0] > metres * 1.0001:
                assert canvas.celsius[row, column] == 10 + face


@given(ANGLE, ANGLE, ANGLE)
def test_rotation_is_yaw_after_pitch_after_roll(yaw: float, pitch: float, roll: float) -> None:
    def about(axis: int, angle: float) -> Vector:
        # Rodrigues: the axis is kept, the two others turn into each other.
        one, two = (axis + 1) % 3, (axis + 2) % 3
        matrix = np.eye(3)
        matrix[[one, two], [one, two]] = np.cos(angle)
        matrix[two, one], matrix[one, two] = np.sin(angle), -np.sin(angle)
        return matrix

    turned = rotation(yaw, pitch, roll)

    np.testing.assert_allclose(turned, about(2, yaw) @ about(1, pitch) @ about(0, roll), atol=1e-12)
    np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turned) == pytest.approx(1)


def test_yaw_turns_left_pitch_drops_the_nose_roll_leans_right() -> None:
    front, left, up = np.eye(3)

    assert rotation(0.3, 0, 0) @ front @ left > 0
    assert rotation(0, 0.3, 0) @ front @ up < 0
    assert rotation(0, 0, 0.3) @ left @ up > 0  # the left side rises
