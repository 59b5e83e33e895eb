"""Curves of which a motion is made: functions of time, given by their values on knots.

A curve is the uniform cubic B-spline whose control points are those values. It rounds off what is
faster than a few knots, and has exact and continuous second derivatives whatever was put in.
"""

import numpy as np
from numpy.typing import NDArray

SCENE_S = 8.0
KNOT_HZ = 100
# A cubic spline needs one knot before the scene and one after it.
KNOTS_S: NDArray[np.float64] = np.arange(-1, int(SCENE_S * KNOT_HZ) + 2) / KNOT_HZ


def spline(
    knots: NDArray[np.float64], t_s: NDArray[np.float64], derivative: int
) -> NDArray[np.float64]:
    """Curves (803, columns) or their first or second derivative at t (n,): (n, columns).

    Outside the scene the time is held at its nearer end.
    """
    steps = np.clip(t_s, 0.0, SCENE_S) * KNOT_HZ
    first = np.minimum(steps.astype(np.intp), knots.shape[0] - 4)
    u = steps - first
    v = 1 - u
    match derivative:
        case 0:
            middle = ((3 * u - 6) * u * u + 4) / 6, ((3 * v - 6) * v * v + 4) / 6
            weights = (v * v * v / 6, *middle, u * u * u / 6)
        case 1:
            weights = (-v * v / 2, (1.5 * u - 2) * u, (2 - 1.5 * v) * v, u * u / 2)
        case 2:
            weights = (v, 3 * u - 2, 3 * v - 2, u)
        case _:
            raise ValueError(f"derivative: expected 0, 1 or 2, got {derivative}")
    value = weights[0][:, None] * knots[first]
    for k in (1, 2, 3):
        value += weights[k][:, None] * knots[first + k]
    return value * float(KNOT_HZ) ** derivative


def sway(
    rng: np.random.Generator, rms: float, low_hz: float, high_hz: float
) -> NDArray[np.float64]:
    """Band-limited noise over the knots, about `rms` strong: a sum of six sinusoids."""
    hz = np.exp(rng.uniform(np.log(low_hz), np.log(high_hz), 6))
    weights = rng.uniform(0.3, 1.0, 6)
    weights *= rms * np.sqrt(2 / np.sum(weights**2))
    return np.sin(2 * np.pi * hz * KNOTS_S[:, None] + rng.uniform(0, 2 * np.pi, 6)) @ weights


def rings(
    at_s: NDArray[np.float64], velocity: NDArray[np.float64], hz: float, decay_s: float
) -> NDArray[np.float64]:
    """Jolts: a sudden velocity at each time, springing back as a damped oscillation."""
    since = np.maximum(KNOTS_S[:, None] - at_s, 0.0)
    w = 2 * np.pi * hz
    return (np.exp(-since / decay_s) * np.sin(w * since)) @ (velocity / w)


def integral(rate: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of a rate over the knots, zero at t = 0 (the second knot)."""
    steps = (rate[1:] + rate[:-1]) / (2 * KNOT_HZ)
    value = np.concatenate([[0.0], np.cumsum(steps)])
    return value - value[1]


def smooth(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """From 0 at x <= 0 to 1 at x >= 1 with two continuous derivatives."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * x * (10 + x * (6 * x - 15))
