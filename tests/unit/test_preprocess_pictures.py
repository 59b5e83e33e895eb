"""RGB pictures: geometry, an independent bicubic, and the reference's golden numbers."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from encoders.imagebind.preprocess import files, pictures
from streamer.errors import EncoderFailed, SourceLost
from tests.needs import shared

GREY_LEVEL = 0.016  # of 255, after division by the deviation


def grey_levels(image: torch.Tensor) -> NDArray[np.float64]:
    """Undo CLIP's normalisation: (3, H, W) in 0..255."""
    mean, std = (np.array(values)[:, None, None] for values in (pictures.MEAN, pictures.STD))
    return (image.numpy() * std + mean) * 255


def bicubic(picture: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """Keys' cubic (a = -1/2), widened by the reduction, in float64: (H, W, C) to (*size, C)."""
    for axis, wanted in reversed([*enumerate(size)]):
        had = picture.shape[axis]
        widen = max(1.0, had / wanted)
        centre = (np.arange(wanted) + 0.5) * had / wanted
        x = np.abs((np.arange(had) + 0.5)[None] - centre[:, None]) / widen
        near = 1.5 * x**3 - 2.5 * x**2 + 1
        far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
        weights = np.where(x < 1, near, np.where(x < 2, far, 0))
        weights /= weights.sum(axis=1, keepdims=True)
        picture = np.moveaxis(np.tensordot(weights, picture, (1, axis)), 0, axis)
        picture = picture.clip(0, 255)  # 8-bit pictures are clipped after each direction
    return picture


@pytest.mark.parametrize(
    ("height", "width", "size", "resized", "corner"),
    [
        (48, 64, 24, (24, 32), (0, 4)),
        (64, 48, 24, (32, 24), (4, 0)),
        (100, 333, 20, (20, 66), (0, 23)),  # 66.6 is truncated
        (20, 20, 32, (32, 32), (0, 0)),
    ],
)
def test_agrees_with_a_bicubic_in_float64(
    height: int, width: int, size: int, resized: tuple[int, int], corner: tuple[int, int]
) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    top, left = corner
    expected = bicubic(rgb.astype(np.float64), resized)[top : top + size, left : left + size]
    levels = grey_levels(pictures.image(rgb, size))
    assert np.abs(levels - expected.transpose(2, 0, 1)).max() <= 1


@pytest.mark.parametrize("name", ["dog", "car", "bird"])
def test_golden_pictures(name: str) -> None:
    golden = np.load(shared("golden/preprocess.npz"))[f"{name}_image"]
    rgb = files.picture(shared(f"recordings/imagebind/{name}_image.jpg"))
    assert np.abs(pictures.image(rgb).numpy() - golden).max() < GREY_LEVEL


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 90), size=st.integers(1, 40))
def test_any_picture_fills_the_square_and_keeps_its_colour(
    height: int, width: int, size: int
) -> None:
    colour = np.array([10, 100, 200], np.uint8)
    image = pictures.image(np.tile(colour, (height, width, 1)), size)
    assert image.shape == (3, size, size)
    assert image.dtype == torch.float32
    assert np.abs(grey_levels(image) - colour[:, None, None]).max() < 1e-3


def test_a_needle_is_not_enlarged_to_gigabytes() -> None:
    assert pictures.image(np.zeros((1, 60_000, 3), np.uint8)).shape == (3, 224, 224)


def test_clip_holds_the_first_and_then_the_last_frame() -> None:
    first, last = np.zeros((30, 40, 3), np.uint8), np.full((30, 40, 3), 255, np.uint8)
    clip = pictures.clip(first, last, size=16)
    assert clip.shape == (3, 2, 16, 16)
    assert torch.equal(clip[:, 0], pictures.image(first, 16))
    assert torch.equal(clip[:, 1], pictures.image(last, 16))


def test_takes_read_only_and_flipped_arrays_and_leaves_them_alone() -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (40, 30, 3), np.uint8)
    before = rgb.copy()
    flipped = pictures.image(rgb[::-1, :, ::-1], 16)
    rgb.flags.writeable = False
    image = pictures.image(rgb, 16)
    assert np.array_equal(rgb, before)
    assert torch.equal(flipped, pictures.image(before[::-1, :, ::-1].copy(), 16))
    assert torch.equal(image, pictures.image(before, 16))


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
def test_what_is_not_rgb_is_refused_by_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(EncoderFailed, match=r"expected RGB uint8 \(H, W, 3\), got uint8 \("):
        pictures.image(np.zeros(shape, np.uint8))


def test_reads_files_as_rgb_not_bgr(tmp_path: Path) -> None:
    path = tmp_path / "red.png"
    red_in_bgr = np.zeros((8, 8, 3), np.uint8)
    red_in_bgr[..., 2] = 255
    cv2.imwrite(str(path), red_in_bgr)
    assert files.picture(path)[0, 0].tolist() == [255, 0, 0]


def test_bad_files_are_one_line_that_names_them(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.png"  # 0.1 MB that decode to 0.1 gigapixels
    cv2.imwrite(str(bomb), np.zeros((10_000, 10_000), np.uint8))
    text, empty, cut = (tmp_path / name for name in ("text.jpg", "empty.jpg", "cut.png"))
    text.write_text("no picture\n" * 100)
    empty.touch()
    cut.write_bytes(bomb.read_bytes()[:20])
    for path in (bomb, text, empty, cut, tmp_path / "absent.png", tmp_path):
        with pytest.raises(SourceLost, match="expected a picture") as raised:
            files.picture(path)
        assert str(path) in str(raised.value)
        assert "\n" not in str(raised.value)
