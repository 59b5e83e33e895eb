"""The sensors of the running world agree: heat and depth lie where the thing is seen, the gyroscope
tells of the turn that the camera shows, sounds start when something happens."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sources.world.geometry import rotation
from sources.world.live import BLOCK_NS, SCENE_NS, Capture, captures, concepts, data, scene
from sources.world.scene import Scene, Thing
from streamer.types import NS_PER_S, AudioBlock, ImuBlock, Modality
from tests.sighting import HEIGHT, seen


def _find(name: str, seed: int) -> tuple[int, Scene]:
    """The scene in which the concept is alone."""
    number = next(n for n in range(0, 48, 2) if concepts(seed, n) == (name,))
    return number, scene(seed, number)


def _picture(seed: int, number: int, modality: Modality, t_s: float) -> NDArray[np.float32]:
    capture = Capture(modality, number * SCENE_NS + round(t_s * NS_PER_S), 1)
    given = data(seed, capture, 0, 200)
    assert isinstance(given, np.ndarray)
    return given.astype(np.float32)


def _box(played: Scene, thing: Thing, t_s: float, height: int) -> tuple[slice, slice, float]:
    """The rows and columns of a 4:3 picture that a ball a little larger than the thing
    covers, and its distance."""
    column, row, ahead = seen(played, thing, t_s)
    reach = 1.3 * thing.size_m / 2 / ahead / np.tan(np.deg2rad(30))
    edges = [round((height - 1) / 2 + height / 2 * value) for value in (row - reach, row + reach)]
    sides = [height * 4 / 6 + height / 2 * value for value in (column - reach, column + reach)]
    return (
        slice(max(0, edges[0]), edges[1] + 1),
        slice(max(0, round(sides[0])), round(sides[1]) + 1),
        ahead,
    )


HOT = ("a kettle boiling", "a fire burning", "a lamp shining")
TIMES_S = (1.0, 2.5, 4.0)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", HOT)
def test_heat_and_depth_lie_where_the_thing_is_seen(name: str, seed: int) -> None:
    number, played = _find(name, seed)
    thing = next(t for t in played.things if t.concept == name)
    for t_s in TIMES_S:
        rows, columns, ahead = _box(played, thing, t_s, 120)
        celsius = _picture(seed, number, "thermal", t_s)
        hottest = np.unravel_index(int(celsius.argmax()), celsius.shape)

        assert rows.start <= hottest[0] < rows.stop
        assert columns.start <= hottest[1] < columns.stop
        # And the depth camera measures it at its distance: something of the thing is there.
        rows, columns, ahead = _box(played, thing, t_s, HEIGHT)
        metres = _picture(seed, number, "depth", t_s)
        near = np.abs(metres[rows, columns] - ahead) < thing.size_m / 2 + 0.1
        assert near.mean() > 0.05


def test_ice_is_the_coldest_place_where_it_is_seen() -> None:
    number, played = _find("a block of ice melting", 2)
    thing = next(t for t in played.things if t.concept)
    rows, columns, _ = _box(played, thing, 2.0, 120)
    celsius = _picture(2, number, "thermal", 2.0)
    row, column = np.unravel_index(int(celsius.argmin()), celsius.shape)

    assert rows.start <= row < rows.stop
    assert columns.start <= column < columns.stop


TURNS = (
    "the robot turning left",
    "the robot turning right",
    "the robot rocking from side to side",
)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", TURNS)
def test_turning_a_picture_as_the_gyroscope_felt_gives_the_next_picture(
    name: str, seed: int
) -> None:
    number, played = _find(name, seed)
    # Half a swing, or a turn that is larger than the drift and the blur.
    start_s, end_s = (3.0, 3.5) if "rocking" in name else (3.0, 4.0)
    turn = _felt(seed, number, start_s, end_s)
    first, last = (
        np.asarray(cv2.GaussianBlur(_picture(seed, number, "vision", t_s), (0, 0), 3), np.float32)
        for t_s in (start_s, end_s)
    )
    still, turned, back = (
        _difference(_turned(first, rotated), last) for rotated in (np.eye(3), turn, turn.T)
    )

    assert turned < 0.9 * still
    assert back > 1.15 * still
    # And it is the turn of the pose: 3 deviations of the zero offset, 1.5 deg/s, and vibration.
    _, angles = played.motion.poses(np.array([start_s, end_s]))
    before, after = (rotation(*pose) for pose in angles)
    off, _ = cv2.Rodrigues(turn.T @ before.T @ after)
    assert float(np.linalg.norm(off)) < np.deg2rad(2)


def _felt(seed: int, number: int, start_s: float, end_s: float) -> NDArray[np.float64]:
    """The turn between two instants as the gyroscope integrates to: later axes in the earlier."""
    turn = np.eye(3)
    for n in range(round(start_s * NS_PER_S) // BLOCK_NS, round(end_s * NS_PER_S) // BLOCK_NS):
        capture = Capture("imu", number * SCENE_NS + n * BLOCK_NS, BLOCK_NS)
        block = data(seed, capture, 0, 400)
        assert isinstance(block, ImuBlock)
        for rates in block.values[:, 3:].astype(np.float64):
            turn = turn @ cv2.Rodrigues(rates / 400)[0]
    return np.asarray(turn, np.float64)


def _turned(picture: NDArray[np.float32], turn: NDArray[np.float64]) -> NDArray[np.float32]:
    """What a camera that has turned by `turn` sees of far things; -1000 where it saw nothing."""
    height, width = picture.shape[:2]
    focal = height / 2 / np.tan(np.deg2rad(30))
    pinhole = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    # Front, left, up become right, down, ahead.
    axes = np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]])
    warp = pinhole @ axes @ turn.T @ axes.T @ np.linalg.inv(pinhole)
    moved = cv2.warpPerspective(picture, warp, (width, height), borderValue=(-1000,) * 3)
    return np.asarray(moved, np.float32)


def _difference(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Mean over what both show."""
    return float(np.abs(one - other)[one.min(axis=2) > -1].mean())


@pytest.mark.parametrize("name", ["a dog barking", "a cat meowing", "an alarm ringing"])
def test_sound_starts_when_the_thing_acts(name: str) -> None:
    ratios: list[float] = []
    for seed in range(4):
        number, played = _find(name, seed)
        blocks = [
            c for c in captures("audio", (number + 1) * SCENE_NS) if c.t_ns >= number * SCENE_NS
        ]
        given = [data(seed, c, 0, 200) for c in blocks]
        sound = np.concatenate([b.samples for b in given if isinstance(b, AudioBlock)])
        thing = next(t for t in played.things if t.concept == name)
        loud: list[float] = []
        for begins, ends in ((h.t_s, h.t_s + h.length_s) for h in thing.happenings):
            during = sound[round(begins * 16_000) : round(ends * 16_000)]
            before = sound[max(0, round((begins - 0.06) * 16_000)) : round(begins * 16_000)]
            if begins > 0.06 and ends < 8:
                loud.append(float(np.sqrt(np.mean(during**2) / np.mean(before**2))))
        ratios.append(float(np.median(loud)))

    # The background may be as loud as the voice, but not in most scenes.
    assert np.median(ratios) > 1.3
