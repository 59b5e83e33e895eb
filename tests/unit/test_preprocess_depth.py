"""Depth: disparity by hand, holes by brute force, and pictures of real cameras."""

from typing import Literal

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from encoders.imagebind.preprocess import depth
from streamer.errors import EncoderFailed
from tests.needs import shared

Preset = Literal["sun", "plain", "metric"]


@pytest.mark.parametrize(
    ("preset", "metres", "expected"),
    [
        # 0.075 m x 518.86 px = 38.9145; / metres / 75, then (x - mean) / std, by hand.
        ("plain", 2.0, 0.25943),
        ("plain", 0.3, 1.0),  # 129.7 px is clamped to 75
        ("plain", 80.0, 0.010377),  # clipped to 50 m
        ("sun", 2.0, (0.0324287 - 0.0418) / 0.0295),
        ("metric", 2.0, (0.25943 - 0.318) / 0.115),
    ],
)
def test_a_wall_by_hand(preset: Preset, metres: float, expected: float) -> None:
    wall = np.full((48, 64), metres, np.float32)
    image = depth.image(wall, 32, depth.DepthInput(preset=preset))
    assert image.shape == (1, 32, 32)
    assert image.dtype == torch.float32
    assert np.allclose(image, expected, atol=2e-5)


@pytest.mark.parametrize("preset", ["sun", "plain", "metric"])
def test_nearer_is_brighter(preset: Preset) -> None:
    slope = np.tile(np.linspace(0.7, 5, 64, dtype=np.float32), (64, 1))
    image = depth.image(slope, 64, depth.DepthInput(preset=preset))
    assert (image[0, 0].diff() < 0).all()


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.02, 0.98))
def test_holes_take_the_depth_of_the_nearest_return(seed: int, share: float) -> None:
    random = np.random.default_rng(seed)
    metres = random.uniform(0.5, 9, (17, 23)).astype(np.float32)
    metres[random.random(metres.shape) < share] = 0
    metres[3, 4] = 1.25  # at least one return
    filled = depth.fill_holes(metres)
    at = np.argwhere(metres > 0)
    for y, x in np.argwhere(metres == 0):
        distance = np.hypot(*(at - (y, x)).T)
        # OpenCV's 5x5 mask measures distance to about 2 %.
        near = at[distance <= distance.min() * 1.03]
        assert filled[y, x] in [metres[tuple(place)] for place in near]
    assert np.array_equal(filled[metres > 0], metres[metres > 0])


@pytest.mark.parametrize("nothing", [0.0, np.nan, np.inf, -1.0])
def test_a_picture_without_a_return_is_as_far_as_can_be(nothing: float) -> None:
    empty = depth.image(np.full((20, 30), nothing, np.float32), 16)
    far = depth.image(np.full((20, 30), 50, np.float32), 16)
    assert torch.equal(empty, far)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), preset=st.sampled_from(["sun", "plain", "metric"]))
def test_never_nan(seed: int, preset: Preset) -> None:
    random = np.random.default_rng(seed)
    values = np.array([0, np.nan, np.inf, -np.inf, -3, 1e-30, 3e38, 2, 5], np.float32)
    image = depth.image(random.choice(values, (15, 20)), 16, depth.DepthInput(preset=preset))
    assert image.isfinite().all()


@pytest.mark.parametrize("shape", [(4, 4, 1), (0, 4)])
def test_wrong_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(EncoderFailed, match=r"depth: expected metres float32 \(H, W\), got"):
        depth.image(np.zeros(shape, np.float32))


def test_integers_are_refused_because_their_unit_is_unknown() -> None:
    millimetres: NDArray[np.uint16] = np.full((4, 4), 2000, np.uint16)
    with pytest.raises(EncoderFailed, match=r"got uint16 \(4, 4\)"):
        depth.image(millimetres)  # pyright: ignore[reportArgumentType]


def test_a_kinect_picture_with_a_quarter_of_holes() -> None:
    path = shared("recordings/rgbd/metric3d_nyu/sync_depth_00000.png")
    millimetres = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert millimetres is not None
    metres = millimetres.astype(np.float32) * np.float32(0.001)
    assert (metres == 0).mean() > 0.25
    image = depth.image(metres, options=depth.DepthInput(preset="plain")).numpy()
    # A basement: everything lies between 1 and 10 m.
    assert image.shape == (1, 224, 224)
    assert 38.9145 / 75 / 10 < image.min() < image.max() < 38.9145 / 75 / 1
    assert 38.9145 / 75 / np.median(image) == pytest.approx(np.median(metres[metres > 0]), rel=0.05)
