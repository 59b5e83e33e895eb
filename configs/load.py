"""Reads a configuration: YAML, then `--set key=value`, then the schema. One line per error."""

from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from configs.schema import Lengths, RunConfig
from configs.training import TrainConfig
from encoders.conventions import contradiction
from encoders.imagebind.runtime import ImageBindEncoder
from encoders.zeroshot import LabelSet, parse
from streamer.errors import ConfigError

LARGEST_FILE = 1 << 20

Config = TypeVar("Config", bound=BaseModel)


def load(name: str, overrides: Sequence[str] = ()) -> RunConfig:
    """The configuration at path `name`, or the built-in one of that name (`demo`).

    What a file of calibration chose (`encoder.calibration`) is filled in. Raises `ConfigError`, one
    line per problem, each beginning with the path of the field.
    """
    return _settled(_load(RunConfig, name, "*.yaml", overrides))


def load_sensors(
    name: str, overrides: Sequence[str] = (), record_to: Path | None = None
) -> RunConfig:
    """As `load`, for who looks at sensors only: without an encoder it has the one of none.

    With `record_to`, that is where it records, whether or not it has a part that says how.
    """
    tree = _read(name, "*.yaml", overrides)
    tree.setdefault("encoder", {"kind": "noop"})
    if record_to is not None:
        how = tree.get("record") or {}
        tree["record"] = {**how, "path": str(record_to)} if isinstance(how, dict) else how
    return _settled(_checked(RunConfig, tree))


def parse_run(text: str, name: str, overrides: Sequence[str] = ()) -> RunConfig:
    """As `load`, from the text of a configuration; `name` is where it comes from."""
    tree = _tree(name, text)
    for override in overrides:
        _put(tree, override)
    return _settled(_checked(RunConfig, tree))


def load_training(name: str, overrides: Sequence[str] = ()) -> TrainConfig:
    """The configuration of a training at path `name`, or the built-in one of that name."""
    return _load(TrainConfig, name, "training/*.yaml", overrides)


def _load(kind: type[Config], name: str, pattern: str, overrides: Sequence[str]) -> Config:
    return _checked(kind, _read(name, pattern, overrides))


def _read(name: str, pattern: str, overrides: Sequence[str]) -> dict[str, Any]:
    tree = _tree(name, _text(name, pattern, "configuration"))
    for override in overrides:
        _put(tree, override)
    if "sources" in tree and tree["sources"] is None:
        tree["sources"] = []  # a list of which every entry is a comment
    return tree


def _checked(kind: type[Config], tree: dict[str, Any]) -> Config:
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        raise ConfigError("\n".join(_line(problem) for problem in error.errors())) from None


def _settled(config: RunConfig) -> RunConfig:
    """The configuration with the conventions of its file of calibration, if it names one."""
    encoder = config.encoder
    if not isinstance(encoder, ImageBindEncoder) or (said := encoder.calibrated()) is None:
        return config
    own, named = config.windows.length_s, said.conventions.length_s
    for modality, length_s in named.items():
        mine = getattr(own, modality)
        if modality in own.model_fields_set and mine != length_s:
            where = f"windows.length_s.{modality}"
            raise contradiction(where, mine, length_s, str(encoder.calibration))
    lengths = Lengths.model_validate({**own.model_dump(exclude_unset=True), **named})
    windows = config.windows.model_copy(update={"length_s": lengths})
    return config.model_copy(update={"encoder": encoder.settled(), "windows": windows})


def label_set(name: str, otherwise: Iterable[str] = ()) -> LabelSet:
    """The label set at path `name`, or the built-in one of that name. Raises `ConfigError`.

    A text with templates alone takes the labels `otherwise`.
    """
    return parse(Path(name).stem, _text(name, "labels/*.txt", "label set"), otherwise)


def _text(name: str, pattern: str, what: str) -> str:
    folder, suffix = Path(pattern).parent, Path(pattern).suffix
    builtin = {
        entry.name.removesuffix(suffix): entry
        for entry in files("configs").joinpath(str(folder)).iterdir()
        if entry.name.endswith(suffix)
    }
    path = Path(name)
    if name in builtin and not path.is_file():
        return builtin[name].read_text("utf-8-sig")
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ConfigError(f"{name}: expected a {what} of at most {LARGEST_FILE} bytes")
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(sorted(builtin))
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(f"{name}: expected a {what} ({why}); built-in ones: {known}") from None


def _tree(name: str, text: str) -> dict[str, Any]:
    try:
        tree: object = yaml.safe_load(text)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f":{where.line + 1}" if where else ""
        raise ConfigError(f"{name}{line}: not YAML: {getattr(error, 'problem', error)}") from None
    except (ValueError, RecursionError) as error:
        # A date like the 30th of February, or a thousand brackets.
        raise ConfigError(f"{name}: not YAML: {error}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{name}: expected a mapping at the top, got {type(tree).__name__}")
    return tree


def _put(tree: Any, override: str) -> None:
    """Set `a.0.b=value`; the value is read as YAML. Missing mappings are made."""
    key, equals, text = override.partition("=")
    if not equals:
        raise ConfigError(f"--set {override}: expected key=value")
    try:
        value: object = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ConfigError(f"--set {override[:200]}: the value is not YAML") from None
    *way, last = key.split(".")
    here = tree
    for part in way:
        here = _step(here, part, override)
    if isinstance(here, list):
        here[_index(here, last, override)] = value
    elif isinstance(here, dict):
        here[last] = value
    else:
        raise ConfigError(f"--set {override}: {key} is not inside a mapping or a list")


def _step(here: Any, part: str, override: str) -> Any:
    if isinstance(here, list):
        return here[_index(here, part, override)]
    if isinstance(here, dict):
        if here.get(part) is None:
            here[part] = {}
        return here[part]
    raise ConfigError(f"--set {override}: nothing below {part}")


def _index(items: list[Any], part: str, override: str) -> int:
    if not part.isdecimal() or int(part) >= len(items):
        raise ConfigError(f"--set {override}: expected an index below {len(items)}, got {part}")
    return int(part)


def _line(problem: Any) -> str:
    path = ".".join(str(part) for part in problem["loc"]) or "configuration"
    return f"{path}: {problem['msg'].removeprefix('Value error, ')}"
