"""A new file that is there when it is whole, and not before."""

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from sinks.mcap.file import McapFile
from streamer.errors import ConfigError, SinkLost


@contextmanager
def new_log(path: Path, *, profile: str = "") -> Generator[McapFile]:
    """A `new_file` to be closed by the caller. Raises as that does."""
    with new_file(path) as part:
        try:
            file = McapFile(part, profile=profile)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be written ({error.strerror})") from None
        try:
            yield file
        finally:
            file.abandon()  # a file that is closed already stays as it is


@contextmanager
def new_file(path: Path) -> Generator[Path]:
    """Written under another name beside it; renamed when the caller is done, gone if it is not.

    So it is gone after Ctrl-C and SIGTERM too. Raises `ConfigError` where something of that name is
    there already or its folder is not, `SinkLost` when the disk does not take it.
    """
    check_new(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with _sigterm_unwinds():
        try:
            yield part
            check_new(path)  # nothing is written over, whatever came while this was written
            part.rename(path)
        except OSError as error:
            raise SinkLost(f"{path}: cannot be written ({error.strerror})") from None
        finally:
            part.unlink(missing_ok=True)


def check_new(path: Path) -> None:
    """Raises `ConfigError` where no new file of that name can be."""
    if os.path.lexists(path):
        raise ConfigError(f"{path}: there already; nothing is written over")
    if not path.parent.is_dir():
        raise ConfigError(f"{path.parent}: expected a folder to write to")


@contextmanager
def _sigterm_unwinds() -> Generator[None]:
    """The signal leaves by an exception, as Ctrl-C does; by itself it would end the process."""

    def leave(number: int, frame: FrameType | None) -> None:
        del frame
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
