"""What the sensors do to a perfect view, against the figures that they claim, in float64."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from sources.world import sensors
from sources.world.view import View

WIDTH, HEIGHT = 256, 192


def flat(metres: float = 2.0, celsius: float = 20.0, grey: float = 0.5) -> View:
    shape = HEIGHT, WIDTH
    colour = np.full((*shape, 3), grey, np.float32)
    return View(colour, np.full(shape, metres, np.float32), np.full(shape, celsius, np.float32))


def camera(view: View, seed: int, frame: int) -> NDArray[np.float64]:
    return sensors.camera(view, (seed, frame)).astype(np.float64)


def depth(view: View, seed: int, frame: int) -> NDArray[np.float64]:
    return sensors.depth(view, (seed, frame)).astype(np.float64)


def thermal(view: View, seed: int, frame: int) -> NDArray[np.float64]:
    return sensors.thermal(view, (seed, frame), 160, 120).astype(np.float64)


Sensor: TypeAlias = Callable[[View, int, int], NDArray[np.float64]]


@pytest.mark.parametrize("sensor", [camera, depth, thermal])
def test_noise_is_a_function_of_the_scene_and_the_frame(sensor: Sensor) -> None:
    view = flat()
    given = view.colour.copy(), view.metres.copy(), view.celsius.copy()
    first, again = sensor(view, 1, 5), sensor(view, 1, 5)

    np.testing.assert_array_equal(first, again)
    for other in (sensor(view, 1, 6), sensor(view, 2, 5)):
        both = (first > 0) & (other > 0)
        assert abs(np.corrcoef(first[both], other[both])[0, 1]) < 0.03
    for before, after in zip(given, (view.colour, view.metres, view.celsius), strict=True):
        np.testing.assert_array_equal(before, after)


def test_the_camera_is_as_noisy_as_its_scene_says() -> None:
    deviations = np.array([[camera(flat(), s, f).std() for f in (0, 1)] for s in range(12)])
    # Rounding to whole levels adds the variance of an even spread over one level.
    share = np.sqrt(deviations**2 - 1 / 12) / 255

    assert share.min() >= 0.0059
    assert share.max() <= 0.0262
    np.testing.assert_allclose(share[:, 0], share[:, 1], rtol=0.02)  # all its frames alike
    assert share.std(axis=0).min() > 0.003  # scenes differ
    means = [camera(flat(), s, 2).mean() for s in range(12)]
    np.testing.assert_allclose(means, 127.5, atol=0.1)


def test_the_camera_blurs_a_point_and_keeps_its_light() -> None:
    view = flat(grey=0.0)
    view.colour[60, 80] = 0.8
    # The rectifying of black noise is the same with and without the point.
    seen = np.mean([camera(view, 3, f)[57:64, 77:84] for f in range(24)], axis=0)
    dark = np.mean([camera(flat(grey=0.0), 3, f)[57:64, 77:84] for f in range(24)], axis=0)
    point = (seen - dark).mean(axis=2)
    weights = np.exp(-(np.array((-1.0, 0.0, 1.0)) ** 2) / (2 * 0.6**2))
    kernel = np.outer(weights, weights) / weights.sum() ** 2

    np.testing.assert_allclose(point[2:5, 2:5] / 255, 0.8 * kernel, atol=0.01)
    assert np.abs(point[0]).max() < 2


def test_white_clips() -> None:
    assert camera(flat(grey=2.0), 1, 0).min() == 255
    assert camera(flat(grey=0.0), 1, 0).min() == 0


@pytest.mark.parametrize("metres", [0.5, 1.0, 2.0, 4.0, 7.0])
def test_the_error_of_depth_grows_with_the_square_of_the_distance(metres: float) -> None:
    measured = depth(flat(metres), 1, 0)
    error = measured[measured > 0] - metres

    assert error.std() == pytest.approx(0.004 * metres**2, rel=0.02)
    assert abs(error.mean()) < 0.004 * metres**2 / 30


@pytest.mark.parametrize("metres", [0.1, 0.19, 10.0, 50.0])
def test_nothing_comes_back_from_out_of_range(metres: float) -> None:
    assert not depth(flat(metres), 1, 0).any()


def test_depth_is_in_range_or_zero_at_the_very_limits() -> None:
    for metres in (0.2, 7.9):
        measured = depth(flat(metres), 1, 0)
        returned = measured[measured > 0]
        assert 0.2 < returned.size / measured.size < 0.8
        assert returned.min() >= 0.2 - 1e-6
        assert returned.max() <= 8.0


def test_the_edge_of_a_near_thing_is_lost_on_both_sides() -> None:
    view = flat(3.0)
    view.metres[:, :100] = 1.0
    lost = np.all([depth(view, 1, frame) == 0 for frame in range(6)], axis=0)

    assert lost[:, 99:101].all()
    assert not lost[:, :98].any()
    assert not lost[:, 102:].any()


def test_up_to_four_blots_have_no_return() -> None:
    holes = [int((depth(flat(), 1, frame) == 0).sum()) for frame in range(40)]
    largest = np.pi * (2 + 0.05 * HEIGHT + 1) ** 2

    assert 0 in holes
    assert max(holes) > largest / 2
    assert max(holes) <= 4 * largest


def test_heat_has_60_mk_of_noise_and_up_to_half_a_degree_of_drift() -> None:
    seen = np.array([[thermal(flat(), s, f) for f in (0, 1)] for s in range(12)])
    drift = seen.mean(axis=(2, 3)) - 20

    np.testing.assert_allclose(seen.std(axis=(2, 3)), 0.06, rtol=0.03)
    np.testing.assert_allclose(drift[:, 0], drift[:, 1], atol=0.003)
    assert np.abs(drift).max() <= 0.5
    assert drift.std() > 0.15


def test_heat_is_averaged_over_the_larger_pixels_and_blurred() -> None:
    """A hot half of the picture: degrees on both sides, a narrow edge between."""
    view = flat()
    view.celsius[:, WIDTH // 2 :] = 90
    seen = np.mean([thermal(view, 1, f) for f in range(8)], axis=0)
    columns = seen.mean(axis=0) - thermal(flat(), 1, 9).mean() + 20

    np.testing.assert_allclose(columns[:77], 20, atol=0.05)
    np.testing.assert_allclose(columns[83:], 90, atol=0.05)
    assert (np.diff(columns[77:83]) > 0).all()
    np.testing.assert_allclose(columns[80] + columns[79], 110, atol=0.2)  # no shift
