"""How the robot moves during a scene: its path as a smooth function of time.

World: x ahead, y left, z up, metres, the floor at z = 0. Angles are yaw, pitch, roll in radians,
and R (body to world) = Rz(yaw) @ Ry(pitch) @ Rx(roll): yaw > 0 turns left, pitch > 0 is nose down,
roll > 0 leans to the right. The path is that of the body's origin, where camera and IMU sit.

What tells the motions apart is meant to be sign, skew, rhythm and the coupling of the axes, never
mere strength: each is drawn from gentle to violent, on a machine that sways and whose motors shake.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sources.world.curves import KNOT_HZ, KNOTS_S, SCENE_S, integral, rings, smooth, spline, sway

X, Y, Z, YAW, PITCH, ROLL = range(6)


@dataclass(frozen=True, slots=True)
class Stairs:
    """Treads of `run_m`, each `rise_m` higher; the first edge is at x = `first_m`, on the floor."""

    run_m: float
    rise_m: float
    first_m: float


@dataclass(frozen=True, slots=True, eq=False)
class Vibration:
    """Of the motors: one tone in the body's axes, too small and fast for a camera.

    `amplitude` (6,): acceleration x y z in m/s^2, then rate x y z in rad/s. `phase` (6,): radians.
    """

    hz: float
    amplitude: NDArray[np.float64]
    phase: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """A pure function of time. `name` is None for a robot that stands.

    `knots` (803, 6) float64: control points x, y, z, yaw, pitch, roll of a uniform cubic B-spline,
    so that position and angles have exact, continuous second derivatives. `events` are the times
    of jolts. `wall_m` is the x of the wall's surface, when there is one to bump into.
    """

    name: str | None
    knots: NDArray[np.float64]
    vibration: Vibration
    events: tuple[float, ...] = ()
    stairs: Stairs | None = None
    wall_m: float | None = None

    def at(self, t_s: NDArray[np.float64], derivative: int = 0) -> NDArray[np.float64]:
        """The path or its first or second derivative in time: (n,) -> (n, 6).

        Outside the scene the time is held at its nearer end.
        """
        return spline(self.knots, t_s, derivative)

    def poses(self, t_s: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Positions (n, 3) in metres and angles (n, 3) as yaw, pitch, roll in radians."""
        path = self.at(t_s)
        return path[:, :3], path[:, 3:]


def mirrored(motion: Motion) -> Motion:
    """The motion seen in a mirror along the x-z plane: left becomes right."""
    # y, yaw and roll change sign; of the IMU, y and the rates about x and z, which happens to be
    # the same pattern.
    signs = np.array((1, -1, 1, -1, 1, -1))
    vibration = replace(motion.vibration, amplitude=motion.vibration.amplitude * signs)
    return replace(motion, knots=motion.knots * signs, vibration=vibration)


def draw(name: str | None, rng: np.random.Generator) -> Motion:
    """A motion of that name, starting near the origin and facing +x; None stands still."""
    if name is None:
        return _standing(rng, restless=0.1)
    moving = _standing(rng, restless=1.0)
    return replace(_MOTIONS[name](rng, moving), name=name)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _standing(rng: np.random.Generator, restless: float) -> Motion:
    """A machine with its motors on, swaying; the motions are added to it."""
    knots = np.zeros((KNOTS_S.size, 6))
    degree = np.pi / 180
    for axis, high in (
        (X, 0.004),
        (Y, 0.004),
        (Z, 0.003),
        (YAW, 0.6 * degree),
        (PITCH, 0.8 * degree),
        (ROLL, 0.8 * degree),
    ):
        knots[:, axis] = sway(rng, restless * _log_uniform(rng, high / 10, high), 0.3, 2.5)
    # The body trembles on its springs, each axis for itself: millimetres, but as strong in the IMU
    # as a motion is. Strength is drawn as acceleration (m/s^2) and as rate (rad/s).
    for axis in (X, Y, Z):
        hz = rng.uniform(4, 8)
        rms = _log_uniform(rng, 0.05, 2.5) / (2 * np.pi * hz) ** 2
        knots[:, axis] += sway(rng, restless * rms, 0.8 * hz, 1.2 * hz)
    for axis in (PITCH, ROLL):
        hz = rng.uniform(5, 8)
        rms = _log_uniform(rng, 0.02, 0.5) / (2 * np.pi * hz)
        knots[:, axis] += sway(rng, restless * rms, 0.8 * hz, 1.2 * hz)
    knots[:, Z] += rng.uniform(0.35, 0.6)
    knots[:, [X, Y, YAW]] -= knots[1, [X, Y, YAW]]
    amplitude = np.exp(rng.uniform(np.log(0.02), np.log(1.5), 6)) * (1, 1, 1, 0.2, 0.2, 0.2)
    vibration = Vibration(_log_uniform(rng, 20, 45), amplitude, rng.uniform(0, 2 * np.pi, 6))
    return Motion(None, knots, vibration)


