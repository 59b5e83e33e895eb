"""A file of calibration: what was chosen for a model's inputs, and fitted for its probabilities.

`streamer calibrate` writes one and `encoder.calibration` names it. It holds for one model, told by
its hash, and its probabilities for one label set.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from encoders.calibration import Calibration
from encoders.imagebind.preprocess.depth import DepthInput
from encoders.imagebind.preprocess.imu import ImuInput
from encoders.imagebind.preprocess.thermal import ThermalInput
from streamer.errors import ConfigError
from streamer.types import Modality

LARGEST_FILE = 64 << 10

InputT = TypeVar("InputT", bound=BaseModel)


class Conventions(BaseModel):
    """How inputs are read. Only the fields that a file names are taken from it.

    `length_s`: seconds of a modality's windows.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    depth: DepthInput = Field(default_factory=DepthInput)
    thermal: ThermalInput = Field(default_factory=ThermalInput)
    imu: ImuInput = Field(default_factory=ImuInput)
    length_s: Mapping[Modality, Annotated[float, Field(ge=0.001, le=3600)]] = Field(
        default_factory=dict[Modality, float]
    )


class Calibrated(BaseModel):
    """What such a file says. `model_hash` is `ImageBind.hash`, `model` its name for people."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    model: Annotated[str, Field(max_length=200)]
    model_hash: Annotated[str, Field(pattern="^[0-9a-f]{16,128}$")]
    conventions: Conventions = Field(default_factory=Conventions)
    labels: Calibration | None = None

    def yaml(self) -> str:
        """The text of the file, after a line that says what it is."""
        said = self.model_dump(mode="json", exclude_unset=True, exclude_none=True)
        return "# Made by streamer calibrate; encoder.calibration names it.\n" + yaml.safe_dump(
            {"version": 1, **said}, sort_keys=False
        )

    def check_model(self, file: str, name: str, digest: str) -> None:
        """Raises `ConfigError` when the model in use is not the one it was made for."""
        if digest != self.model_hash:
            raise ConfigError(
                f"encoder.calibration: {file}: expected one made for this model"
                f" ({name} {digest[:12]}), it was made for {self.model} {self.model_hash[:12]}"
            )


def read_calibrated(file: str) -> Calibrated:
    """What the file says. Raises `ConfigError`, one line."""
    where, path = f"encoder.calibration: {file}", Path(file)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ConfigError(f"{where}: expected at most {LARGEST_FILE} bytes")
        tree: object = yaml.safe_load(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(f"{where}: expected a file of calibration ({why})") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = " ".join(str(error).split())[:200]
        raise ConfigError(f"{where}: not YAML: {why}") from None
    try:
        return Calibrated.model_validate(tree)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        # A key can be any text, with line breaks in it too.
        at = repr("".join(f"{part}: " for part in problem["loc"]))[1:-1][:200]
        raise ConfigError(f"{where}: {at}{problem['msg']}") from None


def settled(own: InputT, named: InputT, where: str, file: str) -> InputT:
    """The settings `own` with those that the file names.

    Raises `ConfigError` where both say something and not the same: whoever set a field by hand
    has to know that the file was made with another. `where` is the path of `own`.
    """
    for field in sorted(own.model_fields_set & named.model_fields_set):
        mine, other = getattr(own, field), getattr(named, field)
        if mine != other:
            raise contradiction(f"{where}.{field}", mine, other, file)
    chosen = {name: getattr(named, name) for name in named.model_fields_set}
    return type(own).model_validate({**own.model_dump(exclude_unset=True), **chosen})


def contradiction(where: str, mine: object, other: object, file: str) -> ConfigError:
    return ConfigError(
        f"{where}: {mine} contradicts encoder.calibration: {file}, which says {other};"
        " leave one of them out"
    )
