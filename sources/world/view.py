"""Pictures of a scene: colour, depth and heat from one ray-cast, so that they agree."""

from dataclasses import dataclass
from functools import lru_cache
from math import pi

import cv2
import numpy as np
from numpy.typing import NDArray

from sources.world.canvas import Canvas
from sources.world.geometry import Camera, Paint, Shape, Solid, rotation
from sources.world.looks import household, living, machines
from sources.world.looks.clutter import clutter
from sources.world.looks.parts import Part, any_colour, darker, dice, grey, mix, place
from sources.world.scene import Panel, Scene, Thing

LOOKS = {
    "a kettle boiling": household.kettle, "an alarm ringing": household.alarm,
    "a fan spinning": household.fan, "a dog barking": living.dog, "a cat meowing": living.cat,
    "a person talking": living.person, "a clock ticking": household.clock,
    "a radio playing music": household.radio, "water running from a tap": household.tap,
    "a fire burning": household.fire, "a lamp shining": household.lamp,
    "a car with its engine running": machines.car, "a drone hovering": machines.drone,
    "a plant in a pot": living.plant, "a block of ice melting": household.ice,
}  # fmt: skip
GRAVITY = 9.80665
SHORTEST_SEEN_S = 0.12
"""A syllable or a beep that is shorter is seen for this long, lest it fall between two frames."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What perfect sensors would see: colour float32 (H, W, 3) 0..1, metres and celsius (H, W)."""

    colour: NDArray[np.float32]
    metres: NDArray[np.float32]
    celsius: NDArray[np.float32]


def look(scene: Scene, t_s: float, width: int, height: int) -> View:
    """The scene at `t_s` from where the robot is then."""
    positions, angles = scene.motion.poses(np.array([t_s]))
    camera = Camera(positions[0], rotation(*angles[0]), width, height)
    canvas = Canvas(camera, scene.room.light)
    room = scene.room
    canvas.surround(np.array(room.low), np.array(room.high), room.paints)
    solids = [*_fixed(scene), *(s for thing in scene.things for s in _thing(scene, thing, t_s))]
    clear = [solid for solid in solids if solid.paint.alpha < 1]
    for solid in solids:
        if solid.paint.alpha == 1:
            canvas.draw(solid)
    for solid in sorted(clear, key=lambda s: -float(np.linalg.norm(s.centre - camera.position))):
        canvas.draw(solid)
    tint = np.array(room.light.colour, np.float32) * np.float32(room.gain)
    colour = cv2.merge([plane * part for plane, part in zip(canvas.colour, tint, strict=True)])
    return View(np.asarray(colour, np.float32), canvas.metres, canvas.celsius)


def _thing(scene: Scene, thing: Thing, t_s: float) -> list[Solid]:
    room_c = scene.room.celsius
    if thing.concept is None:
        parts = clutter(thing.seed, room_c)
    elif thing.concept == "a ball bouncing":
        parts = machines.ball(thing.seed, _bounce(thing, t_s), t_s, room_c)
    else:
        parts = LOOKS[thing.concept](thing.seed, t_s, _active(thing, t_s), room_c)
    return place(parts, np.array(thing.position), thing.yaw, thing.size_m)


def _active(thing: Thing, t_s: float) -> bool:
    return any(
        happening.t_s <= t_s < happening.t_s + max(happening.length_s, SHORTEST_SEEN_S)
        for happening in thing.happenings
    )


def _bounce(thing: Thing, t_s: float) -> float:
    """How high the ball is, in its own diameters: a parabola between two touches."""
    touches = [happening.t_s for happening in thing.happenings]
    period = touches[1] - touches[0]
    x = ((t_s - touches[0]) / period) % 1
    return GRAVITY * period**2 / 8 * 4 * x * (1 - x) / thing.size_m


# A scene's fixed solids serve all its pictures; a live world shows one scene, a data set a few.
@lru_cache(maxsize=4)
def _fixed(scene: Scene) -> tuple[Solid, ...]:
    solids = [_panel(scene, panel) for panel in scene.panels]
    if scene.motion.stairs:
        solids += _stairs(scene)
    if scene.motion.name == "the robot driving over rough ground":
        solids += _stones(scene)
    return tuple(solids)


def _panel(scene: Scene, panel: Panel) -> Solid:
    u = dice(panel.seed)
    warmth = scene.room.celsius + mix(u[0], -1.5, 1.5)
    pattern = ("plain", "grain", "checks")[int(3 * u[1])]
    colour = any_colour(u[2], 0.4 * u[3], u[4])
    paint = Paint(colour, warmth, darker(colour, 0.8), pattern, 2.5)
    x, y, z = panel.position
    if z > 0:
        # A stand: something rests on it.
        shape: Shape = "tube" if u[6] < 0.5 else "box"
        half = panel.width_m / 2
        part = Part(shape, (0, 0, z / 2), (half, half, z / 2), paint)
    else:
        half = panel.height_m / 2
        part = Part("box", (-0.025, 0, half), (0.025, panel.width_m / 2, half), paint)
    return place([part], np.array([x, y, 0.0]), panel.yaw, 1.0)[0]


def _stairs(scene: Scene) -> list[Solid]:
    """The very steps that the robot climbs, each a block down to the floor."""
    stairs = scene.motion.stairs
    if stairs is None:
        return []
    u = dice(scene.seed)
    colour = any_colour(u[0], 0.7 * u[1], u[2])
    wide = mix(u[3], 0.6, 1.4)
    solids: list[Solid] = []
    for step in range(20):
        high = stairs.rise_m * (step + 1)
        shade = 1.0 if step % 2 else mix(u[4], 0.6, 0.9)
        paint = Paint(
            (colour[0] * shade, colour[1] * shade, colour[2] * shade), scene.room.celsius + u[5]
        )
        x = stairs.first_m + stairs.run_m * (step + 0.5)
        part = Part("box", (x, 0, high / 2), (stairs.run_m / 2, wide, high / 2), paint)
        solids += place([part], np.zeros(3), 0.0, 1.0)
    return solids


def _stones(scene: Scene) -> list[Solid]:
    rng = np.random.default_rng([scene.seed, 0x570E])
    grain = float(rng.uniform(0.2, 0.7))
    parts: list[Part] = []
    for _ in range(45):
        x, y = rng.uniform(0.5, 4.5), rng.uniform(-1.8, 1.8)
        size = rng.uniform(0.06, 0.2)
        flat = size * rng.uniform(0.5, 0.9)
        paint = Paint(grey(grain * float(rng.uniform(0.6, 1.3))), scene.room.celsius + 1)
        turn = (float(rng.uniform(0, pi)), 0.0, 0.0)
        parts.append(Part("ball", (x, y, 0.0), (size, size * 0.8, flat), paint, turn))
    return place(parts, np.zeros(3), 0.0, 1.0)
