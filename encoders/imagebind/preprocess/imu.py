"""Inertial readings for the IMU tower: a uniform grid over the window's span.

The rate, order and units of the released weights are unpublished. The defaults are the most likely
(Ego4D, IMU2CLIP): accelerometer then gyroscope, x y z, m/s^2 with gravity and rad/s, not
normalised, 2000 steps over the window (5 s). Whoever knows better sets `ImuInput`.
"""

from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict
from torch import Tensor

from streamer.errors import EncoderFailed
from streamer.types import Span

STANDARD_GRAVITY = 9.80665


def _axes(text: str) -> str:
    names = text.split()
    if sorted(name.removeprefix("-") for name in names) != ["x", "y", "z"]:
        raise ValueError(f'expected x, y and z once each, such as "-y x z", got "{text}"')
    return " ".join(names)


class ImuInput(BaseModel):
    """What the model expects, from readings in SI units with gravity.

    `axes` names, for the model's x, y and z in turn, the sensor's axis to take, with a minus to
    turn it round; accelerometer and gyroscope alike. `gravity: remove` takes off the window's mean
    acceleration, which is gravity as long as the sensor keeps its attitude during the window.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    axes: Annotated[str, AfterValidator(_axes)] = "x y z"
    order: Literal["accelerometer gyroscope", "gyroscope accelerometer"] = "accelerometer gyroscope"
    acceleration: Literal["m/s^2", "g"] = "m/s^2"
    rotation: Literal["rad/s", "deg/s"] = "rad/s"
    gravity: Literal["keep", "remove"] = "keep"


def window(
    t_ns: NDArray[np.int64],
    values: NDArray[np.float32],
    span: Span,
    steps: int = 2000,
    options: ImuInput | None = None,
) -> Tensor:
    """Readings as the IMU tower takes them: (6, steps).

    `t_ns` (n,) and `values` (n, 6) as in `ImuBlock`. Empty input gives zeros.
    """
    options = options or ImuInput()
    grid = resample(t_ns, values, span, steps)
    acceleration, rotation = _turn(grid[:3], options.axes), _turn(grid[3:], options.axes)
    if options.gravity == "remove":
        acceleration = acceleration - acceleration.mean(axis=1, keepdims=True)
    if options.acceleration == "g":
        acceleration = acceleration / STANDARD_GRAVITY
    if options.rotation == "deg/s":
        rotation = np.rad2deg(rotation)
    pair = (acceleration, rotation)
    ordered = pair if options.order == "accelerometer gyroscope" else pair[::-1]
    return torch.from_numpy(np.concatenate(ordered).astype(np.float32))


def resample(
    t_ns: NDArray[np.int64], values: NDArray[np.float32], span: Span, steps: int
) -> NDArray[np.float64]:
    """Linear interpolation at `steps` instants from the start of the span on: (6, steps).

    By time stamp, never by counting: buses deliver late, twice, or not at all. Readings with one
    stamp are averaged, gaps bridged by a straight line, edges held; order does not matter.
    Readings that are not finite are left out.
    """
    if t_ns.ndim != 1 or values.shape != (t_ns.size, 6):
        raise EncoderFailed(
            f"imu: expected stamps (n,) and values (n, 6), got {t_ns.shape}, {values.shape}"
        )
    finite = np.isfinite(values).all(axis=1)
    # Before floats come in: nanoseconds since 1970 do not fit a double.
    since_ns = t_ns[finite] - span.start_ns
    if since_ns.size == 0:
        return np.zeros((6, steps))
    at, group = np.unique(since_ns, return_inverse=True)
    count = np.bincount(group)
    wanted = np.arange(steps) * (span.length_ns / steps)
    readings = values[finite].astype(np.float64)
    return np.stack(
        [np.interp(wanted, at, np.bincount(group, readings[:, i]) / count) for i in range(6)]
    )


def _turn(triple: NDArray[np.float64], axes: str) -> NDArray[np.float64]:
    rows = ["xyz".index(name[-1]) for name in axes.split()]
    signs = [-1.0 if name.startswith("-") else 1.0 for name in axes.split()]
    return triple[rows] * np.array(signs)[:, None]
