"""Brightness with a stable black level: laws of the slow gain, and real pictures."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sources.scaled import Scaled
from sources.thermal.levels import Level, follow, wanted
from tests.cptvfiles import as_the_library_reads, recording
from tests.needs import shared

FRAME_S = 0.114
COUNTS = st.floats(0, 65535)
LEAST = 10.0


@st.composite
def levels(draw: st.DrawFn) -> Level:
    black, white = sorted((draw(COUNTS), draw(COUNTS)))
    assume(white - black >= LEAST)
    return Level(black, white)


STEPS = st.floats(0, 100)
SETTLE = st.floats(1, 3600)


@settings(deadline=None)
@given(levels(), levels(), STEPS, SETTLE)
def test_no_step_moves_black_or_white_by_more_than_its_share_of_the_span(
    level: Level, target: Level, elapsed_s: float, settle_s: float
) -> None:
    after = follow(level, target, elapsed_s, settle_s)
    most = level.span * min(elapsed_s, 1) / settle_s * (1 + 1e-9) + 1e-9
    assert abs(after.black - level.black) <= most
    assert abs(after.white - level.white) <= most


@settings(deadline=None)
@given(levels(), levels(), STEPS, SETTLE)
def test_a_step_goes_towards_the_target_and_never_past_it(
    level: Level, target: Level, elapsed_s: float, settle_s: float
) -> None:
    after = follow(level, target, elapsed_s, settle_s)
    for before, now, aim in (
        (level.black, after.black, target.black),
        (level.white, after.white, target.white),
    ):
        low, high = sorted((before, aim))
        assert low - 1e-6 <= now <= high + 1e-6


@settings(deadline=None)
@given(levels(), st.lists(levels(), max_size=20), STEPS, SETTLE)
def test_black_stays_below_white_by_the_least_span(
    level: Level, targets: list[Level], elapsed_s: float, settle_s: float
) -> None:
    for target in targets:
        level = follow(level, target, elapsed_s, settle_s)
        assert level.span >= LEAST * (1 - 1e-9)


@settings(deadline=None)
@given(levels(), STEPS, SETTLE)
def test_a_level_that_suits_stays_exactly(level: Level, elapsed_s: float, settle_s: float) -> None:
    assert follow(level, level, elapsed_s, settle_s) == level


@settings(max_examples=30, deadline=None)
@given(levels(), st.floats(-20, 20), st.floats(0.1, 10))
def test_it_arrives(level: Level, spans_away: float, times_as_wide: float) -> None:
    black = level.black + spans_away * level.span
    target = Level(black, black + times_as_wide * level.span)
    # A settling time for each span that it is away, then exponentially.
    for _ in range(1200):
        level = follow(level, target, 0.5, 10.0)
    assert level.black == pytest.approx(target.black, abs=0.01 * target.span)
    assert level.white == pytest.approx(target.white, abs=0.01 * target.span)


@settings(deadline=None)
@given(st.lists(st.integers(0, 65535), min_size=4, max_size=64), levels())
def test_hotter_is_never_darker(numbers: list[int], level: Level) -> None:
    raw = np.sort(np.array([numbers], np.uint16))
    grey = brightness(raw, level)
    assert grey.dtype == np.uint8
    assert np.all(np.diff(grey.astype(int)) >= 0)
    assert np.all(grey[raw <= level.black] == 0)
    assert np.all(grey[raw >= level.white] == 255)


@settings(deadline=None)
@given(st.integers(0, 65535), st.floats(0.1, 1000))
def test_an_even_scene_is_the_middle_of_the_least_span(value: int, least_span: float) -> None:
    level = wanted(np.full((12, 16), value), least_span)
    assert level.span == pytest.approx(least_span)
    assert (level.black + level.white) / 2 == pytest.approx(value, abs=1e-6)


def brightness(raw: NDArray[np.uint16], level: Level) -> NDArray[np.uint8]:
    scaled = Scaled(raw, 255 / level.span, -level.black * 255 / level.span, grey=True).array()
    assert scaled.dtype == np.uint8
    return scaled.astype(np.uint8)


def test_something_hot_for_one_frame_leaves_the_rest_of_a_real_picture_as_it_is() -> None:
    frames = as_the_library_reads(recording("possum"))[:40]
    hot = [frame.copy() for frame in frames]
    hot[20][30:90, 40:120] = 9000  # a quarter of the picture, ten spans hotter

    def played(pictures: list[NDArray[np.uint16]]) -> list[NDArray[np.uint8]]:
        level = wanted(pictures[0], 100)
        shown: list[NDArray[np.uint8]] = []
        for picture in pictures:
            level = follow(level, wanted(picture, 100), FRAME_S, 30)
            shown.append(brightness(picture, level))
        return shown

    outside = np.ones((120, 160), bool)
    outside[30:90, 40:120] = False
    for calm, disturbed in zip(played(frames), played(hot), strict=True):
        moved = np.abs(calm.astype(int) - disturbed.astype(int))[outside]
        assert moved.max() <= 2  # of 255; a stretch of each picture moves it by more than 100

    stretched = brightness(hot[20], wanted(hot[20], 100)).astype(int)
    assert np.abs(stretched - played(frames)[20])[outside].max() > 100


def test_a_real_night_keeps_its_contrast() -> None:
    frames = as_the_library_reads(recording("possum"))
    level = wanted(frames[0], 100)
    for frame in frames:
        level = follow(level, wanted(frame, 100), FRAME_S, 30)
        grey = brightness(frame, level)
        assert grey.std() > 20
        assert np.mean((grey > 0) & (grey < 255)) > 0.9


def test_a_large_picture_is_looked_at_in_part_and_gives_the_same_level() -> None:
    import cv2

    path = shared("recordings/thermal/llvip/010001_ir.jpg")
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    assert picture.size > 1_000_000
    level = wanted(picture, 1)
    low, high = np.percentile(picture, [1, 99])
    assert math.isclose(level.black, low, abs_tol=2)
    assert math.isclose(level.white, high, abs_tol=4)
