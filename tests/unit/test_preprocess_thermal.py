"""Thermal pictures: a fixed black level, 8-bit pictures as they are, and the vision tower."""

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from encoders.imagebind.preprocess import pictures, thermal
from streamer.errors import EncoderFailed
from tests.needs import shared


def test_the_span_maps_to_black_and_white_and_clips() -> None:
    options = thermal.ThermalInput(coldest_c=10, hottest_c=30)
    levels = [
        thermal.image(np.full((12, 16), celsius, np.float32), 8, options)
        for celsius in (-40, 10, 15, 30, 500)
    ]
    assert [float(level.mean()) for level in levels] == pytest.approx([0, 0, 0.25, 1, 1], abs=1e-6)
    assert all(level.shape == (1, 8, 8) and level.dtype == torch.float32 for level in levels)


def test_a_hot_object_does_not_darken_the_rest() -> None:
    street = np.full((64, 64), 12, np.float32)
    with_car = street.copy()
    with_car[48:, 48:] = 90
    before, after = thermal.image(street, 32), thermal.image(with_car, 32)
    assert torch.equal(before[:, :20, :20], after[:, :20, :20])
    assert after[0, -1, -1] == 1


def test_stays_within_0_and_1_where_bicubic_would_overshoot() -> None:
    edge = np.zeros((64, 64), np.float32)
    edge[:, 32:] = 40
    image = thermal.image(edge, 100)
    assert float(image.min()) == 0
    assert float(image.max()) == 1


def test_a_picture_is_taken_as_it_is() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (48, 64), np.uint8)
    image = thermal.image(grey, 32)
    rgb = pictures.resize_crop(torch.from_numpy(np.stack([grey] * 3)), 32)
    assert torch.allclose(image * 255, rgb[:1].float(), atol=1)
    # No span applies: there are no degrees in it.
    assert torch.equal(image, thermal.image(grey, 32, thermal.ThermalInput(hottest_c=90)))


def test_through_the_vision_tower_it_is_a_grey_rgb_picture() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (48, 64), np.uint8)
    image = thermal.image(grey, 32, thermal.ThermalInput(tower="vision"))
    expected = pictures.image(np.stack([grey] * 3, axis=2), 32)
    assert image.shape == (3, 32, 32)
    assert (image - expected).abs().max() < 0.016  # one grey level


def test_nan_is_coldest_and_stays_where_it_is() -> None:
    celsius = np.full((32, 32), 20, np.float32)
    celsius[0, 0] = np.nan
    image = thermal.image(celsius, 32)
    assert float(image[0, 0, 0]) == pytest.approx(0, abs=1e-6)
    assert torch.allclose(image[0, 8:, 8:], torch.tensor(0.5))


@pytest.mark.parametrize(
    "picture",
    [np.zeros((4, 4), np.uint16), np.zeros((4, 4, 3), np.uint8), np.zeros((0, 4), np.uint8)],
)
def test_what_has_no_known_unit_is_refused(picture: NDArray[Any]) -> None:
    with pytest.raises(EncoderFailed, match="expected float32 Celsius or uint8"):
        thermal.image(picture)


@pytest.mark.parametrize(("coldest", "hottest"), [(20, 20), (30, 10), (0, float("inf"))])
def test_a_span_must_be_one(coldest: float, hottest: float) -> None:
    with pytest.raises(ValidationError):
        thermal.ThermalInput(coldest_c=coldest, hottest_c=hottest)


def test_people_at_night_are_bright_on_dark() -> None:
    grey = cv2.imread(str(shared("recordings/thermal/llvip/010001_ir.jpg")), cv2.IMREAD_GRAYSCALE)
    assert grey is not None
    image = thermal.image(grey.astype(np.uint8))
    assert float(image.median()) < 0.2
    assert float(image.max()) > 0.7
