"""What the numbers of a picture mean, as a user says it on the command line."""

import yaml
from pydantic import TypeAdapter, ValidationError

from sources.encodings import Encoding
from streamer.errors import ConfigError


def picture_encoding(given: str) -> Encoding:
    """An encoding of `sources.encodings` from its kind, or from YAML where it has numbers.

    `sun`, `{kind: depth, metres_per_unit: 0.0002}`. Raises `ConfigError`.
    """
    try:
        tree: object = yaml.safe_load(given)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ConfigError(f"--encoding {given[:200]}: not YAML") from None
    adapter: TypeAdapter[Encoding] = TypeAdapter(Encoding)
    try:
        return adapter.validate_python({"kind": tree} if isinstance(tree, str) else tree)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"--encoding: {where + ': ' if where else ''}{first['msg']}") from None
