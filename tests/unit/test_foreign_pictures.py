"""Pictures of other programs' messages against the pixels that went in."""

import base64
import struct
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sources.recording.pictures import Encoded
from sources.replay.messages.pictures import Picture, compressed, raw
from streamer.errors import SourceLost
from streamer.types import Modality

RNG = np.random.default_rng(6)
RGB = RNG.integers(0, 256, (4, 6, 3), np.uint8)
FLAT = np.full((8, 8, 3), (200, 100, 50), np.uint8)
GREY = RNG.integers(0, 256, (4, 6), np.uint8)
DEEP = RNG.integers(0, 65536, (4, 6), np.uint16)
METRES = RNG.uniform(0.1, 9, (4, 6)).astype(np.float32)


def message(encoding: str, array: NDArray[Any], **changed: Any) -> dict[str, Any]:
    return {
        "height": array.shape[0],
        "width": array.shape[1],
        "encoding": encoding,
        "is_bigendian": 0,
        "step": array[0].nbytes,
        "data": array.tobytes(),
    } | changed


def decoded(picture: Picture, modality: Modality) -> NDArray[Any]:
    encoded = Encoded(picture.payload, picture.codec, picture.shape, modality=modality)
    return encoded.array()


COLOURS: dict[str, NDArray[Any]] = {
    "rgb8": RGB,
    "bgr8": RGB[:, :, ::-1],
    "8UC3": RGB[:, :, ::-1],
    "rgba8": np.dstack([RGB, np.full((4, 6), 9, np.uint8)]),
    "bgra8": np.dstack([RGB[:, :, ::-1], np.full((4, 6), 9, np.uint8)]),
}


@pytest.mark.parametrize("encoding", sorted(COLOURS))
def test_colours_in_any_order_are_rgb(encoding: str) -> None:
    picture = raw(message(encoding, np.ascontiguousarray(COLOURS[encoding])))
    assert picture.kind == "colours"
    np.testing.assert_array_equal(decoded(picture, "vision"), RGB)


@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
def test_grey_is_three_channels_for_vision_and_one_for_heat(encoding: str) -> None:
    picture = raw(message(encoding, GREY))
    np.testing.assert_array_equal(decoded(picture, "vision"), np.dstack([GREY] * 3))
    np.testing.assert_array_equal(decoded(picture, "thermal"), GREY)


