"""Inertial readings: resampling is a function of time stamps alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from encoders.imagebind.preprocess import imu
from streamer.errors import EncoderFailed
from streamer.types import Span
from tests.needs import shared

SECOND = 1_000_000_000
SPAN = Span(1_700_000_000 * SECOND, 1_700_000_005 * SECOND)
SLOPE = np.array([1.0, -2.0, 0.5, 30.0, -0.25, 4.0])
START = np.array([0.0, 9.81, -3.0, 1.0, 2.0, -5.0])

stamps = st.lists(st.integers(0, 5 * SECOND - 1), min_size=1, max_size=60).map(
    lambda ts: np.array(sorted(ts), np.int64) + SPAN.start_ns
)


def line(t_ns: NDArray[np.int64]) -> NDArray[np.float32]:
    seconds = (t_ns - SPAN.start_ns) / 1e9
    return (START + seconds[:, None] * SLOPE).astype(np.float32)


#   stamps    |.  ..   .      . ..    .|   uneven, some twice, with gaps
#   grid      | | | | | | | | | | | | |    uniform; edges hold
@settings(max_examples=80, deadline=None)
@given(t_ns=stamps)
def test_a_straight_line_stays_one_and_edges_hold(t_ns: NDArray[np.int64]) -> None:
    grid = imu.window(t_ns, line(t_ns), SPAN, steps=500).numpy()
    wanted_ns = SPAN.start_ns + np.arange(500) * (SPAN.length_ns // 500)
    inside = np.clip(wanted_ns, t_ns[0], t_ns[-1])
    expected = START + ((inside - SPAN.start_ns) / 1e9)[:, None] * SLOPE
    assert grid.shape == (6, 500)
    assert grid.dtype == np.float32
    assert np.allclose(grid, expected.T, rtol=1e-5, atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(t_ns=stamps, data=st.data())
def test_duplicates_order_and_the_hour_change_nothing(
    t_ns: NDArray[np.int64], data: st.DataObject
) -> None:
    t_ns = np.unique(t_ns)
    values = np.random.default_rng(t_ns.size).normal(size=(t_ns.size, 6)).astype(np.float32)
    expected = imu.window(t_ns, values, SPAN, steps=100)
    order = data.draw(st.permutations([*range(t_ns.size), *range(t_ns.size)]))
    assert torch.equal(imu.window(t_ns[order], values[order], SPAN, steps=100), expected)
    later = data.draw(st.integers(-(10**18), 10**18))
    moved = Span(SPAN.start_ns + later, SPAN.end_ns + later)
    assert torch.equal(imu.window(t_ns + later, values, moved, steps=100), expected)


@settings(max_examples=40, deadline=None)
@given(t_ns=stamps, factor=st.integers(2, 9))
def test_stretching_time_and_span_alike_changes_nothing(
    t_ns: NDArray[np.int64], factor: int
) -> None:
    values = np.random.default_rng(t_ns.size).normal(size=(t_ns.size, 6)).astype(np.float32)
    stretched_ns = SPAN.start_ns + (t_ns - SPAN.start_ns) * factor
    long = Span(SPAN.start_ns, SPAN.start_ns + SPAN.length_ns * factor)
    expected = imu.window(t_ns, values, SPAN, steps=100)
    assert torch.allclose(imu.window(stretched_ns, values, long, steps=100), expected, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(
        st.sampled_from([0.0, 1.0, -1e6, np.nan, np.inf, -np.inf]), min_size=6, max_size=120
    ),
    gravity=st.sampled_from(["keep", "remove"]),
)
def test_never_nan(values: list[float], gravity: str) -> None:
    readings = np.resize(np.array(values, np.float32), (len(values) // 6, 6))
    t_ns = SPAN.start_ns + np.arange(len(readings), dtype=np.int64) * 10_000_000
    options = imu.ImuInput.model_validate({"gravity": gravity})
    assert imu.window(t_ns, readings, SPAN, 50, options).isfinite().all()


def test_nothing_is_zeros() -> None:
    nothing = imu.window(np.zeros(0, np.int64), np.zeros((0, 6), np.float32), SPAN)
    assert torch.equal(nothing, torch.zeros(6, 2000))


STILL = np.array([[1.0, 2.0, 3.0, 0.1, 0.2, 0.3]], np.float32)
AT = np.array([SPAN.start_ns], np.int64)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [1, 2, 3, 0.1, 0.2, 0.3]),
        ({"axes": "-y x z"}, [-2, 1, 3, -0.2, 0.1, 0.3]),
        ({"axes": "z  -x -y"}, [3, -1, -2, 0.3, -0.1, -0.2]),
        ({"order": "gyroscope accelerometer"}, [0.1, 0.2, 0.3, 1, 2, 3]),
        ({"acceleration": "g"}, [0.101972, 0.203943, 0.305915, 0.1, 0.2, 0.3]),
        ({"rotation": "deg/s"}, [1, 2, 3, 5.729578, 11.459156, 17.188734]),
        ({"gravity": "remove"}, [0, 0, 0, 0.1, 0.2, 0.3]),
    ],
)
def test_each_option_by_hand(options: dict[str, str], expected: list[float]) -> None:
    chosen = imu.ImuInput.model_validate(options)
    grid = imu.window(AT, STILL, SPAN, 10, chosen)
    assert np.allclose(grid, np.array(expected)[:, None], rtol=1e-5)


@pytest.mark.parametrize("axes", ["x y", "x x z", "x y w", "x y z z", "", "--x y z"])
def test_axes_must_be_all_three(axes: str) -> None:
    with pytest.raises(ValidationError, match="expected x, y and z once each"):
        imu.ImuInput(axes=axes)


def test_stamps_and_readings_must_match() -> None:
    with pytest.raises(EncoderFailed, match=r"values \(n, 6\), got \(1,\), \(2, 6\)"):
        imu.window(AT, np.zeros((2, 6), np.float32), SPAN)


def test_a_walk_with_duplicate_stamps_keeps_its_gravity() -> None:
    path = shared("recordings/imu/ximu3_short_walk_400Hz.csv")
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    t_ns = SPAN.start_ns + (table[:, 0] * 1e9).astype(np.int64)
    assert (np.diff(t_ns) == 0).any()
    values = np.concatenate((table[:, 4:7] * 9.80665, np.deg2rad(table[:, 1:4])), axis=1)
    grid = imu.window(t_ns, values.astype(np.float32), SPAN).numpy()
    assert np.isfinite(grid).all()
    assert np.linalg.norm(grid[:3], axis=0).mean() == pytest.approx(9.8, abs=1.0)
