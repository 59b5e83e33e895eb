"""The IMU against rotation matrices and differences in float64, and what a robot would feel."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sources.world.concepts import MOTIONS
from sources.world.curves import KNOT_HZ, KNOTS_S
from sources.world.inertial import (
    ACCELERATION_NOISE,
    ACCELERATION_OFFSET,
    RATE_NOISE,
    RATE_OFFSET,
    STANDARD_GRAVITY,
    ideal,
    readings,
)
from sources.world.motion import PITCH, ROLL, SCENE_S, YAW, Motion, Vibration, X, Y, draw, mirrored

LEFT, _, FORWARD, BACKWARD, *_ = MOTIONS
SILENT = Vibration(30.0, np.zeros(6), np.zeros(6))
T = np.arange(0.0, SCENE_S, 1 / 400)

LAW = settings(max_examples=40, deadline=None)  # an example draws a motion: milliseconds
seeds = st.integers(0, 2**32)
names = st.sampled_from((*MOTIONS, None))


def path(**columns: NDArray[np.float64] | float) -> Motion:
    """A motion of given x, y, z, yaw, pitch, roll over `KNOTS_S`, without vibration."""
    knots = np.zeros((KNOTS_S.size, 6))
    for name, values in columns.items():
        knots[:, ("x", "y", "z", "yaw", "pitch", "roll").index(name)] = values
    return Motion(None, knots, SILENT)


def drawn(name: str | None, seed: int) -> Motion:
    return draw(name, np.random.default_rng(seed))


def still(motion: Motion) -> Motion:
    return replace(motion, vibration=SILENT)


def rotation(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Body to world: yaw, pitch, roll (n, 3) -> Rz @ Ry @ Rx (n, 3, 3)."""
    turns = np.tile(np.eye(3), (3, angles.shape[0], 1, 1))
    for turn, angle, (i, j) in zip(turns, angles.T, ((0, 1), (2, 0), (1, 2)), strict=True):
        turn[:, i, i] = turn[:, j, j] = np.cos(angle)
        turn[:, j, i], turn[:, i, j] = np.sin(angle), -np.sin(angle)
    return turns[0] @ turns[1] @ turns[2]


def test_at_rest_it_reads_gravity_upwards() -> None:
    expected = np.tile([0, 0, STANDARD_GRAVITY, 0, 0, 0], (T.size, 1))
    # The spline's weights add up to nothing within a rounding, which is then multiplied by 100^2.
    np.testing.assert_allclose(ideal(path(z=0.5), T), expected, atol=1e-10)


@pytest.mark.parametrize(
    ("tilt", "axis", "sign"),
    [
        ({"pitch": -0.2}, 0, 1),  # nose up: x points upwards a little
        ({"pitch": 0.2}, 0, -1),
        ({"roll": 0.2}, 1, 1),  # leaning to the right: y, which is left, points upwards
        ({"roll": -0.2}, 1, -1),
    ],
)
def test_a_static_tilt_shares_gravity_between_the_axes(
    tilt: dict[str, float], axis: int, sign: int
) -> None:
    values = ideal(path(**tilt), T)

    np.testing.assert_allclose(values[:, axis], sign * STANDARD_GRAVITY * np.sin(0.2), rtol=1e-12)
    np.testing.assert_allclose(values[:, 2], STANDARD_GRAVITY * np.cos(0.2), rtol=1e-12)
    np.testing.assert_allclose(values[:, 3:], 0, atol=1e-12)


def test_a_circle_to_the_left_pulls_to_the_left() -> None:
    rate, radius = 0.8, 1.5
    angle = rate * KNOTS_S
    motion = path(x=radius * np.sin(angle), y=radius * (1 - np.cos(angle)), yaw=angle)
    values = ideal(motion, T)

    # The spline cuts the circle's corners by (rate / KNOT_HZ)^2 / 6 and rounds its turning less.
    np.testing.assert_allclose(values[:, 1], radius * rate**2, rtol=1e-4)
    np.testing.assert_allclose(values[:, 0], 0, atol=1e-4)
    np.testing.assert_allclose(values[:, 5], rate, rtol=1e-9)


