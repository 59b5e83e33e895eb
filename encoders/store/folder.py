"""Where weights are kept, and what a name in a configuration means."""

import os
from pathlib import Path

from encoders.cache_folder import cache_folder
from encoders.store.known import KNOWN
from streamer.errors import EncoderFailed

OVERRIDE = "STREAMER_WEIGHTS"


def weights_folder() -> Path:
    """The folder, which need not exist: `STREAMER_WEIGHTS`, else `weights` in the cache folder."""
    override = os.environ.get(OVERRIDE)
    return Path(override).expanduser() if override else cache_folder() / "weights"


def find(name_or_path: str) -> Path:
    """The file of weights, or the folder of converted ones, that a name or a path means.

    A known name is what lies in the cache folder under it: the file, or where it is not there the
    folder made of it. Anything else is a path. Raises EncoderFailed, one line, when there is none.
    """
    if name_or_path not in KNOWN:
        path = Path(name_or_path)
        if not os.path.exists(path):  # noqa: PTH110 - Path.exists raises for a name that is too long
            raise EncoderFailed(f"{name_or_path}: no such file")
        return path
    folder = weights_folder()
    for path in (folder / KNOWN[name_or_path].file, folder / name_or_path):
        if path.exists():
            return path
    raise EncoderFailed(
        f"{name_or_path}: not in {folder}: get it with `streamer weights pull {name_or_path}`"
    )
