"""`--substitute stream=source`: another source in the place of a stream of a log."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from configs.schema import SourceConfig
from sources.pictures import SUFFIXES
from streamer.errors import ConfigError
from streamer.types import Modality, StreamInfo

LONGEST = 4000
_SOURCE: TypeAdapter[SourceConfig] = TypeAdapter(SourceConfig)
_ENCODINGS: dict[Modality, dict[str, str]] = {
    "vision": {"kind": "colour"},
    "depth": {"kind": "depth"},
    "thermal": {"kind": "thermal_picture"},
}


def substitute(text: str, streams: tuple[StreamInfo, ...], start_ns: int) -> SourceConfig:
    """The source that gives one of `streams` instead, from `start_ns` on unless it says when.

    `text`: stream=path, of a media file, a picture or a folder of them; or stream={kind: ...}, as
    in a configuration. Its samples are merged by their time into the order of the log. Raises
    `ConfigError`.
    """
    name, equals, value = text[:LONGEST].partition("=")
    info = next((info for info in streams if info.name == name), None)
    if not equals or info is None:
        known = ", ".join(info.name for info in streams)
        raise ConfigError(f"--substitute {text[:80]}: expected one of {known}, then = and a source")
    tree = _tree(value, info)
    try:
        source = _SOURCE.validate_python(tree)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        why = problem["msg"].removeprefix("Value error, ")
        raise ConfigError(f"--substitute {name}: {where + ': ' if where else ''}{why}") from None
    if source.live:
        raise ConfigError(
            f"--substitute {name}: expected a source that reads files (media, pictures, imu_csv), "
            f"got {source.kind}, which is live: it has a time of its own"
        )
    if source.streams != (info,):
        got = ", ".join(f"{one.name} ({one.modality})" for one in source.streams)
        raise ConfigError(
            f"--substitute {name}: expected a source of the one stream {name} ({info.modality}), "
            f"got {got}"
        )
    if "start" in type(source).model_fields and "start" not in source.model_fields_set:
        return source.model_copy(update={"start": start_ns})
    return source


def _tree(value: str, info: StreamInfo) -> dict[str, Any]:
    if not value.lstrip().startswith("{"):
        return _file(Path(value), info)
    try:
        tree: object = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict):
        raise ConfigError(f"--substitute {info.name}: the source is not YAML: {value[:80]}")
    return tree


def _file(path: Path, info: StreamInfo) -> dict[str, Any]:
    if not path.exists():
        raise ConfigError(f"--substitute {info.name}: {path}: no such file or folder")
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        if info.modality not in _ENCODINGS:
            raise ConfigError(f"--substitute {info.name}: pictures give no {info.modality}")
        encoding = _ENCODINGS[info.modality]
        return {"kind": "pictures", "path": path, "stream": info.name, "encoding": encoding}
    if info.modality in ("depth", "thermal"):
        raise ConfigError(
            f"--substitute {info.name}: a media file gives no {info.modality}; expected pictures, "
            "or a source as in a configuration"
        )
    return {"kind": "media", "path": path, "streams": {info.modality: info.name}}