def _turning_left(rng: np.random.Generator, moving: Motion) -> Motion:
    knots = moving.knots.copy()
    # Slow enough that what is in the camera's first picture is hardly displaced by more than a
    # patch of the built-in model (8.6 degrees) in its second, 2 s later at most.
    rate = np.deg2rad(rng.uniform(4, 8))
    uneven = sway(rng, _log_uniform(rng, 0.03, 0.2), 0.2, 1.5)
    knots[:, YAW] += integral(rate * (1 + uneven))
    return replace(moving, knots=knots)


def _turning_right(rng: np.random.Generator, moving: Motion) -> Motion:
    return mirrored(_turning_left(rng, moving))


def _driving(rng: np.random.Generator, moving: Motion, ahead: float) -> Motion:
    """Strokes: a quick push with the nose coming up, a slow coast; never against the direction."""
    knots = moving.knots.copy()
    period, push = rng.uniform(0.8, 2.2), rng.uniform(0.12, 0.3)
    depth = _log_uniform(rng, 0.3, 1.0)
    phase = (KNOTS_S / period + rng.uniform() + sway(rng, 0.02, 0.1, 0.4)) % 1.0
    wave = np.where(phase < push, smooth(phase / push), 1 - smooth((phase - push) / (1 - push)))
    speed = 1 + depth * (2 * wave - 1)
    speed *= rng.uniform(0.12, 0.22) / speed.mean()
    x = integral(speed)
    # Backing up starts ahead of the origin, so that the room behind the robot is enough.
    knots[:, X] += x if ahead > 0 else max(0.0, x[-1] - 0.95) - x
    knots[:, PITCH] -= ahead * rng.uniform(0.005, 0.03) * np.gradient(speed, 1 / KNOT_HZ)
    return replace(moving, knots=knots)


def _driving_forward(rng: np.random.Generator, moving: Motion) -> Motion:
    return _driving(rng, moving, 1.0)


def _driving_backward(rng: np.random.Generator, moving: Motion) -> Motion:
    return _driving(rng, moving, -1.0)


def _climbing(rng: np.random.Generator, moving: Motion) -> Motion:
    """A walking machine: lift, a foot comes down hard, lift."""
    knots = moving.knots.copy()
    run, rise = rng.uniform(0.26, 0.32), rng.uniform(0.15, 0.19)
    period, start = rng.uniform(0.75, 1.3), rng.uniform(0.2, 0.8)
    strength = _log_uniform(rng, 0.2, 1.5)
    lift = rng.uniform(0.7, 1.2)  # The share of a step in which the body rises.
    steps = np.arange(start, SCENE_S + period, period)
    knots[:, X] += integral(np.full(KNOTS_S.size, run / period))
    for at in steps:
        knots[:, Z] += rise * smooth((KNOTS_S - at) / (lift * period) + 0.5)
    hit = steps + lift * period / 2
    hit = hit[hit < SCENE_S]
    blow = strength * rng.uniform(0.7, 1.3, hit.size)
    knots[:, Z] -= rings(hit, 0.1 * blow, rng.uniform(5, 9), 0.07)
    knots[:, PITCH] += rings(hit, 0.25 * blow, rng.uniform(3, 6), 0.12)
    wave = np.cos(2 * np.pi * (KNOTS_S - start) / period + rng.uniform(-0.5, 0.5))
    knots[:, PITCH] -= np.deg2rad(rng.uniform(5, 12) + rng.uniform(0.5, 2.5) * wave)
    stairs = Stairs(run, rise, start * run / period)
    return replace(moving, knots=knots, events=tuple(hit.tolist()), stairs=stairs)


