"""The laws that every motion keeps, and the marks by which each is told from the others."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sources.world.concepts import MOTIONS
from sources.world.curves import KNOT_HZ
from sources.world.motion import PITCH, ROLL, SCENE_S, YAW, Motion, X, Y, Z, draw

LEFT, RIGHT, FORWARD, BACKWARD, STAIRS, ROUGH, ROCKING, BUMPING = MOTIONS
JOLTING = (STAIRS, ROUGH, BUMPING)
FRAMES = np.arange(0.0, SCENE_S, 1 / 30)

LAW = settings(max_examples=40, deadline=None)  # an example draws a motion: milliseconds
seeds = st.integers(0, 2**32)
names = st.sampled_from((*MOTIONS, None))
drives = st.sampled_from((FORWARD, BACKWARD))


def drawn(name: str | None, seed: int) -> Motion:
    return draw(name, np.random.default_rng(seed))


@LAW
@given(names, seeds)
def test_a_motion_starts_near_the_origin_facing_ahead_and_stays_in_its_room(
    name: str | None, seed: int
) -> None:
    motion = drawn(name, seed)
    path = motion.at(FRAMES)

    assert motion.name == name
    assert -0.02 < path[0, X] < 1.1
    assert np.abs(path[0, [Y, YAW]]).max() < np.deg2rad(13) * 0.6
    # On stairs the first lift may have begun.
    assert 0.3 < path[0, Z] < (0.8 if motion.stairs else 0.65)
    assert np.abs(path[:, Y]).max() < 0.3
    assert np.abs(path[:, [PITCH, ROLL]]).max() < np.deg2rad(35)
    if name != STAIRS:
        assert -1.05 < path[:, X].min() <= path[:, X].max() < 2.0
        assert 0.2 < path[:, Z].min() <= path[:, Z].max() < 0.8


@LAW
@given(names, seeds)
def test_velocity_and_acceleration_are_the_derivatives_of_the_pose(
    name: str | None, seed: int
) -> None:
    motion = drawn(name, seed)
    # Between two knots the path is one cubic, on which central differences err by h^2 x''' / 6 in
    # the velocity (jerk here: below 1e5) and in the acceleration not at all.
    h = 1e-4
    t = (np.arange(0, 799) + 0.5) / KNOT_HZ
    before, here, after = motion.at(t - h), motion.at(t), motion.at(t + h)

    np.testing.assert_allclose(motion.at(t, 1), (after - before) / (2 * h), atol=2e-4)
    np.testing.assert_allclose(motion.at(t, 2), (after - 2 * here + before) / h**2, atol=1e-5)


@LAW
@given(names, seeds, st.sampled_from((0, 1, 2)))
def test_the_path_and_two_derivatives_do_not_jump(
    name: str | None, seed: int, derivative: int
) -> None:
    motion = drawn(name, seed)
    knots = np.arange(1, 800) / KNOT_HZ
    gap = 1e-9
    jump = motion.at(knots + gap, derivative) - motion.at(knots - gap, derivative)

    assert np.abs(jump).max() < 1e-3 * (1 + np.abs(motion.at(knots, derivative)).max())


@LAW
@given(names, seeds, st.lists(st.floats(0, SCENE_S), min_size=1, max_size=20))
def test_a_pose_depends_on_its_own_time_alone(
    name: str | None, seed: int, times: list[float]
) -> None:
    t = np.array(times)
    positions, angles = drawn(name, seed).poses(t)

    for i in range(t.size):
        position, angle = drawn(name, seed).poses(t[i : i + 1])
        np.testing.assert_array_equal(position[0], positions[i])
        np.testing.assert_array_equal(angle[0], angles[i])


@LAW
@given(seeds)
def test_right_is_the_mirror_image_of_left(seed: int) -> None:
    left, right = drawn(LEFT, seed), drawn(RIGHT, seed)

    np.testing.assert_array_equal(right.at(FRAMES), left.at(FRAMES) * (1, -1, 1, -1, 1, -1))


@LAW
@given(seeds)
def test_a_left_turn_turns_to_the_left_all_the_time(seed: int) -> None:
    yaw = np.rad2deg(drawn(LEFT, seed).at(FRAMES)[:, YAW])
    in_two_seconds = yaw[60:] - yaw[:-60]

    assert 3.4 < (yaw[-1] - yaw[0]) / FRAMES[-1] < 9.2
    assert in_two_seconds.min() > 4.5
    assert in_two_seconds.max() < 20


def strokes(seed: int) -> NDArray[np.float64]:
    """Knots of the x of the strokes alone: sway is the same in both, the strokes are opposite."""
    return (drawn(FORWARD, seed).knots[:, X] - drawn(BACKWARD, seed).knots[:, X]) / 2


def skew(values: NDArray[np.float64]) -> float:
    centred = values - values.mean()
    return float(np.mean(centred**3) / np.mean(centred**2) ** 1.5)


@LAW
@given(seeds)
def test_backward_is_forward_reversed(seed: int) -> None:
    speed = np.diff(strokes(seed)) * KNOT_HZ
    pushes = np.diff(speed) * KNOT_HZ
    # A quick push and a slow coast, whose direction is all that differs.
    assert speed.min() > -1e-9
    assert 0.1 < speed.mean() < 0.24
    assert skew(pushes) > 0.5


@LAW
@given(drives, seeds)
def test_two_pictures_show_which_way_it_drives(name: str, seed: int) -> None:
    x = drawn(name, seed).at(FRAMES)[:, X]
    way = (x[60:] - x[:-60]) * (1 if name == FORWARD else -1)

    assert way.min() > 0.15


@LAW
@given(seeds)
def test_the_nose_comes_up_when_it_is_pushed_ahead(seed: int) -> None:
    forward, backward = drawn(FORWARD, seed), drawn(BACKWARD, seed)
    pitch = (forward.knots[:, PITCH] - backward.knots[:, PITCH]) / 2
    push = np.gradient(np.gradient(strokes(seed)))

    assert np.corrcoef(pitch[2:-2], push[2:-2])[0, 1] < -0.9


@LAW
@given(seeds)
def test_stairs_are_climbed_tread_by_tread(seed: int) -> None:
    motion = drawn(STAIRS, seed)
    stairs = motion.stairs
    assert stairs is not None
    path = motion.at(np.arange(0, SCENE_S, 1e-3))
    # The middle of each tread that is reached, and the height of the camera there.
    reached = int((path[-1, X] - stairs.first_m) / stairs.run_m - 0.6)
    middles = stairs.first_m + stairs.run_m * (np.arange(reached) + 0.5)
    heights = path[np.searchsorted(path[:, X], middles), Z]
    above = heights - stairs.rise_m * np.arange(1, reached + 1)

    assert reached >= 4
    assert np.ptp(above) < 0.05
    assert 0.3 < above.mean() < 0.65
    np.testing.assert_allclose(
        (heights[-1] - heights[0]) / (reached - 1), stairs.rise_m, atol=0.012
    )
    assert np.rad2deg(path[:, PITCH].mean()) < -4


@LAW
@given(seeds)
def test_bumps_stop_the_robot_at_the_wall(seed: int) -> None:
    motion = drawn(BUMPING, seed)
    assert motion.wall_m is not None
    gaps = motion.wall_m - motion.at(np.array(motion.events))[:, X]

    assert len(motion.events) >= 2
    assert all(1.2 < late - early < 2.9 for early, late in pairwise(motion.events))
    assert 0.14 < gaps.min() <= gaps.max() < 0.32
    # Nearest the wall at a blow, up to the swaying and springing of the body.
    assert motion.wall_m - motion.at(FRAMES)[:, X].max() > gaps.min() - 0.02


def test_the_wall_throws_the_robot_back_within_a_few_hundredths_of_a_second() -> None:
    changes: list[float] = []
    for seed in range(100):
        motion = drawn(BUMPING, seed)
        for t_s in motion.events:
            before, after = motion.at(np.array([t_s - 0.02, t_s + 0.02]), 1)[:, X]
            changes.append(float(after - before))

    # The trembling of the body hides the gentlest ones in the speed.
    assert np.mean(np.array(changes) < 0) > 0.95
    assert np.median(changes) < -0.2


@LAW
@given(seeds)
def test_rocking_swings_far_over_and_shifts_the_body(seed: int) -> None:
    path = drawn(ROCKING, seed).at(FRAMES)
    roll = np.rad2deg(path[:, ROLL])

    assert roll.min() < -3
    assert roll.max() > 3
    # Leaning to the right moves the origin to the right, which is -y.
    assert np.corrcoef(path[:, ROLL], path[:, Y])[0, 1] < -0.5


def test_two_pictures_seldom_both_find_a_rocking_robot_upright() -> None:
    seen: list[NDArray[np.bool_]] = []
    for seed in range(100):
        roll = np.rad2deg(drawn(ROCKING, seed).at(FRAMES)[:, ROLL])
        seen.append(np.maximum(np.abs(roll[60:]), np.abs(roll[:-60])) > 2)

    assert np.mean(np.concatenate(seen)) > 0.93


@pytest.mark.parametrize("name", [*MOTIONS, None])
def test_only_motions_with_jolts_tell_of_jolts(name: str | None) -> None:
    for seed in range(20):
        motion = drawn(name, seed)
        assert bool(motion.events) == (name in JOLTING)
        assert list(motion.events) == sorted(motion.events)
        assert all(0 <= t < SCENE_S for t in motion.events)
        assert (motion.stairs is not None) == (name == STAIRS)
        assert (motion.wall_m is not None) == (name == BUMPING)


@pytest.mark.parametrize(("name", "axis"), [(STAIRS, Z), (ROUGH, Z), (BUMPING, X)])
def test_a_jolt_is_felt_at_its_time(name: str, axis: int) -> None:
    inside: list[float] = []
    outside: list[float] = []
    t = np.arange(0, SCENE_S, 1e-3)
    for seed in range(30):
        motion = drawn(name, seed)
        jerk = np.abs(np.gradient(motion.at(t, 2)[:, axis], t))
        near = (np.abs(t[:, None] - motion.events) < 0.03).any(axis=1)
        inside.append(float(jerk[near].mean()))
        outside.append(float(jerk[~near].mean()))

    assert np.median(inside) > 2 * np.median(outside)


def test_a_standing_robot_hardly_moves() -> None:
    for seed in range(20):
        path = drawn(None, seed).at(FRAMES)
        assert np.ptp(path[:, :3], axis=0).max() < 0.01
        assert np.rad2deg(np.ptp(path[:, 3:], axis=0)).max() < 1.5
