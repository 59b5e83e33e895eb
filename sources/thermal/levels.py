"""Numbers to brightness with a stable black level: a fixed span, or one that follows slowly. Pure.

A stretch of each picture by itself would make a passing car darken the street behind it, and the
thermal tower cannot divide an offset out. So the level moves by a small part of its span from one
picture to the next, whatever comes into view.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

_LOW, _HIGH = 1, 99
"""Percentiles that become black and white: a dead pixel or a far lamp moves neither."""
_PIXELS = 20_000
_LONGEST_STEP_S = 1.0


class FixedLevel(BaseModel):
    """`black` and `white` in degrees Celsius, or in counts where there are no degrees."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["fixed"] = "fixed"
    black: FiniteFloat
    white: FiniteFloat

    @model_validator(mode="after")
    def _ordered(self) -> "FixedLevel":
        if not self.black < self.white:
            raise ValueError(f"black must be below white, got {self.black} and {self.white}")
        return self


class SlowLevel(BaseModel):
    """Follows the coldest and hottest hundredth of the picture with a time constant.

    `least_span` keeps an even scene from being stretched to noise; in degrees Celsius (5 unless
    given), or in counts where there are no degrees (100 unless given).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["slow"] = "slow"
    settle_s: Annotated[float, Field(ge=1, le=3600)] = 30.0
    least_span: Annotated[float, Field(gt=0, le=65535)] | None = None


LevelConfig: TypeAlias = Annotated[FixedLevel | SlowLevel, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True)
class Level:
    """The values that are black and white; black is below white."""

    black: float
    white: float

    @property
    def span(self) -> float:
        return self.white - self.black


def wanted(values: NDArray[np.number], least_span: float) -> Level:
    """The level that suits one picture (H, W): its percentiles, at least `least_span` apart."""
    every = max(1, math.isqrt(values.size // _PIXELS))
    low, high = np.percentile(values[::every, ::every], [_LOW, _HIGH])
    widen = max(0.0, least_span - float(high - low)) / 2
    return Level(float(low) - widen, float(high) + widen)


def follow(level: Level, target: Level, elapsed_s: float, settle_s: float) -> Level:
    """The level after `elapsed_s`, on its way to the target.

    Exponential with the time constant `settle_s`; what is further away than one span counts as one
    span away, so that no picture moves black or white by more than elapsed / settle of the span.
    """
    share = -math.expm1(-min(elapsed_s, _LONGEST_STEP_S) / settle_s)

    def towards(now: float, then: float) -> float:
        return now + share * min(max(then - now, -level.span), level.span)

    return Level(towards(level.black, target.black), towards(level.white, target.white))
