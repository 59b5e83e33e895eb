"""What the configuration says of a topic of a log, where the log does not say it or is wrong."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from sources.imu.units import AccelUnit, GyroUnit
from sources.thermal.units import Linear
from streamer.types import Modality

_CONFIG = ConfigDict(extra="forbid", frozen=True)

SoundFormat: TypeAlias = Literal["s8", "u8", "s16", "s24", "s32", "f32", "f64"]
StampOf: TypeAlias = Literal["header", "log"]

Rate: TypeAlias = Annotated[float, Field(gt=0, le=100_000)]


class SoundAs(BaseModel):
    """What bytes of sound are: numbers with the low byte first, channels side by side."""

    model_config = _CONFIG

    format: SoundFormat = "s16"
    rate_hz: Annotated[int, Field(ge=1000, le=768_000)]
    channels: Annotated[int, Field(ge=1, le=64)] = 1


class TopicAs(BaseModel):
    """How a topic of a log is taken. What is not given comes from the log.

    `metres_per_unit` of depth, `celsius` = number * scale + offset of heat, units of inertial
    readings, `rate_hz` for how long a picture stands, `stamp` whether messages are dated by their
    header or by the log.
    """

    model_config = _CONFIG

    topic: str
    leave_out: bool = False
    stream: str | None = None
    modality: Modality | None = None
    metres_per_unit: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    celsius: Linear | None = None
    accel_unit: AccelUnit = "m/s^2"
    gyro_unit: GyroUnit = "rad/s"
    stamp: StampOf | None = None
    rate_hz: Rate | None = None
    audio: SoundAs | None = None