def test_a_tilted_turn_shows_on_all_three_gyroscopes() -> None:
    values = ideal(path(yaw=0.5 * KNOTS_S, pitch=0.3, roll=0.4), T)

    axis = rotation(np.array([[0.0, 0.3, 0.4]]))[0].T @ (0, 0, 0.5)
    np.testing.assert_allclose(values[:, 3:], np.tile(axis, (T.size, 1)), atol=1e-10)


@LAW
@given(names, seeds)
def test_readings_follow_from_the_pose_by_first_principles(name: str | None, seed: int) -> None:
    motion = still(drawn(name, seed))
    # Within one piece of the spline, so that differences of its cubics are exact.
    h, t = 1e-4, (np.arange(0, 799) + 0.5) / KNOT_HZ
    (before, here, after) = (motion.poses(t + step) for step in (-h, 0, h))
    turn = rotation(here[1])
    force = (after[0] - 2 * here[0] + before[0]) / h**2 + (0, 0, STANDARD_GRAVITY)
    spin = turn.transpose(0, 2, 1) @ (rotation(after[1]) - rotation(before[1])) / (2 * h)
    expected = np.column_stack(
        [np.einsum("nji,nj->ni", turn, force), spin[:, 2, 1], spin[:, 0, 2], spin[:, 1, 0]]
    )

    np.testing.assert_allclose(ideal(motion, t), expected, atol=3e-4)


@LAW
@given(names, seeds)
def test_the_gyroscope_integrates_to_the_turn(name: str | None, seed: int) -> None:
    motion = still(drawn(name, seed))
    angle = ideal(motion, T + 1 / 800)[:, 3:] / 400
    x, y, z = angle.T
    cross = np.zeros((4096, 3, 3))  # padded with turns by nothing
    cross[: T.size] = np.moveaxis(np.array([[0 * x, -z, y], [z, 0 * x, -x], [-y, x, 0 * x]]), 2, 0)
    # Rodrigues' formula to third order: a step turns by far less than a degree.
    turns = np.eye(3) + cross + cross @ cross / 2 + cross @ cross @ cross / 6
    while len(turns) > 1:
        turns = turns[0::2] @ turns[1::2]
    attitude = rotation(motion.poses(T[:1])[1])[0] @ turns[0]
    expected = rotation(motion.poses(np.array([SCENE_S]))[1])[0]

    assert np.rad2deg(np.abs(attitude - expected).max()) < 0.1


@LAW
@given(seeds)
def test_a_left_turn_reads_positive_about_z(seed: int) -> None:
    turn = readings(drawn(LEFT, seed), T, seed)[:, 5].mean()

    assert turn > np.deg2rad(4) - 5 * RATE_OFFSET * 0.5


@LAW
@given(names, seeds)
def test_a_mirror_changes_y_and_the_turns_about_x_and_z(name: str | None, seed: int) -> None:
    motion = drawn(name, seed)

    np.testing.assert_allclose(
        ideal(mirrored(motion), T), ideal(motion, T) * (1, -1, 1, -1, 1, -1), atol=1e-12
    )


@LAW
@given(names, seeds, st.lists(st.integers(0, T.size), max_size=6))
def test_blocks_of_any_length_hold_the_same_readings(
    name: str | None, seed: int, cuts: list[int]
) -> None:
    motion = drawn(name, seed)
    whole = readings(motion, T, seed)
    blocks = [readings(motion, part, seed) for part in np.split(T, sorted(cuts))]

    assert whole.dtype == np.float32
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


def test_noise_is_white_and_as_strong_as_the_part_s() -> None:
    values = readings(path(z=0.5), T, 7).astype(np.float64)
    noise = values - values.mean(axis=0)
    expected = np.repeat([ACCELERATION_NOISE, RATE_NOISE], 3)

    # 3200 readings: a standard deviation is known to 1.25 %, a correlation to 0.018.
    np.testing.assert_allclose(noise.std(axis=0), expected, rtol=0.06)
    for lag in (1, 2, 5):
        correlation = np.mean(noise[lag:] * noise[:-lag], axis=0) / noise.var(axis=0)
        assert np.abs(correlation).max() < 0.08
    assert np.abs(np.corrcoef(noise.T) - np.eye(6)).max() < 0.08


