"""What the numbers of a picture mean: depth, temperature, colour. Pure functions of one picture.

Depth files are told apart by nobody: a wrong guess is off by a factor of 5 or worse, so the
encoding is always declared.
"""

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from sources.flir import NotRadiometric, celsius
from streamer.types import Modality

Picture: TypeAlias = NDArray[Any]
"""A picture as stored, in OpenCV's order: (H, W) or (H, W, channels) with blue first."""


class WrongPicture(ValueError):
    """The picture cannot be of the declared encoding; says what was expected and what came."""


_CONFIG = ConfigDict(extra="forbid", frozen=True)


class Colour(BaseModel):
    """8-bit colour or grey. Gives uint8 (H, W, 3) RGB."""

    model_config = _CONFIG

    kind: Literal["colour"] = "colour"
    modality: ClassVar[Modality] = "vision"

    def decode(self, picture: Picture) -> NDArray[np.uint8]:
        if picture.dtype != np.uint8:
            raise WrongPicture(f"an 8-bit picture was expected, {_shape(picture)} came")
        if picture.ndim == 2:
            return np.repeat(picture[:, :, None], 3, axis=2)
        return np.ascontiguousarray(picture[:, :, 2::-1])


class Depth(BaseModel):
    """Depth proportional to the number: 0.001 for millimetres, 0.0002 for 1/5000 m (TUM),
    0.00390625 for 1/256 m (KITTI). Gives float32 (H, W) metres, 0 = no return.

    Without `metres_per_unit`, as ROS has it (REP 118): 16-bit numbers are millimetres, floating
    point is metres, and what is not finite or not above 0 is no return.
    """

    model_config = _CONFIG

    kind: Literal["depth"] = "depth"
    modality: ClassVar[Modality] = "depth"
    metres_per_unit: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    invalid: int | None = None
    """A number that means no return, besides 0; often 65535."""

    def decode(self, picture: Picture) -> NDArray[np.float32]:
        if self.metres_per_unit is None and picture.dtype.kind == "f":
            return _metres(_one_channel(picture))
        raw = _one_channel_16(picture)
        metres = (raw * (self.metres_per_unit or 0.001)).astype(np.float32)
        if self.invalid is not None:
            metres[raw == self.invalid] = 0
        return metres


class SunDepth(BaseModel):
    """SUN RGB-D: millimetres rotated left by three bits. Gives float32 (H, W) metres."""

    model_config = _CONFIG

    kind: Literal["sun"] = "sun"
    modality: ClassVar[Modality] = "depth"

    def decode(self, picture: Picture) -> NDArray[np.float32]:
        raw = _one_channel_16(picture)
        return (((raw >> 3) | (raw << 13)) * 0.001).astype(np.float32)


class KinectDisparity(BaseModel):
    """Raw Kinect disparity with its bytes swapped, as in the raw NYU Depth V2 recordings.

    Metres = 351.3 / (1092.5 - disparity), up to 10 m: the calibration of the NYU toolbox. Larger
    disparities, 2047 among them, are no return. Gives float32 (H, W) metres, 0 = no return.
    """

    model_config = _CONFIG

    kind: Literal["kinect_disparity"] = "kinect_disparity"
    modality: ClassVar[Modality] = "depth"

    def decode(self, picture: Picture) -> NDArray[np.float32]:
        disparity = _one_channel_16(picture).byteswap().astype(np.float64)
        seen = disparity < 1092.5 - 351.3 / 10
        metres = np.zeros(picture.shape, np.float32)
        metres[seen] = 351.3 / (1092.5 - disparity[seen])
        return metres


class Centikelvin(BaseModel):
    """Hundredths of a kelvin in 16 bits (FLIR Lepton, TLinear). Gives float32 (H, W) Celsius."""

    model_config = _CONFIG

    kind: Literal["centikelvin"] = "centikelvin"
    modality: ClassVar[Modality] = "thermal"

    def decode(self, picture: Picture) -> NDArray[np.float32]:
        return (_one_channel_16(picture) * 0.01 - 273.15).astype(np.float32)


class ThermalCounts(BaseModel):
    """Counts of a camera whose calibration is known: Celsius = counts * scale + offset."""

    model_config = _CONFIG

    kind: Literal["thermal_counts"] = "thermal_counts"
    modality: ClassVar[Modality] = "thermal"
    scale: float = Field(allow_inf_nan=False)
    offset: float = Field(allow_inf_nan=False)

    def decode(self, picture: Picture) -> NDArray[np.float32]:
        return (_one_channel_16(picture) * self.scale + self.offset).astype(np.float32)


class ThermalPicture(BaseModel):
    """An 8-bit grey picture, white hot, without temperatures: gives uint8 (H, W). Floating point
    is degrees Celsius: gives float32 (H, W)."""

    model_config = _CONFIG

    kind: Literal["thermal_picture"] = "thermal_picture"
    modality: ClassVar[Modality] = "thermal"

    def decode(self, picture: Picture) -> NDArray[np.uint8] | NDArray[np.float32]:
        if picture.dtype.kind == "f":
            celsius = _one_channel(picture).astype(np.float32)
            if not np.isfinite(celsius).all():
                raise WrongPicture("degrees Celsius were expected, some are not finite")
            return celsius
        if picture.dtype != np.uint8:
            raise WrongPicture(f"an 8-bit picture was expected, {_shape(picture)} came")
        if picture.ndim == 2:
            return picture
        channels = picture[:, :, :3].astype(np.int16)
        # Grey stored as colour may differ by the rounding of its compression; a palette does not.
        if np.abs(channels - channels[:, :, 1:2]).max() > 8:
            raise WrongPicture("a grey picture was expected, one in colours came")
        return np.ascontiguousarray(picture[:, :, 1])


class FlirJpeg(BaseModel):
    """A FLIR radiometric JPEG: the temperatures in it, not the picture. Gives float32 (H, W)
    Celsius. Takes the file: it is the only encoding that is more than an array of numbers."""

    model_config = _CONFIG

    kind: Literal["flir_jpeg"] = "flir_jpeg"
    modality: ClassVar[Modality] = "thermal"

    def unpack(self, file: bytes) -> NDArray[np.float32]:
        try:
            return celsius(file)
        except ImportError:
            raise WrongPicture("needs flyr: install imagebind-streamer[thermal-files]") from None
        except NotRadiometric as error:
            raise WrongPicture(f"a FLIR radiometric JPEG was expected, {error}") from None


Encoding: TypeAlias = Annotated[
    Colour
    | Depth
    | SunDepth
    | KinectDisparity
    | Centikelvin
    | ThermalCounts
    | ThermalPicture
    | FlirJpeg,
    Field(discriminator="kind"),
]


def _one_channel(picture: Picture) -> Picture:
    if picture.ndim != 2:
        raise WrongPicture(f"one channel was expected, {_shape(picture)} came")
    return picture


def _metres(metres: Picture) -> NDArray[np.float32]:
    """As float32; no return where a number is none, not finite even as float32, or not above 0."""
    with np.errstate(over="ignore"):
        narrow = metres.astype(np.float32)
    return np.where(np.isfinite(narrow) & (narrow > 0), narrow, np.float32(0))


def _one_channel_16(picture: Picture) -> NDArray[np.uint16]:
    if picture.dtype != np.uint16 or picture.ndim != 2:
        raise WrongPicture(f"one channel of 16 bits was expected, {_shape(picture)} came")
    return picture


def _shape(picture: Picture) -> str:
    return f"{picture.dtype} {'x'.join(map(str, picture.shape))}"
