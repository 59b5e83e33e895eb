"""Inertial readings in messages. Pure."""

import math
from typing import Any, cast

from sources.replay.messages.ros import Fields
from sources.sixaxes import Axes


def acceleration(fields: Fields) -> Axes:
    """As the message has it: m/s^2 where the sender keeps to REP 145. Raises ValueError."""
    return _axes(fields.get("linear_acceleration"))


def rate(fields: Fields) -> Axes:
    """As the message has it: rad/s where the sender keeps to REP 145. Raises ValueError."""
    return _axes(fields.get("angular_velocity"))


def lacks(fields: Fields, quantity: str) -> bool:
    """Its covariance begins with -1: the sender does not measure it."""
    told: Any = fields.get(f"{quantity}_covariance")
    try:
        return told is not None and len(told) > 0 and float(told[0]) == -1
    except (TypeError, ValueError, KeyError):
        return False


def _axes(told: Any) -> Axes:
    if not isinstance(told, dict):
        raise ValueError("a vector expected")
    vector = cast("Fields", told)
    x, y, z = (vector.get(axis, 0.0) for axis in "xyz")
    if not all(isinstance(v, int | float) for v in (x, y, z)):
        raise ValueError("numbers expected")
    try:
        axes = float(x), float(y), float(z)
    except OverflowError:
        raise ValueError("numbers that are too large") from None
    if not all(math.isfinite(v) and abs(v) < 1e30 for v in axes):
        raise ValueError("readings that are not finite")
    return axes