def test_every_seed_is_a_sensor_of_its_own() -> None:
    rest = [0, 0, STANDARD_GRAVITY, 0, 0, 0]
    means = np.stack([readings(path(), T[::40], seed).mean(axis=0) - rest for seed in range(200)])
    spread = np.repeat([ACCELERATION_OFFSET, RATE_OFFSET], 3)
    # Gravity leaks through the misalignment: half a percent of 9.8, beside an offset of 0.2.
    spread[:3] = np.hypot(spread[:3], 0.005 * STANDARD_GRAVITY)

    np.testing.assert_allclose(means.std(axis=0), spread, rtol=0.2)
    assert np.abs(means.mean(axis=0) / spread).max() < 0.3


def test_vibration_is_a_tone_that_no_pose_shows() -> None:
    shake = Vibration(25.0, np.array([1.0, 0, 0, 0, 0, 0.1]), np.array([0.5, 0, 0, 0, 0, 1.0]))
    motion = replace(path(z=0.5), vibration=shake)
    values = ideal(motion, T)

    np.testing.assert_allclose(values[:, 0], np.sin(2 * np.pi * 25 * T + 0.5), atol=1e-9)
    np.testing.assert_allclose(values[:, 5], 0.1 * np.sin(2 * np.pi * 25 * T + 1.0), atol=1e-9)
    np.testing.assert_array_equal(motion.poses(T)[1], 0)


def test_the_skew_of_the_acceleration_tells_forward_from_backward() -> None:
    def skew(name: str, seed: int) -> float:
        x = readings(drawn(name, seed), T, seed)[:, 0].astype(np.float64)
        # Below the trembling of the body and the motors: a quarter of a second.
        x = np.convolve(x, np.ones(100) / 100, "valid")
        x -= x.mean()
        return float(np.mean(x**3) / np.mean(x**2) ** 1.5)

    forward = np.array([skew(FORWARD, seed) for seed in range(60)])
    backward = np.array([skew(BACKWARD, seed) for seed in range(60)])

    assert np.mean(forward > 0) > 0.85
    assert np.mean(backward < 0) > 0.85


def test_strength_alone_does_not_tell_the_motions_apart() -> None:
    """By nearest centroid on the variance of the axes over 5 s: it must not be that easy."""

    def variances(first_seed: int) -> NDArray[np.float64]:
        windows = range(first_seed, first_seed + 60)
        return np.array(
            [
                [readings(drawn(name, s), T[:2000], s).var(axis=0) for s in windows]
                for name in MOTIONS
            ]
        )

    known, asked = variances(0), variances(1000)
    for scale in (np.asarray, np.log):
        mean, spread = scale(known).mean(axis=(0, 1)), scale(known).std(axis=(0, 1))
        centroids = ((scale(known) - mean) / spread).mean(axis=1)
        distances = (((scale(asked) - mean) / spread)[:, :, None] - centroids) ** 2
        guesses = distances.sum(axis=-1).argmin(axis=-1)
        assert np.mean(guesses == np.arange(len(MOTIONS))[:, None]) < 0.5


@pytest.mark.parametrize(("column", "axis"), [(X, 0), (Y, 1), (YAW, 5), (PITCH, 4), (ROLL, 3)])
def test_each_axis_feels_its_own_motion(column: int, axis: int) -> None:
    knots = np.zeros((KNOTS_S.size, 6))
    knots[:, column] = 0.5 * KNOTS_S**2 if column < YAW else KNOTS_S * 1e-3
    motion = Motion(None, knots, SILENT)

    expected = 1.0 if column < YAW else 1e-3
    np.testing.assert_allclose(ideal(motion, T[:400])[:, axis], expected, rtol=1e-4)
