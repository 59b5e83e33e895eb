"""Which readings of depth and motion are candidates, and in which order they are compared."""

from collections.abc import Callable, Collection, Sequence
from itertools import permutations, product
from typing import Any, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from encoders.imagebind.preprocess.depth import DepthInput
from encoders.imagebind.preprocess.imu import ImuInput
from encoders.matching import Compared, Groups, compare

LENGTHS_S = (5.0, 10.0)
"""What an IMU window of the released weights may last: the paper's clips, IMU2CLIP's windows."""
LENGTH = "length_s"
_UNITS = ("order", "acceleration", "rotation", "gravity")

ReadImu: TypeAlias = Callable[[ImuInput, float], NDArray[np.float32]]
"""Vectors (n, D) of the moments' windows of this many seconds, read in this way."""


def presets(given: DepthInput) -> tuple[str, ...]:
    """The presets to compare: all, or the one that the configuration sets."""
    return _values(given, "preset")


def choose_imu(
    pictures: NDArray[Any],
    read: ReadImu,
    groups: Groups,
    given: ImuInput,
    lengths_s: Sequence[float],
    seed: int,
) -> tuple[Compared, ...]:
    """Compare durations, order, units and gravity; then axes, under the best of those.

    All at once would be a thousand readings. When other axes than the given ones are found, the
    rest is compared again under them. What `given` sets explicitly is not varied.
    """
    names = [LENGTH, *_UNITS]
    every = product([str(s) for s in lengths_s], *(_values(given, name) for name in _UNITS))
    readings = [dict(zip(names, values, strict=True)) for values in every]

    def compared(varied: Sequence[dict[str, str]]) -> Compared:
        read_as = [(each, read(_input(each), float(each[LENGTH]))) for each in varied]
        return compare(pictures, read_as, groups, seed)

    first = compared([{**each, "axes": given.axes} for each in readings])
    if "axes" in given.model_fields_set:
        return (first,)
    best = first.candidates[int(first.matched.agreements.argmax())]
    turned = compared([{**best, "axes": axes} for axes in right_handed()])
    axes = turned.decided.get("axes", given.axes)
    if axes == given.axes:
        return first, turned
    return compared([{**each, "axes": axes} for each in readings]), turned


def right_handed() -> tuple[str, ...]:
    """The 24 ways to name axes that turn a sensor and do not mirror it; as it is comes first."""
    turns: list[str] = []
    for order, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
        if np.linalg.det(np.eye(3)[list(order)] * np.array(signs)[:, None]) > 0:
            names = ("-" * (sign < 0) + "xyz"[i] for i, sign in zip(order, signs, strict=True))
            turns.append(" ".join(names))
    return tuple(turns)


def decided(compared: Collection[Compared]) -> dict[str, str]:
    """What all comparisons together decided, by setting."""
    return {name: value for each in compared for name, value in each.decided.items()}


def _values(given: DepthInput | ImuInput, name: str) -> tuple[str, ...]:
    if name in given.model_fields_set:
        return (getattr(given, name),)
    return get_args(type(given).model_fields[name].annotation)


def _input(reading: dict[str, str]) -> ImuInput:
    return ImuInput.model_validate({k: v for k, v in reading.items() if k != LENGTH})
