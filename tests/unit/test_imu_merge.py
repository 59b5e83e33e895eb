"""Acceleration at the instants of the angular rate, live."""

from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.imu.merge import AccelAtGyro

MS = 1_000_000

LAWS = settings(deadline=None)  # a busy machine is no error of the code


def at(t_ms: float) -> tuple[int, np.ndarray]:
    """Acceleration on a straight line: x is the time in seconds."""
    return round(t_ms * MS), np.array([t_ms / 1000, 0, 9.8])


@LAWS
@given(st.integers(2, 9), st.integers(2, 9), st.randoms())
def test_a_straight_line_stays_one_however_the_two_interleave(
    accel_ms: int, gyro_ms: int, random: Random
) -> None:
    merge = AccelAtGyro()
    joined: list[tuple[int, np.ndarray]] = []
    accels, gyros = list(range(0, 200, accel_ms)), list(range(0, 200, gyro_ms))
    pushed = list(gyros)
    while accels or gyros:
        if accels and (not gyros or random.random() < 0.5):
            merge.accel(*at(accels.pop(0)))
        else:
            t_ms = gyros.pop(0)
            merge.gyro(t_ms * MS, np.array([t_ms, 0.0, 0.0]))
        joined += merge.ready()

    assert merge.lost == 0
    assert [t for t, _ in joined] == [t * MS for t in pushed][: len(joined)]
    assert len(joined) >= len(pushed) - accel_ms // gyro_ms - 1
    for t_ns, values in joined:
        np.testing.assert_allclose(values, [t_ns / 1e9, 0, 9.8, t_ns / MS, 0, 0], atol=1e-9)


def test_nothing_is_made_up_before_the_first_or_in_a_hole() -> None:
    """
    accel      |    |              |    |     none for 0.5 s
    gyro     x |    |      x       |
    """
    merge = AccelAtGyro()
    for t_ms in (-1, 0, 5, 250, 505):
        merge.gyro(t_ms * MS, np.zeros(3))
    for t_ms in (0, 5, 505, 510):
        merge.accel(*at(t_ms))

    assert [t for t, _ in merge.ready()] == [0, 5 * MS, 505 * MS]
    assert merge.lost == 2


def test_a_silent_accelerometer_makes_nobody_hoard() -> None:
    merge = AccelAtGyro()
    for number in range(10_000):
        merge.gyro(number, np.zeros(3))
    assert merge.ready() == []
    assert merge.lost == 10_000 - 4096
