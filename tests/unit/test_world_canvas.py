"""What a canvas shows of solids: the nearest, lit, patterned, veiled by gas."""

from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.world.canvas import Canvas
from sources.world.geometry import Camera, Light, Paint, Pattern, Shape, Solid, rotation
from sources.world.hits import AMBIENT
from tests.scenes import ray

WIDTH, HEIGHT = 16, 12
LIGHT = Light((0.0, 0.0, 1.0), (1.0, 1.0, 1.0))
WHITE = Paint((1.0, 1.0, 1.0), 30.0)
SHAPES: tuple[Shape, ...] = ("ball", "box", "tube")
STRAIGHT = Camera(np.zeros(3), np.eye(3), WIDTH, HEIGHT)


def cube(x: float, half: float, paint: Paint = WHITE, y: float = 0.0) -> Solid:
    return Solid("box", np.array((x, y, 0.0)), half * np.eye(3), paint)


def picture(camera: Camera, *solids: Solid, light: Light = LIGHT) -> Canvas:
    canvas = Canvas(camera, light)
    for solid in solids:
        canvas.draw(solid)
    return canvas


@given(st.permutations(range(4)))
def test_the_nearest_is_seen_whatever_was_drawn_first(order: list[int]) -> None:
    solids = [
        cube(4, 1.0, Paint((1, 0, 0), 10)),
        Solid("ball", np.array((3.0, 0.3, 0)), 0.8 * np.eye(3), Paint((0, 1, 0), 20)),
        Solid("tube", np.array((2.6, -0.3, 0)), np.diag((0.3, 0.3, 2)), Paint((0, 0, 1), 30)),
        cube(2, 0.3, Paint((1, 1, 0), 40, (0, 1, 1), "checks"), y=0.4),
    ]
    expected = picture(STRAIGHT, *solids)
    got = picture(STRAIGHT, *(solids[i] for i in order))

    assert set(np.unique(got.celsius)) == {0, 10, 20, 30, 40}
    np.testing.assert_array_equal(got.metres, expected.metres)
    np.testing.assert_array_equal(got.celsius, expected.celsius)
    np.testing.assert_array_equal(got.colour, expected.colour)


def test_gas_veils_colour_and_heat_and_leaves_depth_alone() -> None:
    wall = cube(4, 1.5, Paint((1, 0, 0), 20, glow=1))
    near, far = (cube(x, 0.4, Paint((0, 1, 0), 100, glow=1, alpha=0.25)) for x in (2, 9))
    before, veiled, behind = (picture(STRAIGHT, wall, *gas) for gas in ((), (near,), (far,)))
    middle = HEIGHT // 2, WIDTH // 2

    np.testing.assert_array_equal(veiled.metres, before.metres)
    assert veiled.celsius[middle] == pytest.approx(0.75 * 20 + 0.25 * 100)
    np.testing.assert_allclose(veiled.colour[:, *middle], (0.75, 0.25, 0), atol=1e-6)
    assert veiled.celsius[0, 0] == before.celsius[0, 0]
    np.testing.assert_array_equal(behind.celsius, before.celsius)
    np.testing.assert_array_equal(behind.colour, before.colour)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_the_camera_is_inside_of_is_not_drawn(shape: Shape) -> None:
    for centre in ((0.2, -0.1, 0.1), (-0.7, 0.1, 0.5)):
        around = Solid(shape, np.array(centre), np.eye(3), WHITE)
        assert np.isinf(picture(STRAIGHT, around).metres).all()


@pytest.mark.parametrize("x", [-3.0, -0.5, 0.0, 0.03])
def test_nothing_behind_or_nearer_than_the_near_plane_is_drawn(x: float) -> None:
    plate = Solid("box", np.array((x, 0, 0)), np.diag((0.001, 4, 4)), WHITE)

    assert np.isinf(picture(STRAIGHT, plate).metres).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_face_nearer_than_the_near_plane_is_cut_away(shape: Shape) -> None:
    """The rest of the solid, which is hidden behind it, does not come to light."""
    gaps = [
        Solid(shape, np.array((0.5 + gap, 0, 0)), 0.5 * np.eye(3), WHITE) for gap in (0.03, 0.1)
    ]
    near, far = (picture(STRAIGHT, solid).metres[HEIGHT // 2, WIDTH // 2] for solid in gaps)

    assert np.isinf(near)
    assert far == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("shape", SHAPES)
def test_faces_are_lit_by_the_cosine_and_never_dark(shape: Shape) -> None:
    solid = Solid(shape, np.array((3.0, 0, 0)), np.eye(3), WHITE)
    middle = HEIGHT // 2, WIDTH // 2
    for angle in (0.0, 0.7, 1.4, 2.5):  # between the light and the way to the camera
        light = Light((-np.cos(angle), 0.0, np.sin(angle)), (1, 1, 1))
        seen = picture(Camera(np.zeros(3), np.eye(3), WIDTH, HEIGHT), solid, light=light)
        expected = AMBIENT + (1 - AMBIENT) * max(0.0, np.cos(angle))

        # A ball and a tube curve away within the pixel beside the middle.
        slack = 0.01 if shape == "box" else 0.06
        np.testing.assert_allclose(seen.colour[:, *middle], expected, atol=slack)


def test_glow_shines_without_light() -> None:
    away = Light((1.0, 0.0, 0.0), (1, 1, 1))
    seen = picture(STRAIGHT, cube(3, 1, Paint((0.5, 0.25, 1), 30, glow=1)), light=away)

    np.testing.assert_allclose(seen.colour[:, HEIGHT // 2, WIDTH // 2], (0.5, 0.25, 1), rtol=1e-6)


@pytest.mark.parametrize("pattern", ["stripes", "bars", "checks"])
def test_patterns_change_pitch_times_in_half_the_solid(pattern: Pattern) -> None:
    paint = Paint((1, 1, 1), 30, (0, 0, 0), pattern, pitch=3.5, glow=1)
    camera = Camera(np.zeros(3), np.eye(3), 64, 48)
    seen = picture(camera, cube(3, 1, paint)).colour[0]

    checked = 0
    for row in range(48):
        for column in range(64):
            # The face that looks at the camera lies 2 m ahead, half a solid is 1 m. There the
            # solid's own x is -1, which is within an even band.
            _, y, z = ray(camera, row, column) * 2 * 3.5
            if max(abs(y), abs(z)) > 3.5 or min(abs(v - round(v)) for v in (y, z)) < 1e-3:
                continue
            odd = {"stripes": floor(z), "bars": floor(y), "checks": floor(y)}
            assert seen[row, column] == 1 - odd[pattern] % 2
            checked += 1
    assert checked > 400


def test_walls_are_lit_by_the_cosine_and_fade_with_the_distance() -> None:
    light = Light((-0.6, 0.0, 0.8), (1.0, 1.0, 1.0))
    corner = np.full(3, 3.0)
    # Where the camera looks, and the cosine of the light with the inward normal of that wall.
    for yaw, pitch, cosine in (
        (0.0, 0.0, 0.6),
        (np.pi, 0.0, 0.0),
        (1.57, 0.0, 0.0),
        (0.0, 1.57, 0.8),
    ):
        canvas = Canvas(Camera(np.zeros(3), rotation(yaw, pitch, 0), WIDTH, HEIGHT), light)
        canvas.surround(-corner, corner, (WHITE,) * 6)
        expected = (AMBIENT + (1 - AMBIENT) * cosine) / (1 + 0.03 * 3)
        np.testing.assert_allclose(canvas.colour[:, HEIGHT // 2, WIDTH // 2], expected, rtol=1e-3)
