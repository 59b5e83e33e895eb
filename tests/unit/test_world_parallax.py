"""The pictures show the motion that the robot makes, in metres and in degrees."""

from dataclasses import replace

import numpy as np
import pytest

from sources.world.concepts import MOTIONS
from sources.world.scene import draw
from sources.world.view import look
from tests.scenes import SMALL, camera, points, seen_at


@pytest.mark.parametrize("name", MOTIONS)
def test_pictures_tell_of_the_motion_that_the_robot_makes(name: str) -> None:
    """What one depth picture shows is where the next one, from another pose, shows it too."""
    scene = draw(1, (name,))
    earlier, later = 3.0, 4.2
    poses = [camera(scene.motion, t_s, 128, 96) for t_s in (earlier, later)]
    depths = [look(scene, t_s, 128, 96).metres for t_s in (earlier, later)]
    column, row, ahead = seen_at(poses[1], points(poses[0], depths[0]))
    inside = (column > 0) & (column < 128) & (row > 0) & (row < 96) & (ahead > 0.1)
    found = depths[1][row[inside].astype(int), column[inside].astype(int)]
    # What was seen may be hidden now, and a pixel away from an edge is another thing.
    agree = np.abs(found - ahead[inside]) < 0.03 * ahead[inside]

    assert inside.mean() > 0.35
    assert agree.mean() > 0.85
    # The same with the robot where it was: the motion is what makes it fit.
    still = np.abs(depths[1] - depths[0]) < 1e-4
    assert still.mean() < 0.2


@pytest.mark.parametrize(
    ("name", "sign"), [("the robot turning left", 1), ("the robot turning right", -1)]
)
def test_the_far_wall_moves_against_the_turn_by_its_angle(name: str, sign: int) -> None:
    scene = replace(draw(2, (name,)), things=())
    earlier, later = 2.0, 4.0
    yaw = scene.motion.poses(np.array([earlier, later]))[1][:, 0]
    poses = [camera(scene.motion, t_s, *SMALL) for t_s in (earlier, later)]
    wall = points(poses[0], look(scene, earlier, *SMALL).metres)[24, 32]
    columns = [float(seen_at(pose, wall)[0]) for pose in poses]
    angles = np.arctan((np.array(columns) - 32) / poses[0].focal_px)

    assert np.sign(yaw[1] - yaw[0]) == sign
    assert np.sign(columns[1] - columns[0]) == sign  # to the right as the robot turns left
    # But for the swaying of the machine, by the same angle.
    assert angles[1] - angles[0] == pytest.approx(yaw[1] - yaw[0], abs=0.03)
    column = int(columns[1])
    assert look(scene, later, *SMALL).metres[24, column] == pytest.approx(
        seen_at(poses[1], wall)[2], rel=0.05
    )


@pytest.mark.parametrize("name", ["the robot driving forward", "the robot driving backward"])
def test_the_wall_ahead_comes_nearer_by_the_way_that_was_driven(name: str) -> None:
    scene = replace(draw(5, (name,)), things=())
    times = np.array([1.0, 3.0, 5.0, 7.0])
    path = scene.motion.poses(times)[0][:, 0]
    walls = np.array([look(scene, t_s, *SMALL).metres[23:25, 31:33].mean() for t_s in times])

    ahead = 1 if name.endswith("forward") else -1
    assert ahead * (path[-1] - path[0]) > 0.5
    # The optical axis meets the wall askew where the machine sways, by cosines of few degrees.
    np.testing.assert_allclose(walls + path, scene.room.high[0], rtol=0.01)


def test_the_stairs_in_the_picture_are_the_steps_that_the_robot_climbs() -> None:
    scene = replace(draw(3, ("the robot climbing stairs",)), things=())
    stairs = scene.motion.stairs
    assert stairs is not None
    standing = 0
    for t_s in (1.0, 3.0, 5.0, 7.0):
        pose = camera(scene.motion, t_s, *SMALL)
        metres = look(scene, t_s, *SMALL).metres
        x, y, z = np.moveaxis(points(pose, metres), -1, 0)
        step = (x - stairs.first_m) / stairs.run_m
        inside = (x < scene.room.high[0] - 0.05) & (z < scene.room.high[2] - 0.05)
        ours = inside & (np.abs(y) < 0.55) & (step > 0.1) & (step < 19.9)
        # On a tread, or on the riser between one tread and the next.
        tread = np.abs(z - stairs.rise_m * np.ceil(step)) < 0.01
        edge = np.abs(step - np.round(step)) * stairs.run_m < 0.01
        riser = edge & (z < stairs.rise_m * (np.round(step) + 1) + 0.01)
        assert ours.sum() > 200
        assert (tread | riser)[ours].mean() > 0.99
        assert (riser & ~tread & ours).sum() > 50
        # And it is these that carry it.
        under = np.ceil((pose.position[0] - stairs.first_m) / stairs.run_m)
        standing += 0.1 < pose.position[2] - stairs.rise_m * max(0, under) < 0.9
    assert standing == 4


def test_the_wall_that_the_robot_bumps_into_is_right_before_it_at_the_blow() -> None:
    scene = replace(draw(4, ("the robot bumping into a wall",)), things=())
    assert scene.motion.wall_m == scene.room.high[0]
    blows = [t_s for t_s in scene.motion.events if 0 < t_s < 7.9]
    assert len(blows) >= 2
    for t_s in blows:
        at_blow, later = (
            look(scene, t, *SMALL).metres[23:25, 31:33].mean() for t in (t_s, t_s + 0.4)
        )
        ahead = scene.room.high[0] - scene.motion.poses(np.array([t_s]))[0][0, 0]
        assert at_blow == pytest.approx(ahead, rel=0.02)
        assert at_blow < 0.45
        assert later > at_blow
