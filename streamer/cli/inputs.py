"""What `embed` and `search` are given: which files, read as what, through which model."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
import yaml
from pydantic import TypeAdapter, ValidationError

from configs.load import load
from configs.schema import RunConfig
from encoders.imagebind.runtime import BUILTIN, ImageBindEncoder
from sources.encodings import Depth, Encoding, ThermalPicture
from sources.imu_csv import ImuCsv
from streamer.errors import ConfigError
from streamer.types import Modality

log = logging.getLogger(__name__)

Reading: TypeAlias = Encoding | ImuCsv
"""What the numbers of a file mean that does not say so itself: of a picture, or of a table."""

TABLES = {".csv", ".tsv", ".txt", ".dat"}
LINES = ".txt"
LONGEST_OPTION = 2000

# A picture file does not say what its numbers are, and a table does not say its columns.
READINGS: dict[Modality, Reading] = {
    "depth": Depth(),
    "thermal": ThermalPicture(),
    "imu": ImuCsv(
        path=Path("readings.csv"),  # replaced by that of each table
        stream="imu",
        accel=("ax", "ay", "az"),
        gyro=("gx", "gy", "gz"),
        accel_unit="m/s^2",
        gyro_unit="rad/s",
        time="t_s",
        time_unit="s",
    ),
}
"""What a file is taken for that is said to hold one of these, and nothing more."""
_ENCODING: TypeAdapter[Encoding] = TypeAdapter(Encoding)

As = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="KIND",
        help="What pictures or tables hold: depth (16-bit mm, or floats in metres), thermal (8-bit "
        "white hot, or floats in °C), imu (columns t_s, ax ay az in m/s^2, gx gy gz in rad/s); or "
        "as in a configuration: sun, centikelvin, '{kind: depth, metres_per_unit: 0.0002}', "
        "'{kind: imu_csv, accel: [...], ...}'.",
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|NAME",
        help="builtin, imagebind_huge, a file or a converted folder; default: the configuration's.",
    ),
]


def reading(given: str | None) -> Reading | None:
    """What `--as` means. Raises `ConfigError`."""
    if given is None:
        return None
    named = {str(modality): known for modality, known in READINGS.items()}
    if given in named:
        return named[given]
    try:
        tree: Any = yaml.safe_load(given[:LONGEST_OPTION])
    except (yaml.YAMLError, ValueError, RecursionError):
        tree = None
    tree = {"kind": tree} if isinstance(tree, str) else tree
    try:
        if isinstance(tree, dict) and tree.get("kind") == "imu_csv":
            return ImuCsv.model_validate({"path": "readings.csv", "stream": "imu", **tree})
        return _ENCODING.validate_python(tree)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = "".join(f".{part}" for part in problem["loc"])
        why = problem["msg"].removeprefix("Value error, ")
        raise ConfigError(
            f"--as {given[:100]}: expected depth, thermal, imu, or an encoding as in a"
            f" configuration; {where[1:] + ': ' if where else ''}{why}"
        ) from None


def settings_for(config: str, weights: str | None, overrides: Sequence[str] | None) -> RunConfig:
    """The configuration with other weights in its encoder. Raises `ConfigError`.

    The demo's encoder, which is made for the built-in model, is left out altogether: other weights
    run where they run best.
    """
    chosen: list[str] = []
    if weights is not None:
        text = json.dumps(weights)
        whole = config == "demo" and weights != BUILTIN
        chosen = [
            f"encoder={{kind: imagebind, weights: {text}}}" if whole else f"encoder.weights={text}"
        ]
    return load(config, [*chosen, *(overrides or ())])


def warn_of_builtin(settings: RunConfig) -> None:
    encoder = settings.encoder
    if isinstance(encoder, ImageBindEncoder) and encoder.weights == BUILTIN:
        log.warning("the built-in model knows the simulated world and nothing else: these files")
        log.warning("need other weights, such as --weights imagebind_huge")


def is_file(name: str) -> bool:
    """Whether a file has this name; a sentence that is too long for a name is none."""
    try:
        return Path(name).is_file()
    except OSError:
        return False


def is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except OSError:
        return False
