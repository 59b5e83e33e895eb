"""Numbers of pictures to metres, degrees and colours, against values worked out by hand."""

import numpy as np
import pytest

from sources.encodings import (
    Centikelvin,
    Colour,
    Depth,
    KinectDisparity,
    SunDepth,
    ThermalCounts,
    ThermalPicture,
    WrongPicture,
)


def raw(*numbers: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint16]]:
    return np.array([numbers], np.uint16)


@pytest.mark.parametrize(
    ("encoding", "numbers", "metres"),
    [
        (Depth(metres_per_unit=0.001), raw(0, 1, 1500, 65535), [0, 0.001, 1.5, 65.535]),
        (Depth(metres_per_unit=0.0002), raw(0, 5000), [0, 1]),  # TUM
        (Depth(metres_per_unit=1 / 256), raw(0, 256, 384), [0, 1, 1.5]),  # KITTI
        (Depth(metres_per_unit=0.000125, invalid=65535), raw(8000, 65535), [1, 0]),
        # 1500 = 0b10111011100, rotated left by three bits; 40000 loses its top bits to the bottom.
        (SunDepth(), raw(0, 12000, (40000 << 3 | 40000 >> 13) & 0xFFFF), [0, 1.5, 40]),
        # 741.2 would be exactly 1 m; disparity 742 in swapped bytes is 0xE602. 2047 is no return.
        (KinectDisparity(), raw(0xE602, 0xFF07), [351.3 / (1092.5 - 742), 0]),
        # Nearly infinite, and beyond: no return.
        (KinectDisparity(), raw(0x4404, 0x4504), [0, 0]),
    ],
)
def test_depth(
    encoding: Depth | SunDepth | KinectDisparity,
    numbers: np.ndarray[tuple[int, int], np.dtype[np.uint16]],
    metres: list[float],
) -> None:
    got = encoding.decode(numbers)

    assert got.dtype == np.float32
    np.testing.assert_allclose(got, [metres], rtol=1e-6)


def test_depth_as_ros_has_it() -> None:
    # 16 bits are millimetres; floating point is metres, and nothing where it is no distance.
    np.testing.assert_allclose(Depth().decode(raw(0, 1500)), [[0, 1.5]])
    odd = np.array([[1.5, 0, -2, np.nan, np.inf, 1e300]])
    np.testing.assert_array_equal(Depth().decode(odd), [[1.5, 0, 0, 0, 0, 0]])
    assert Depth().decode(odd).dtype == np.float32


def test_floating_point_heat_is_in_degrees() -> None:
    got = ThermalPicture().decode(np.array([[-3.5, 36.5]]))
    np.testing.assert_array_equal(got, [[-3.5, 36.5]])
    assert got.dtype == np.float32
    with pytest.raises(WrongPicture, match="some are not finite"):
        ThermalPicture().decode(np.array([[np.nan, 36.5]]))


def test_temperature() -> None:
    np.testing.assert_allclose(Centikelvin().decode(raw(27315, 29815)), [[0, 25]], atol=1e-5)
    counts = ThermalCounts(scale=0.04, offset=-100).decode(raw(0, 3000))
    np.testing.assert_allclose(counts, [[-100, 20]], atol=1e-5)
    assert counts.dtype == np.float32


def test_pictures_of_eight_bits() -> None:
    bgr = np.array([[[1, 2, 3, 255]]], np.uint8)
    np.testing.assert_array_equal(Colour().decode(bgr), [[[3, 2, 1]]])
    np.testing.assert_array_equal(Colour().decode(bgr[:, :, 0]), [[[1, 1, 1]]])
    np.testing.assert_array_equal(ThermalPicture().decode(np.array([[[9, 9, 9]]], np.uint8)), [[9]])


@pytest.mark.parametrize(
    ("encoding", "picture", "why"),
    [
        (Depth(metres_per_unit=1), np.zeros((2, 3), np.uint8), "16 bits was expected, uint8 2x3"),
        (Depth(), np.zeros((2, 3, 3), np.float32), "one channel was expected, float32 2x3x3"),
        (Depth(metres_per_unit=1), np.zeros((2, 3), np.float32), "16 bits was expected, float32"),
        (SunDepth(), np.zeros((2, 3, 3), np.uint16), "one channel of 16 bits .* uint16 2x3x3"),
        (Centikelvin(), np.zeros((2, 3), np.float32), "float32 2x3 came"),
        (Colour(), np.zeros((2, 3), np.uint16), "8-bit picture was expected"),
        (ThermalPicture(), np.zeros((2, 3), np.uint16), "8-bit picture was expected"),
        (ThermalPicture(), np.array([[[0, 9, 200]]], np.uint8), "one in colours came"),
    ],
)
def test_wrong_pictures(
    encoding: Depth | SunDepth | Centikelvin | Colour | ThermalPicture,
    picture: np.ndarray[tuple[int, ...], np.dtype[np.uint16]],
    why: str,
) -> None:
    with pytest.raises(WrongPicture, match=why):
        encoding.decode(picture)
