"""What the 16 bits of a thermal camera mean, and whether they can mean that. Pure."""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

COLDEST_C, HOTTEST_C = -60.0, 1000.0
"""Half of what a robot's camera sees is never colder or hotter than this."""


class Linear(BaseModel):
    """Counts of a camera whose calibration is known: Celsius = count * scale + offset."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scale: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    offset: FiniteFloat


Kelvins: TypeAlias = Literal["centikelvin", "decikelvin"]
Unit: TypeAlias = Kelvins | Literal["counts"] | Linear
"""`centikelvin`: 0.01 K (TLinear of a Lepton or Boson in high gain); `decikelvin`: 0.1 K (low
gain); `counts` of a camera that nobody has calibrated."""

_KELVINS: Mapping[Kelvins, Linear] = {
    "centikelvin": Linear(scale=0.01, offset=-273.15),
    "decikelvin": Linear(scale=0.1, offset=-273.15),
}


def linear(unit: Unit) -> Linear | None:
    """What makes degrees Celsius of a count; None if nothing is known to do so."""
    if isinstance(unit, Linear):
        return unit
    return None if unit == "counts" else _KELVINS[unit]


def implausible(raw: NDArray[np.uint16], unit: Unit) -> str | None:
    """Why a picture (H, W) cannot be of this unit, with what it could be; None if it can.

    A camera with TLinear off, or one gain for the other, is off by hundreds of degrees in all of
    the picture.
    """
    if _swapped(raw):
        return "the two bytes of each number are swapped: 16 bits with the low byte first expected"
    calibration = linear(unit)
    if calibration is None:
        return None
    count = int(np.median(raw[::4, ::4]))
    if _possible(count, calibration):
        return None
    named = "its scale and offset" if isinstance(unit, Linear) else unit
    said = f"the middle of the picture's numbers is {count}, {_celsius(count, calibration)} by "
    fits = [name for name, other in _KELVINS.items() if _possible(count, other)]
    return f"{said}{named}; it could be {', '.join(['counts', *fits])}"


def _swapped(raw: NDArray[np.uint16]) -> bool:
    """Is the picture smooth once its bytes are swapped, and far from it as it is?

    The values themselves do not tell: the low byte of centikelvin takes any value, and half of
    these are possible temperatures.
    """
    rows = raw[::4]
    other = rows.byteswap()
    # Numbers that are multiples of 256 are 8 bits in the upper byte, and in order.
    return int(other.max()) > 255 and _roughness(rows) > 16 * _roughness(other)


def _roughness(rows: NDArray[np.uint16]) -> int:
    """How much neighbours in a row differ, in all."""
    return int(np.abs(np.diff(rows.astype(np.int32), axis=1)).sum())


def _possible(count: int, calibration: Linear) -> bool:
    return COLDEST_C <= count * calibration.scale + calibration.offset <= HOTTEST_C


def _celsius(count: int, calibration: Linear) -> str:
    return f"{count * calibration.scale + calibration.offset:.0f} degrees Celsius"
