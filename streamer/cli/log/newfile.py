"""A new log that is there when it is whole, and not before."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sinks.mcap.file import McapFile
from streamer.errors import ConfigError, SinkLost


@contextmanager
def new_log(path: Path, *, profile: str = "") -> Generator[McapFile]:
    """Written under another name beside it; renamed when the caller is done, gone if it is not.

    The caller closes the file. Raises `ConfigError` where something of that name is there already
    or its folder is not, `SinkLost` when the disk does not take it.
    """
    _check(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        file = McapFile(part, profile=profile)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror})") from None
    try:
        yield file
        _check(path)  # nothing is written over, whatever came while this was written
        part.rename(path)
    except OSError as error:
        raise SinkLost(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        file.abandon()  # a file that is closed already stays as it is
        part.unlink(missing_ok=True)


def _check(path: Path) -> None:
    if os.path.lexists(path):
        raise ConfigError(f"{path}: there already; logs are never written over")
    if not path.parent.is_dir():
        raise ConfigError(f"{path.parent}: expected a folder to write to")
