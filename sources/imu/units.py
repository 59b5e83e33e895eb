"""Units of inertial readings, and what makes m/s^2 and rad/s of them. Pure."""

from decimal import Decimal, InvalidOperation
from math import pi
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

STANDARD_GRAVITY = 9.80665

AccelUnit: TypeAlias = Literal["m/s^2", "g", "mg"]
GyroUnit: TypeAlias = Literal["rad/s", "deg/s", "mdeg/s"]
TimeUnit: TypeAlias = Literal["s", "ms", "us", "ns"]

_ACCEL_SCALES: dict[AccelUnit, float] = {
    "m/s^2": 1.0,
    "g": STANDARD_GRAVITY,
    "mg": STANDARD_GRAVITY / 1000,
}
_GYRO_SCALES: dict[GyroUnit, float] = {"rad/s": 1.0, "deg/s": pi / 180, "mdeg/s": pi / 180_000}
TIME_EXPONENTS: dict[TimeUnit, int] = {"s": 9, "ms": 6, "us": 3, "ns": 0}


_FURTHEST_NS = 1 << 62
"""Beyond what a difference of two times in 64 bits can hold."""


def scales(accel: AccelUnit, gyro: GyroUnit) -> NDArray[np.float64]:
    """What to multiply a reading (6,) with: acceleration x y z, angular rate x y z."""
    return np.array([_ACCEL_SCALES[accel]] * 3 + [_GYRO_SCALES[gyro]] * 3)


def exact_ns(cell: str, unit: TimeUnit) -> int:
    """Nanoseconds, exactly: a float64 cannot tell the nanoseconds of this century apart.

    Raises ValueError for what is no number, or one beyond 2^62 ns (146 years).
    """
    exponent = TIME_EXPONENTS[unit]
    try:
        time = Decimal(cell.strip())
    except InvalidOperation:
        raise ValueError(f"a number was expected, {cell[:40]!r} came") from None
    # The exponent is looked at first: a cell like 1e999999999 would become a number of gigabytes.
    if not time.is_finite() or time.adjusted() + exponent > 18:
        raise ValueError(f"a number was expected, {cell[:40]!r} came")
    time_ns = int(time.scaleb(exponent))
    if abs(time_ns) >= _FURTHEST_NS:
        raise ValueError(f"a time was expected, {cell[:40]!r} came")
    return time_ns
