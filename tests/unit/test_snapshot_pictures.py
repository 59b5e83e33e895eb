"""What `streamer snapshot` draws of camera, depth and heat: looked at where it must show."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from sources.world.live import Capture, data
from streamer.cli.snapshot.drawing import PAPER, Axes, Colour, Picture, ticks
from streamer.cli.snapshot.pictures import HEAT, NEAR_TO_FAR, depth, frame, heat, placed
from streamer.cli.snapshot.sheet import MARGIN, WIDTH, Drawn, Note, sheet, side_by_side
from streamer.types import NS_PER_S, Modality
from tests.needs import shared

RED, GREEN, BLUE, GREY = (200, 20, 20), (20, 200, 20), (20, 20, 200), (90, 90, 90)


def colour(body: Picture, x: float, y: float) -> Colour:
    red, green, blue = body[round(y), round(x)].tolist()
    return red, green, blue


def axes_of(values: NDArray[np.generic]) -> Axes:
    return placed(np.zeros((*values.shape[:2], 3), np.uint8))[1]


def on_scale(body: Picture, axes: Axes, edges: tuple[float, float], value: float) -> Colour:
    """The colour beside `value` on the bar to the right of the picture."""
    share = (value - edges[0]) / (edges[1] - edges[0])
    return colour(body, axes.right + 20, axes.bottom - 1 - share * (axes.height - 1))


def bad(drawn: Drawn) -> str:
    return "; ".join(note.text for note in drawn.notes if note.bad)


def near(a: Colour, b: Colour) -> bool:
    return max(abs(x - y) for x, y in zip(a, b, strict=True)) <= 12


@pytest.mark.parametrize(("height", "width"), [(120, 160), (480, 640), (1080, 1920)])
def test_a_frame_is_the_right_way_up_with_its_pixels_on_the_axes(height: int, width: int) -> None:
    rgb = np.zeros((height, width, 3), np.uint8)
    #  red   | green
    #  ------+------     of the camera
    #  blue  | grey
    rgb[: height // 2, : width // 2] = RED
    rgb[: height // 2, width // 2 :] = GREEN
    rgb[height // 2 :, : width // 2] = BLUE
    rgb[height // 2 :, width // 2 :] = GREY
    drawn = frame(rgb)
    axes = axes_of(rgb)
    for x, y, expected in ((1, 1, RED), (3, 1, GREEN), (1, 3, BLUE), (3, 3, GREY)):
        at = axes.at_x(x * width / 4), axes.at_y(y * height / 4)
        assert colour(drawn.body, *map(float, at)) == expected
    assert colour(drawn.body, axes.left - 3, axes.top + 40) == PAPER
    assert bad(drawn) == ""


@pytest.mark.parametrize(
    ("level", "words"), [(0, "every pixel is the same"), (255, "every pixel is the same")]
)
def test_a_covered_camera_is_said(level: int, words: str) -> None:
    assert words in bad(frame(np.full((48, 64, 3), level, np.uint8)))


def test_dark_and_overexposed_frames_are_said() -> None:
    dark = np.zeros((48, 64, 3), np.uint8)
    dark[0, 0] = 9
    assert "nearly black" in bad(frame(dark))
    assert "nearly white" in bad(frame(255 - dark))


def test_depth_goes_from_red_to_blue_as_its_scale_says_and_holes_are_white() -> None:
    metres = np.tile(np.linspace(1, 5, 160, dtype=np.float32), (120, 1))
    metres[50:70, 70:90] = 0
    drawn, axes = depth(metres), axes_of(metres)
    for value in (1.5, 2.0, 3.5, 4.5):
        column = (value - 1) / 4 * 159
        pixel = colour(drawn.body, float(axes.at_x(column)), axes.top + 5)
        assert near(pixel, on_scale(drawn.body, axes, (1, 5), value))
    left, right = (colour(drawn.body, x, axes.top + 5) for x in (axes.left + 8, axes.right - 60))
    assert left[0] > left[2] + 50, "near is red"
    assert right[2] > right[0] + 50, "far is blue"
    hole = colour(drawn.body, float(axes.at_x(80)), float(axes.at_y(60)))
    assert hole == (255, 255, 255)
    assert "nearest 1.00 m, median 3.00 m, farthest 5.00 m; 2.1% without" in drawn.notes[0].text
    assert bad(drawn) == ""


def world(modality: Modality) -> NDArray[np.float32]:
    taken = data(1, Capture(modality, NS_PER_S, 1), 0, 200)
    assert isinstance(taken, np.ndarray)
    return taken


def swapped(values: NDArray[np.floating]) -> NDArray[np.uint16]:
    return np.asarray(values).astype(np.uint16).byteswap()


def test_depth_in_wrong_units_or_with_swapped_bytes_is_said() -> None:
    metres = np.tile(np.linspace(1, 5, 160, dtype=np.float32), (120, 1))
    sparse = metres * (np.arange(160) % 20 == 0).astype(np.float32)
    assert "millimetres" in bad(depth(metres * 1000))
    assert "scale" in bad(depth(metres * np.float32(1e-3)))
    assert "swapped" in bad(depth((swapped(metres * 1000) * 1e-3).astype(np.float32)))
    assert "no pixel has a return" in bad(depth(metres * 0))
    assert "same distance" in bad(depth(metres * 0 + 1))
    assert "hardly any" in bad(depth(sparse))


@pytest.mark.parametrize(
    ("name", "per_unit"),
    [
        ("metric3d_nyu/sync_depth_00000.png", 1e-3),
        ("metric3d_kitti/depth_0000000005.png", 1 / 256),
        ("slambook2/ch7_depth_1.png", 2e-4),
        ("open3d/TUM_depth.png", 2e-4),
    ],
)
def test_real_depth_is_good_and_with_swapped_bytes_bad(name: str, per_unit: float) -> None:
    stored = cv2.imread(str(shared(f"recordings/rgbd/{name}")), cv2.IMREAD_UNCHANGED)
    assert stored is not None
    assert bad(depth(stored * np.float32(per_unit))) == ""
    assert "swapped" in bad(depth(stored.byteswap() * np.float32(per_unit)))


def test_heat_has_degrees_and_marks_the_hottest_and_the_coldest_place() -> None:
    celsius = np.tile(np.linspace(15, 25, 160, dtype=np.float32), (120, 1))
    celsius[30, 40], celsius[90, 120] = 60, -10
    drawn, axes = heat(celsius), axes_of(celsius)
    for column in (10, 75, 150):
        pixel = colour(drawn.body, float(axes.at_x(column)), axes.top + 5)
        assert near(pixel, on_scale(drawn.body, axes, (15, 25), 15 + column / 15.9))
    for x, y in ((40, 30), (120, 90)):
        assert colour(drawn.body, float(axes.at_x(x)), float(axes.at_y(y))) == (255, 255, 255)
    assert drawn.notes[0].text == "coldest -10.0, median 20.0, hottest 60.0 degrees C"
    assert bad(drawn) == ""


def test_a_wall_of_one_temperature_is_not_blown_up_to_all_colours() -> None:
    rng = np.random.default_rng(1)
    wall = (20 + 0.02 * rng.standard_normal((120, 160))).astype(np.float32)
    drawn, axes = heat(wall), axes_of(wall)
    shown = drawn.body[axes.top + 4 : axes.top + 20, axes.left + 4 : axes.right - 4].reshape(-1, 3)
    assert np.ptp(shown, axis=0).max() < 60


def test_heat_in_wrong_units_is_said() -> None:
    celsius = world("thermal")
    assert bad(heat(celsius)) == ""
    assert "kelvin" in bad(heat(celsius + np.float32(273.15)))
    counts = (celsius + 273.15) * 100
    assert "counts" in bad(heat(counts.astype(np.float32)))
    assert "swapped" in bad(heat((swapped(counts) * 0.01 - 273.15).astype(np.float32)))
    assert "every pixel is the same" in bad(heat(celsius * 0))


def test_heat_without_temperatures_has_levels() -> None:
    levels = np.tile(np.arange(160, dtype=np.uint8), (120, 1))
    drawn, axes = heat(levels), axes_of(levels)
    pixel = colour(drawn.body, float(axes.at_x(100)), axes.top + 5)
    assert near(pixel, on_scale(drawn.body, axes, (0, 255), 100))
    assert "without temperatures" in drawn.notes[0].text


def test_radiometric_files_are_shown_in_degrees() -> None:
    flyr = pytest.importorskip("flyr")
    name = "03_Thermal_image_of_four_ducks_swimming.jpg"
    celsius = flyr.unpack(str(shared(f"recordings/thermal/flir_rjpeg/{name}"))).celsius
    assert bad(heat(celsius.astype(np.float32))) == ""


@settings(max_examples=40)
@given(
    arrays(
        np.float32, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.floats(width=32)
    )
)
def test_whatever_comes_is_drawn(values: NDArray[np.float32]) -> None:
    for drawn in (depth(values), heat(values)):
        page = sheet("name", "what", drawn)
        assert page.shape[1] == WIDTH + 2 * MARGIN


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 12))
def test_ticks_are_round_and_inside(low: float, span: float, most: int) -> None:
    found = ticks(low, low + span, most)
    assert len(found) <= most
    slack = 1e-9 * (abs(low) + span)
    assert all(low - slack <= value <= low + span + slack for value in found)
    steps = np.diff(found)
    if len(steps):
        mantissa = float(f"{steps[0]:.3e}".split("e")[0])
        assert mantissa == pytest.approx(round(mantissa), abs=0.01)
        assert round(mantissa) in (1, 2, 5)


def test_colours_are_what_they_are_called() -> None:
    assert NEAR_TO_FAR[20].argmax() == 0
    assert NEAR_TO_FAR[-40].argmax() == 2
    assert HEAT.astype(int).sum(axis=1)[[0, 128, 255]].tolist() == sorted(
        HEAT.astype(int).sum(axis=1)[[0, 128, 255]].tolist()
    )


def test_a_sheet_has_a_title_and_its_faults_in_red() -> None:
    body = np.full((40, WIDTH, 3), (0, 0, 255), np.uint8)
    page = sheet("cam", "vision", Drawn(body, (Note("fine"), Note("broken", bad=True))))
    height = len(page)
    reds = np.argwhere((page[:, :, 0] > 150) & (page[:, :, 1] < 90) & (page[:, :, 2] < 90))
    assert len(reds) > 20
    assert reds[:, 0].min() > height - 32, "in the last line"
    assert (page[:30] < 100).any(), "a title"
    both = side_by_side([page, page[:50], page], 2)
    assert both.shape == (50 + height, 2 * (WIDTH + 2 * MARGIN), 3)
