"""Colour, depth and heat show the same scene from where the robot is, at any resolution."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from sources.world.geometry import Paint
from sources.world.happenings import Happening
from sources.world.looks.parts import Part, place
from sources.world.view import LOOKS, look
from tests.scenes import SMALL, alone, camera, mixture, overlap, standing, without

SOLID_AND_HOT = (
    "a lamp shining",
    "a dog barking",
    "a cat meowing",
    "a person talking",
    "a block of ice melting",
)
"""Without gas, which a depth camera does not see."""


@pytest.mark.parametrize("name", SOLID_AND_HOT)
def test_a_thing_has_one_silhouette_in_colour_depth_and_heat(name: str) -> None:
    for seed in range(3):
        scene, thing = alone(name, seed)
        with_it, bare = (look(s, 4.0, 128, 96) for s in (scene, without(scene, thing)))
        depth = with_it.metres != bare.metres
        heat = with_it.celsius != bare.celsius
        colour = (with_it.colour != bare.colour).any(axis=2)

        assert depth.sum() > 50
        assert (with_it.metres <= bare.metres).all()
        assert overlap(depth, heat) > 0.99
        assert overlap(depth, colour) > 0.97  # a face may have the colour of what is behind it


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("a kettle boiling", 13, 48),
        ("a fire burning", 13, 320),
        ("water running from a tap", 5, 26),
    ],
)
def test_steam_flames_and_water_show_in_heat_and_not_in_depth(
    name: str, low: float, high: float
) -> None:
    scene, thing = alone(name)
    with_it, bare = (look(s, 4.0, 128, 96) for s in (scene, without(scene, thing)))
    depth = with_it.metres != bare.metres
    gas = (with_it.celsius != bare.celsius) & ~depth

    assert gas.sum() > 20
    # By a share of the difference to its own temperature, which is within these.
    towards = with_it.celsius[gas] > bare.celsius[gas]
    assert towards.all() if name != "water running from a tap" else not towards.any()
    assert (with_it.celsius[gas] > low).all()
    assert (with_it.celsius[gas] < high).all()


def test_what_is_clear_veils_what_is_clear_behind_it() -> None:
    """Flames before steam stay hot, in whichever order the two are listed."""
    scene, fire = alone("a fire burning")
    _, kettle = alone("a kettle boiling")
    scene = standing(scene)
    near = replace(fire, position=(2.0, 0.0, 0.0), size_m=0.8)
    far = replace(kettle, position=(3.2, 0.0, -0.5), yaw=np.pi / 2, size_m=1.0)
    only, steam, both, turned = (
        look(replace(scene, things=things, panels=()), 4.0, 128, 96)
        for things in ((near,), (far,), (near, far), (far, near))
    )
    # A flame lets a quarter of what is behind it through.
    flames = only.celsius > 0.75 * 320
    assert (flames & (steam.celsius > 28) & (steam.celsius < 48)).sum() > 10
    assert (both.celsius[flames] > 0.75 * 320).all()
    np.testing.assert_array_equal(both.celsius, turned.celsius)
    np.testing.assert_array_equal(both.colour, turned.colour)


@pytest.mark.parametrize("index", [0, 7, 22, 41, 45])
def test_two_resolutions_agree(index: int) -> None:
    """Three times as many pixels each way: every third looks along the same ray."""
    scene = mixture()[index]
    coarse = look(scene, 5.0, 64, 48)
    fine = look(scene, 5.0, 192, 144)

    for one, two in zip(
        (coarse.metres, coarse.celsius, coarse.colour),
        (fine.metres[1::3, 1::3], fine.celsius[1::3, 1::3], fine.colour[1::3, 1::3]),
        strict=True,
    ):
        # Rounding may decide on either side of an edge.
        assert np.mean(np.isclose(one, two, rtol=1e-4, atol=1e-3)) > 0.995


def test_the_ball_flies_in_a_parabola_from_touch_to_touch() -> None:
    scene, ball = alone("a ball bouncing", 3)
    scene = standing(scene)
    touches = [happening.t_s for happening in ball.happenings]
    bare = look(without(scene, ball), 0.0, 192, 144).metres
    pose = camera(scene.motion, 0.0, 192, 144)
    checked = 0
    for one, two in pairwise(touches[1:5]):
        for share in (0.0, 0.15, 0.5, 0.7):
            after, left = share * (two - one), (1 - share) * (two - one)
            metres = look(scene, one + after, 192, 144).metres
            rows = np.nonzero(metres != bare)[0]
            assert rows.size > 100
            if rows.min() == 0 or rows.max() == 143:
                continue  # cut by the picture
            flown = 9.80665 / 2 * after * left
            middle = np.add(ball.position, (0, 0, ball.size_m / 2 + flown))
            ahead, _, up = (middle - pose.position) @ pose.rotation
            # Seen between the two tangents from above and below, and their mean is this.
            row = 72 - pose.focal_px * up * ahead / (ahead**2 - (ball.size_m / 2) ** 2)
            assert (rows.min() + rows.max() + 1) / 2 == pytest.approx(row, abs=1)
            checked += 1
    assert checked >= 8


@pytest.mark.parametrize("name", ["an alarm ringing", "a dog barking"])
def test_it_looks_different_exactly_while_it_is_heard(name: str) -> None:
    scene, thing = alone(name, 3)
    silent = replace(thing, happenings=())
    quiet = replace(without(scene, thing), things=(*without(scene, thing).things, silent))
    # Frames of a live camera, and the very ends of what happens.
    frames = np.arange(2.0, 4.0, 1 / 8).tolist()
    edges = [
        t_s + e
        for h in thing.happenings[2:5]
        for t_s in (h.t_s, h.t_s + h.length_s)
        for e in (-1e-3, 1e-3)
    ]
    lit = 0
    for t_s in (*frames, *edges):
        heard = any(h.t_s <= t_s < h.t_s + h.length_s for h in thing.happenings)
        one, two = (look(s, t_s, *SMALL).colour for s in (scene, quiet))
        assert bool((one != two).any()) == heard
        lit += heard
        if heard and name == "an alarm ringing":
            changed = (one != two).any(axis=2)
            assert one[changed][:, 0].mean() > two[changed][:, 0].mean() + 0.2  # the lamp is on
    assert 0.1 < lit / (len(frames) + len(edges)) < 0.9


def test_what_is_too_short_for_a_frame_is_shown_longer() -> None:
    scene, thing = alone("an alarm ringing", 3)
    beeping = replace(thing, happenings=(Happening(2.0, 0.01),))
    scenes = [
        replace(scene, things=(*without(scene, thing).things, each))
        for each in (beeping, replace(thing, happenings=()))
    ]
    for t_s, shown in ((1.999, False), (2.0, True), (2.119, True), (2.121, False)):
        one, two = (look(s, t_s, *SMALL).colour for s in scenes)
        assert bool((one != two).any()) == shown


def test_parts_are_placed_turned_and_scaled() -> None:
    """The part's own turn first, then the thing's; the front of a thing is its x."""
    paint = Paint((1, 1, 1), 20)
    part = Part("box", (1.0, 0.0, 0.5), (0.3, 0.2, 0.1), paint, (0.0, np.pi / 2, 0.0))
    (solid,) = place([part], np.array((10.0, 20.0, 0.0)), np.pi / 2, 2.0)

    np.testing.assert_allclose(solid.centre, (10, 22, 1), atol=1e-12)
    # Its nose turned down, then everything to the left.
    np.testing.assert_allclose(solid.axes, [(0, 0, -0.6), (-0.4, 0, 0), (0, 0.2, 0)], atol=1e-12)
    assert solid.paint is paint


def test_every_thing_looks_like_something_and_like_itself() -> None:
    """The same seed is the same individual; another one differs."""
    for name, shape in LOOKS.items():
        one, again, other = (repr(shape(seed, 1.0, True, 20.0)) for seed in (1, 1, 2))
        assert one == again, name
        assert one != other, name


def test_a_view_is_finite_and_within_its_units() -> None:
    for scene in mixture()[::4]:
        view = look(scene, 5.0, *SMALL)
        assert view.colour.shape == (*SMALL[::-1], 3)
        assert view.metres.shape == view.celsius.shape == SMALL[::-1]
        assert view.colour.dtype == view.metres.dtype == view.celsius.dtype == np.float32
        assert all(np.isfinite(a).all() for a in (view.colour, view.metres, view.celsius))
        assert view.colour.min() >= 0
        assert view.celsius.min() > -12
        assert view.celsius.max() < 330
        assert view.metres.max() < 25
