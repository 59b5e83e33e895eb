"""16 bits of a thermal camera: found in what OpenCV gives, cut, and judged."""

import re

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sources.encodings import WrongPicture
from sources.thermal.camera import Thermal
from sources.thermal.frames import End, fourcc_name, unpack, without_telemetry
from sources.thermal.units import Linear, Unit, implausible, linear
from tests.cptvfiles import as_the_library_reads, recording
from tests.needs import shared

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40))


@settings(deadline=None)
@given(SHAPES, st.integers(0, 1000))
def test_words_and_bytes_of_a_frame_are_the_same_picture(shape: tuple[int, int], seed: int) -> None:
    height, width = shape
    picture = np.random.default_rng(seed).integers(0, 1 << 16, shape).astype("<u2")
    raw = picture.view(np.uint8)
    for frame in (
        picture.astype(np.uint16),
        picture.reshape(height, width, 1),
        raw.reshape(1, -1),
        raw.reshape(height, width, 2),
        np.asfortranarray(picture),
    ):
        got = unpack(frame, width, height)
        assert got.dtype == np.uint16
        np.testing.assert_array_equal(got, picture)


@pytest.mark.parametrize(
    ("frame", "width", "height"),
    [
        (np.zeros((120, 160), np.uint8), 160, 120),  # 8 bits a pixel
        (np.zeros((120, 160, 3), np.uint8), 160, 120),  # converted to colour
        (np.zeros((60, 80), np.uint16), 160, 120),  # another size than was said
        (np.zeros((120, 160), np.float32), 160, 120),
        (np.zeros((1, 1), np.uint16), 0, 0),
        (np.zeros((1, 1), np.uint16), -1, -1),
        (np.zeros((1, 1), np.uint16), 1 << 20, 1 << 20),
    ],
)
def test_what_is_no_y16_is_told(
    frame: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]", width: int, height: int
) -> None:
    with pytest.raises(WrongPicture, match=f"{frame.dtype} .* came"):
        unpack(frame, width, height)


@settings(deadline=None)
@given(SHAPES, st.integers(0, 3), st.sampled_from(["start", "end"]))
def test_telemetry_is_cut_and_nothing_else(shape: tuple[int, int], rows: int, at: End) -> None:
    height, width = shape
    picture = np.arange(height * width, dtype=np.uint16).reshape(height, width)
    telemetry = np.full((rows, width), 0xBEEF, np.uint16)
    whole = np.vstack([telemetry, picture] if at == "start" else [picture, telemetry])
    np.testing.assert_array_equal(without_telemetry(whole, at, rows), picture)


@pytest.mark.parametrize(
    ("height", "width", "left"), [(122, 160, 120), (63, 80, 60), (120, 160, 120), (512, 640, 512)]
)
def test_the_sizes_of_a_lepton_tell_its_telemetry(height: int, width: int, left: int) -> None:
    whole = np.arange(height * width).astype(np.uint16).reshape(height, width)
    np.testing.assert_array_equal(without_telemetry(whole, "end", None), whole[:left])
    np.testing.assert_array_equal(without_telemetry(whole, "start", None), whole[height - left :])


def test_telemetry_that_leaves_no_picture_is_told() -> None:
    with pytest.raises(WrongPicture, match="more than 3 rows were expected, uint16 3x80 came"):
        without_telemetry(np.zeros((3, 80), np.uint16), "end", 3)


def test_a_real_centikelvin_picture_is_plausible_and_in_degrees() -> None:
    picture = as_the_library_reads(recording("background"))[0]
    assert implausible(picture, "centikelvin") is None
    calibration = linear("centikelvin")
    assert calibration is not None
    celsius = picture * calibration.scale + calibration.offset
    assert 12.8 < celsius.min() < celsius.max() < 18.3


@pytest.mark.parametrize(
    ("name", "unit", "swapped", "why"),
    [
        # TLinear off, one gain for the other, bytes in the other order: those are possible
        # temperatures, and only the picture shows that they are none.
        ("possum", "centikelvin", False, "-250 degrees Celsius by centikelvin; it could be counts"),
        ("background", "decikelvin", False, "by decikelvin; it could be counts, centikelvin$"),
        ("background", "centikelvin", True, "the two bytes of each number are swapped"),
        ("possum", "counts", True, "the two bytes of each number are swapped"),
        ("background", Linear(scale=1, offset=0), False, "by its scale and offset"),
    ],
)
def test_numbers_of_another_unit_are_told(name: str, unit: Unit, swapped: bool, why: str) -> None:
    picture = as_the_library_reads(recording(name))[0]
    said = implausible(picture.byteswap() if swapped else picture, unit)
    assert re.search(why, said or "plausible"), said


@pytest.mark.parametrize("name", ["background", "possum"])
def test_no_frame_of_a_real_recording_is_doubted(name: str) -> None:
    for picture in as_the_library_reads(recording(name)):
        assert implausible(picture, "centikelvin" if name == "background" else "counts") is None


def test_counts_are_never_implausible() -> None:
    for value in (0, 1, 255, 256, 4660, 65535):
        assert implausible(np.full((8, 8), value, np.uint16), "counts") is None
    # 8 bits in the upper byte, of a real street.
    street = cv2.imread(str(shared("recordings/thermal/llvip/010001_ir.jpg")), cv2.IMREAD_GRAYSCALE)
    assert street is not None
    for times in (1, 256):
        assert implausible(street.astype(np.uint16) * np.uint16(times), "counts") is None


def test_one_hot_thing_does_not_make_a_picture_implausible() -> None:
    picture = np.full((120, 160), 29815, np.uint16)
    picture[:40] = 65535
    assert implausible(picture, "centikelvin") is None


def test_a_fourcc_reads_as_its_letters() -> None:
    assert fourcc_name(540422489.0) == "Y16 "
    assert fourcc_name(0.0) == "\0\0\0\0"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"unit": "counts"}, "level: counts need one"),
        ({"unit": "picture", "level": {"kind": "slow"}}, "expected neither level"),
        ({"unit": {"scale": 0, "offset": 1}}, "greater than 0"),
        ({"unit": "kelvin"}, "centikelvin"),
        ({"level": {"kind": "fixed", "black": 5, "white": 5}}, "black must be below white"),
        ({"device": -1}, "device"),
        ({"fps": 9}, "Extra inputs"),
    ],
)
def test_what_does_not_fit_together_is_told(fields: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Thermal.model_validate({"device": 0, "stream": "heat", **fields})