def _rough(rng: np.random.Generator, moving: Motion) -> Motion:
    knots = moving.knots.copy()
    strength = _log_uniform(rng, 0.4, 1.6)
    high = rng.uniform(2.0, 4.0)
    for axis, rms in ((ROLL, np.deg2rad(3)), (PITCH, np.deg2rad(3)), (Z, 0.008)):
        knots[:, axis] += sway(rng, strength * rms, 0.7, high)
    stones = np.sort(rng.uniform(0.1, SCENE_S, rng.integers(5, 12)))
    blow = strength * rng.uniform(0.4, 1.0, stones.size)
    knots[:, Z] += rings(stones, 0.12 * blow, rng.uniform(4, 8), 0.08)
    side = rng.choice((-1.0, 1.0), stones.size)
    knots[:, ROLL] += rings(stones, 0.5 * blow * side, rng.uniform(3, 5), 0.12)
    knots[:, X] += integral(np.full(KNOTS_S.size, rng.uniform(0.1, 0.2)))
    return replace(moving, knots=knots, events=tuple(stones.tolist()))


def _rocking(rng: np.random.Generator, moving: Motion) -> Motion:
    """Over its feet: the body's origin swings sideways as far as it stands above the floor."""
    knots = moving.knots.copy()
    hz = _log_uniform(rng, 0.25, 0.9)
    swing = np.sin(2 * np.pi * hz * KNOTS_S + rng.uniform(0, 2 * np.pi) + sway(rng, 0.1, 0.1, 0.4))
    # Flattened at the ends, where it stays a little: two pictures seldom both find it upright.
    swing *= 1.5 - 0.5 * swing * swing
    roll = np.deg2rad(_log_uniform(rng, 4.5, 13 * (0.25 / hz) ** 0.4)) * swing
    knots[:, ROLL] += roll
    height = knots[:, Z].mean() * rng.uniform(0.5, 1.0)
    knots[:, Y] -= height * np.sin(roll)
    knots[:, Z] -= height * (1 - np.cos(roll))
    return replace(moving, knots=knots)


def _bumping(rng: np.random.Generator, moving: Motion) -> Motion:
    """Ahead, a blow, back off, again; the wall stops the body's front, not the camera."""
    knots = moving.knots.copy()
    period, reach = rng.uniform(1.3, 2.8), rng.uniform(0.1, 0.25)
    start = rng.uniform(0.4, period)
    ahead = rng.uniform(0.45, 0.65)  # The share of a round in which it drives ahead.
    phase = (KNOTS_S - start) / period % 1.0  # 0 at the blow, then back, then ahead.
    back = 1 - ahead
    # The share of the way that is still being sped up at the blow: how hard it hits.
    force = _log_uniform(rng, 0.25, 0.9)
    driven = (phase - back) / ahead
    x = np.where(
        phase < back,
        1 - smooth(phase / back),
        (1 - force) * smooth(driven) + force * np.maximum(driven, 0.0) ** 3,
    )
    knots[:, X] += reach * (x - x[1])
    hits = np.arange(start, SCENE_S, period)
    speed = 3 * force * reach / (ahead * period) * rng.uniform(0.8, 1.2, hits.size)
    knots[:, X] -= rings(hits, 0.5 * speed, rng.uniform(4, 7), 0.07)
    knots[:, PITCH] += rings(hits, 2.0 * speed, rng.uniform(3, 6), 0.15)
    wall = reach * (1 - x[1]) + rng.uniform(0.18, 0.28)
    return replace(moving, knots=knots, events=tuple(hits.tolist()), wall_m=float(wall))


_MOTIONS: dict[str, Callable[[np.random.Generator, Motion], Motion]] = {
    "the robot turning left": _turning_left,
    "the robot turning right": _turning_right,
    "the robot driving forward": _driving_forward,
    "the robot driving backward": _driving_backward,
    "the robot climbing stairs": _climbing,
    "the robot driving over rough ground": _rough,
    "the robot rocking from side to side": _rocking,
    "the robot bumping into a wall": _bumping,
}