@pytest.mark.parametrize("encoding", ["mono16", "16UC1"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bits_keep_their_value_in_both_byte_orders(encoding: str, order: str) -> None:
    stored = DEEP.astype(f"{order}u2")
    picture = raw(message(encoding, stored, is_bigendian=int(order == ">")))
    assert picture.kind == ("numbers" if encoding == "16UC1" else "grey16")
    np.testing.assert_array_equal(decoded(picture, "depth"), DEEP)
    np.testing.assert_array_equal(decoded(picture, "vision")[:, :, 1], DEEP >> 8)


def test_floating_point_depth_has_zeros_where_nothing_returned() -> None:
    array = METRES.copy()
    array[0, :4] = np.nan, np.inf, -1, 0
    got = decoded(raw(message("32FC1", array)), "depth")
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got[0, :4], 0)
    np.testing.assert_array_equal(got[1:], METRES[1:])


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_a_bayer_pattern_gives_its_colours(pattern: str) -> None:
    mosaic = np.zeros((8, 8), np.uint8)
    for index, letter in enumerate(pattern):
        mosaic[index // 2 :: 2, index % 2 :: 2] = {"r": 200, "g": 100, "b": 50}[letter]
    got = decoded(raw(message(f"bayer_{pattern}8", mosaic)), "vision")
    np.testing.assert_array_equal(got[2:-2, 2:-2], FLAT[2:-2, 2:-2])


@pytest.mark.parametrize(
    ("encoding", "order"),
    [("uyvy", "uyvy"), ("yuv422", "uyvy"), ("yuyv", "yuyv"), ("yuv422_yuy2", "yuyv")],
)
def test_yuv_of_two_bytes_a_pixel_gives_its_colours(encoding: str, order: str) -> None:
    y, u, v = 123, 91, 175  # BT.601 of 200, 100, 50
    pair = [{"y": y, "u": u, "v": v}[letter] for letter in order]
    picture = raw(message(encoding, np.tile(np.array(pair, np.uint8), (8, 4)).reshape(8, 8, 2)))
    got = decoded(picture, "vision").astype(int)
    assert np.abs(got - FLAT).max() < 12


def test_rows_with_padding_are_read_without_it() -> None:
    padded = np.zeros((4, 32), np.uint8)
    padded[:, :18] = RGB.reshape(4, 18)
    picture = raw(message("rgb8", RGB, step=32, data=padded.tobytes()))
    np.testing.assert_array_equal(decoded(picture, "vision"), RGB)
    unpadded_end = padded.tobytes()[: 3 * 32 + 18]
    picture = raw(message("rgb8", RGB, step=32, data=unpadded_end))
    np.testing.assert_array_equal(decoded(picture, "vision"), RGB)


def test_bytes_behind_the_pixels_are_not_of_the_picture() -> None:
    assert raw(message("rgb8", RGB, data=RGB.tobytes() + b"1234")).payload == RGB.tobytes()


def test_bytes_of_a_message_are_not_copied_where_they_fit() -> None:
    data = RGB.tobytes()
    assert raw(message("rgb8", RGB, data=data)).payload is data


def test_json_has_bytes_as_base64_or_as_numbers() -> None:
    text = base64.b64encode(RGB.tobytes()).decode()
    assert raw(message("rgb8", RGB, data=text)).payload == RGB.tobytes()
    assert raw(message("rgb8", RGB, data=list(RGB.tobytes()))).payload == RGB.tobytes()


@pytest.mark.parametrize(
    "changed",
    [
        {"encoding": "rgb9"},
        {"encoding": None},
        {"height": 1 << 31, "width": 1 << 31},
        {"height": 0},
        {"height": "4"},
        {"width": -6},
        {"step": 3},
        {"data": b"short"},
        {"data": None},
        {"data": "not base64!"},
        {"data": [256]},
        {"step": 1 << 31},
    ],
    ids=str,
)
def test_a_picture_that_cannot_be_is_a_value_error(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        raw(message("rgb8", RGB) | changed)


def packed(extension: str, array: NDArray[Any]) -> bytes:
    return cv2.imencode(extension, array)[1].tobytes()


@pytest.mark.parametrize("told", ["png", "bgr8; png compressed bgr8", "rgb8; png compressed "])
def test_png_of_colours(told: str) -> None:
    picture = compressed({"format": told, "data": packed(".png", RGB[:, :, ::-1])})
    assert (picture.codec, picture.kind) == ("png", "colours")
    np.testing.assert_array_equal(decoded(picture, "vision"), RGB)


@pytest.mark.parametrize("told", ["jpeg", "jpg", "bgr8; jpeg compressed bgr8"])
def test_jpeg_of_colours_and_of_grey(told: str) -> None:
    colours = compressed({"format": told, "data": packed(".jpg", FLAT[:, :, ::-1])})
    assert np.abs(decoded(colours, "vision").astype(int) - FLAT).max() < 6
    grey = compressed({"format": told, "data": packed(".jpg", FLAT[:, :, 0])})
    assert decoded(grey, "vision").shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ("16UC1; png compressed ", "numbers"),
        ("png", "grey16"),
        ("mono16; png compressed", "grey16"),
    ],
)
def test_png_of_sixteen_bits(told: str, kind: str) -> None:
    picture = compressed({"format": told, "data": packed(".png", DEEP)})
    assert picture.kind == kind
    np.testing.assert_array_equal(decoded(picture, "depth"), DEEP)


@pytest.mark.parametrize("told", ["16UC1; compressedDepth png", "16UC1; compressedDepth"])
def test_compressed_depth_of_integers_is_the_png_behind_its_header(told: str) -> None:
    data = struct.pack("<iff", 0, 0, 0) + packed(".png", DEEP)
    picture = compressed({"format": told, "data": data})
    assert (picture.kind, picture.payload) == ("numbers", data[12:])
    np.testing.assert_array_equal(decoded(picture, "depth"), DEEP)


def test_compressed_depth_of_floats_is_metres_again() -> None:
    # As the depth transport of ROS writes it: 16 bits of inverse depth.
    quantum, largest = 100.0, 10.0
    a = quantum * (quantum + 1)
    b = 1.0 - a / largest
    stored = np.rint(a / METRES + b).astype(np.uint16)
    stored[0, 0] = 0
    data = struct.pack("<iff", 0, a, b) + packed(".png", stored)
    picture = compressed({"format": "32FC1; compressedDepth png", "data": data})
    got = decoded(picture, "depth")
    assert got[0, 0] == 0
    np.testing.assert_allclose(got[1:], METRES[1:], rtol=0.01)


def huge_png() -> bytes:
    data = bytearray(packed(".png", GREY))
    data[16:24] = struct.pack(">II", 60000, 60000)
    return bytes(data)


def huge_jpeg() -> bytes:
    data = bytearray(packed(".jpg", RGB))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", 65000, 65000)
    return bytes(data)


@pytest.mark.parametrize(
    ("told", "data", "said"),
    [
        ("webp", b"RIFF....WEBP", "webp"),
        ("jpeg", b"", "not read"),
        ("jpeg", b"\xff\xd8\xff", "cut off"),
        ("png", b"\x89PNG\r\n\x1a\n", "cut off"),
        ("png", huge_png(), "60000x60000"),
        ("jpeg", huge_jpeg(), "65000x65000"),
        ("16UC1; compressedDepth rvl", bytes(40), "without a PNG"),
        ("16UC1; compressedDepth png", bytes(12) + packed(".png", GREY), "16 bits"),
        ("jpeg", None, "bytes expected"),
    ],
    ids=[
        "other format", "nothing", "cut jpeg", "cut png", "huge png", "huge jpeg", "rvl",
        "8 bits of depth", "no data",
    ],
)  # fmt: skip
def test_a_compressed_picture_that_cannot_be_is_a_value_error(
    told: str, data: bytes | None, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        compressed({"format": told, "data": data})


def test_a_damaged_picture_is_told_when_its_pixels_are_asked_for() -> None:
    data = packed(".png", RGB)
    picture = compressed({"format": "png", "data": data[:40]})
    with pytest.raises(SourceLost, match="cannot be decoded"):
        decoded(picture, "vision")


def test_colours_are_no_depth() -> None:
    with pytest.raises(SourceLost, match="expected depth"):
        decoded(raw(message("rgb8", RGB)), "depth")
