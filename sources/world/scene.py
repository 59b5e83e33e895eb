"""A scene: eight seconds in one room. What is there, how the robot moves, what can be heard.

A scene is drawn from a seed and the names of its concepts, and never changes after that: pictures,
sound and readings are functions of it and of time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan2, cos, hypot, radians, sin, tan

import numpy as np

from sources.world import motion, rooms, sound
from sources.world.concepts import BY_NAME
from sources.world.happenings import Happening, happenings
from sources.world.motion import SCENE_S, Motion
from sources.world.rooms import Room
from sources.world.sound import Ambience, Voice

FRAMED_DEG = 25.0
"""How far to the side or up something may be for the encoders' square of 60 degrees to show it."""
LOOK_S = 2.0
SIZES_M = {
    "a kettle boiling": 0.4, "an alarm ringing": 0.5, "a fan spinning": 0.9,
    "a ball bouncing": 0.4, "a dog barking": 0.8, "a cat meowing": 0.6,
    "a person talking": 1.6, "a clock ticking": 0.5, "a radio playing music": 0.5,
    "water running from a tap": 1.0, "a fire burning": 0.8, "a lamp shining": 1.3,
    "a car with its engine running": 1.6, "a drone hovering": 0.7, "a plant in a pot": 0.9,
    "a block of ice melting": 0.7,
}  # fmt: skip
LOWEST_HUNG_M = 0.1
ON_WALLS = {"an alarm ringing", "a clock ticking"}
# How far a thing is turned away from the robot, at least and at most, to either side: from behind a
# person has no face, from the side a fan is a line, and a dog from ahead is a ball.
TURNED_DEG = {
    "an alarm ringing": (0, 35), "a clock ticking": (0, 35), "a fan spinning": (0, 50),
    "a person talking": (0, 70), "a radio playing music": (0, 45),
    "water running from a tap": (0, 60), "a dog barking": (35, 140), "a cat meowing": (35, 140),
    "a car with its engine running": (25, 150), "a kettle boiling": (0, 65),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that stands, hangs or flies in the room. `concept` is None for furniture.

    `position` is the middle of its base; `yaw` where its front points; `size_m` its extent.
    """

    concept: str | None
    seed: int
    position: tuple[float, float, float]
    yaw: float
    size_m: float
    happenings: tuple[Happening, ...] = ()


@dataclass(frozen=True, slots=True)
class Panel:
    """A piece of wall that stands free, for what hangs on walls."""

    seed: int
    position: tuple[float, float, float]
    yaw: float
    width_m: float
    height_m: float


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """`window_end_s` is when a window of the data set ends: all things are in view before it."""

    seed: int
    concepts: tuple[str, ...]
    motion: Motion
    room: Room
    things: tuple[Thing, ...]
    panels: tuple[Panel, ...]
    voices: tuple[Voice, ...]
    ambience: Ambience
    window_end_s: float


def draw(seed: int, concepts: Sequence[str]) -> Scene:
    """The scene of `seed` with these things (at most three) and at most one motion."""
    rng = np.random.default_rng([seed, 0x5CE])
    moves = [name for name in concepts if BY_NAME[name].kind == "motion"]
    names = [name for name in concepts if BY_NAME[name].kind == "thing"]
    path = motion.draw(moves[0] if moves else None, rng)
    end_s = float(rng.integers(50, 80)) / 10
    heights = path.poses(np.array([0.0, SCENE_S]))[0][:, 2]
    climb = float(heights[1] - heights[0]) if path.stairs else 0.0
    room = rooms.draw(rng, path.wall_m, climb)
    stage = _Stage(path, room, end_s, rng)
    things = [stage.put(name, index, len(names)) for index, name in enumerate(names)]
    things += stage.furnish(int(rng.integers(2, 6)) if not names else int(rng.integers(0, 5)))
    sounding = {
        thing.concept: thing.happenings
        for thing in things
        if thing.concept and "audio" in BY_NAME[thing.concept].senses
    }
    if moves and "audio" in BY_NAME[moves[0]].senses:
        sounding[moves[0]] = tuple(Happening(t_s) for t_s in path.events)
    voices, ambience = sound.draw(sounding, seed)
    return Scene(
        seed, tuple(concepts), path, room, tuple(things), tuple(stage.panels), voices, ambience,
        end_s,
    )  # fmt: skip


class _Stage:
    """Finds places: in view of the robot while it looks, beside one another, in the room."""

    def __init__(self, path: Motion, room: Room, end_s: float, rng: np.random.Generator) -> None:
        self._room, self._rng = room, rng
        positions, angles = path.poses(np.array([end_s - LOOK_S / 2, end_s - LOOK_S, end_s]))
        self._eye = positions[0]
        self._yaw = float(angles[0, 0])
        self._swing = float(np.abs(angles[:, 0] - self._yaw).max())
        self._climbs = path.stairs is not None
        self._taken: list[tuple[float, float, float]] = []  # bearing, half width, distance
        self.panels: list[Panel] = []

    def put(self, name: str, index: int, count: int) -> Thing:
        """One of `count` things: they share the view from left to right."""
        rng = self._rng
        size = SIZES_M[name] * float(rng.uniform(0.75, 1.3))
        # The share of the picture's height that it takes up, alone or beside one or two others.
        shown = float(rng.uniform(*((0.42, 0.78), (0.34, 0.5), (0.26, 0.36))[count - 1]))
        if name == "a ball bouncing":
            shown *= 0.65  # room to bounce
        limit = radians(FRAMED_DEG) - self._swing - 0.35 * shown
        if count == 1:
            bearing = float(rng.uniform(-1, 1)) * max(limit, 0.02)
        else:
            slot = 2 * index / (count - 1) - 1
            bearing = slot * max(limit, 0.16) + float(rng.uniform(-0.04, 0.04))
        away = max(size / (shown * 2 * tan(radians(30))), 0.5 + size / 2)
        away = min(away, max(self._room_ahead(bearing) - size / 2, 0.35))
        size = min(size, shown * 2 * tan(radians(30)) * away)
        self._taken.append((bearing, atan2(size / 2, away), away))
        height = self._eye[2] + away * tan(radians(float(rng.uniform(-11, 7)))) - size / 2
        x, y = self._at(bearing, away)
        turned = radians(float(rng.uniform(*TURNED_DEG.get(name, (0, 180))) * rng.choice((-1, 1))))
        yaw = self._yaw + bearing + np.pi + turned
        seed = int(rng.integers(1 << 31))
        if name in ON_WALLS:
            height = height if self._climbs else max(height, LOWEST_HUNG_M)
            self._hang((x, y), yaw, size, height, alone=count == 1)
        elif name == "a drone hovering":
            height += 0.15 * away
        elif name == "a ball bouncing":
            height = self._stand((x, y), height - 0.2 * away, size, away)
        else:
            height = self._stand((x, y), height, size, away)
        return Thing(name, seed, (x, y, height), yaw, size, happenings(name, seed))

    def furnish(self, count: int) -> list[Thing]:
        """Furniture, behind or beside what matters."""
        pieces: list[Thing] = []
        rng = self._rng
        for _ in range(count):
            bearing, away = float(rng.uniform(-0.8, 0.8)), float(rng.uniform(1.3, 4.5))
            size = float(rng.uniform(0.4, 1.1))
            away = min(away, self._room_ahead(bearing) - size / 2)
            half = atan2(0.45 * size, max(away, 0.1))
            hides = [d for b, w, d in self._taken if abs(b - bearing) < 0.8 * (half + w)]
            if hides and away - size / 2 < max(hides) + 0.4:
                continue
            x, y = self._at(bearing, away)
            # Out of the way of a robot that drives, and of the walls however it is turned.
            if away < 0.8 or (abs(y) < 0.45 and x < 2.6 and x > -0.5):
                continue
            if not self._inside((x, y), 0.65 * size):
                continue
            pieces.append(
                Thing(
                    None, int(rng.integers(1 << 31)), (x, y, 0.0), float(rng.uniform(0, 6.3)), size
                )
            )
        return pieces

    def _at(self, bearing: float, away: float) -> tuple[float, float]:
        angle = self._yaw + bearing
        return float(self._eye[0] + away * cos(angle)), float(self._eye[1] + away * sin(angle))

    def _room_ahead(self, bearing: float) -> float:
        """How far it is to the wall in this direction."""
        angle = self._yaw + bearing
        room, (x, y) = self._room, self._eye[:2]
        walls = [
            ((room.high[0] if cos(angle) > 0 else room.low[0]) - x) / (cos(angle) or 1e-9),
            ((room.high[1] if sin(angle) > 0 else room.low[1]) - y) / (sin(angle) or 1e-9),
        ]
        return float(min(walls))

    def _inside(self, at: tuple[float, float], reach: float) -> bool:
        low, high = self._room.low, self._room.high
        return all(low[i] + reach <= at[i] <= high[i] - reach for i in range(2))

    def _stand(self, at: tuple[float, float], height: float, size: float, away: float) -> float:
        """The height of the base: the floor, where it can be seen, or a stand of that height."""
        lowest = self._eye[2] - away * tan(radians(22)) - 0.3 * size
        if not self._climbs and lowest < 0.02:
            return 0.0
        base = max(0.0, height)
        if base > 0.05:
            wide = float(self._rng.uniform(0.5, 0.9)) * size
            self.panels.append(
                Panel(int(self._rng.integers(1 << 31)), (*at, base), 0.0, wide, base)
            )
        return base

    def _hang(
        self, at: tuple[float, float], yaw: float, size: float, height: float, *, alone: bool
    ) -> None:
        """A free piece of wall behind; beside other things no wider than must be, to hide none."""
        seed = int(self._rng.integers(1 << 31))
        wide = float(self._rng.uniform(0.6, 1.8))
        wide = max(1.3 * size, wide) if alone else 1.2 * size
        tall = max(height + 1.15 * size, float(self._rng.uniform(0.9, 2.6)))
        behind = at[0] - 0.03 * cos(yaw), at[1] - 0.03 * sin(yaw)
        self.panels.append(Panel(seed, (*behind, -1.0), yaw, wide, tall))


def in_view(scene: Scene, t_s: float) -> tuple[str, ...]:
    """The concepts that the encoders' square picture shows at `t_s`: the motion, and things whose
    middle lies in it, whatever stands before them."""
    positions, angles = scene.motion.poses(np.array([t_s]))
    seen = [scene.motion.name] if scene.motion.name else []
    for thing in scene.things:
        if not thing.concept:
            continue
        x, y, z = np.add(thing.position, (0, 0, thing.size_m / 2)) - positions[0]
        bearing = (atan2(y, x) - angles[0, 0] + np.pi) % (2 * np.pi) - np.pi
        rise = atan2(z, hypot(x, y)) + angles[0, 1]
        if max(abs(bearing), abs(rise)) < radians(30):
            seen.append(thing.concept)
    return tuple(name for name in scene.concepts if name in seen)
