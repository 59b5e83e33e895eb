"""Small files that spare the next start some work. Losing any of them costs time and nothing else.

`STREAMER_CACHE`, else the platform's convention. Names say what an entry is of and never where it
was made, so that the folder can be copied to another machine.
"""

import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

log = logging.getLogger(__name__)

OVERRIDE = "STREAMER_CACHE"


def cache_folder() -> Path:
    """The folder, which need not exist: `STREAMER_CACHE`, else one of the platform's caches.

    That is `imagebind-streamer` in `$XDG_CACHE_HOME` or `~/.cache`, on macOS in `~/Library/Caches`.
    """
    if override := os.environ.get(OVERRIDE):
        return Path(override).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "imagebind-streamer"
    # The convention says that a relative path there is to be ignored.
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    caches = given if given.is_absolute() else Path.home() / ".cache"
    return caches / "imagebind-streamer"


class CacheFolder:
    """Entries by name, `kind/name`. Any number of processes may read and write at once.

    A folder that cannot be written is worked with all the same, and told of once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._told = False

    def read(self, name: str, largest: int) -> bytes | None:
        """The bytes of an entry of at most `largest`; None where there is none or a larger one."""
        path = self.path / name
        try:
            with path.open("rb") as file:
                data = file.read(largest + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            log.warning("%s: %s; made again", path, error.strerror)
            return None
        if len(data) > largest:
            log.warning("%s: expected at most %d bytes, got more; made again", path, largest)
            return None
        return data

    def write(self, name: str, data: bytes) -> None:
        """Put an entry there, whole or not at all, in place of the one before."""
        path = self.path / name
        made = path.with_name(f".{uuid4().hex}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with made.open("xb") as file:
                    file.write(data)
                    file.flush()
                    # A robot is switched off at any moment; an empty entry would be made again.
                    os.fsync(file.fileno())
                made.replace(path)
            except BaseException:
                with suppress(OSError):
                    made.unlink(missing_ok=True)
                raise
        except OSError as error:
            if not self._told:
                self._told = True
                log.warning(
                    "%s: cannot keep anything here (%s): every start does this work again",
                    self.path,
                    error.strerror,
                )
