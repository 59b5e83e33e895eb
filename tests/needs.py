"""What a test needs from outside the checkout, and what happens where it is absent.

On a developer's machine the test skips and names what is missing. With CI=true that is a failure:
CI installs everything, so a skip there is a check that silently stopped checking. The released
weights and what they are asked about are the exception: their licence lets nobody hand them on.
"""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("STREAMER_SHARED", str(ROOT.parent / "shared")))


def missing(what: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must not skip: {what} is missing", pytrace=False)
    pytest.skip(f"needs {what}")


def released_weights() -> Path:
    """The released imagebind_huge: the file STREAMER_CHECKPOINT, else in STREAMER_WEIGHTS.

    Absent, it skips in CI too. A variable that leads nowhere fails: somebody meant it to be tested.
    """
    if given := os.environ.get("STREAMER_CHECKPOINT"):
        return _meant("STREAMER_CHECKPOINT", Path(given))
    if folder := os.environ.get("STREAMER_WEIGHTS"):
        return _meant("STREAMER_WEIGHTS", Path(folder) / "imagebind_huge.pth")
    pytest.skip(
        "needs the released imagebind_huge.pth, which is not free to be handed on: "
        "STREAMER_WEIGHTS names its folder, or STREAMER_CHECKPOINT the file"
    )


def released_assets() -> Path:
    """The folder of dog, car and bird, as pictures and sounds: STREAMER_ASSETS, else the shared."""
    if given := os.environ.get("STREAMER_ASSETS"):
        return _meant("STREAMER_ASSETS", Path(given))
    folder = SHARED / "recordings" / "imagebind"
    if not folder.is_dir():
        pytest.skip("needs the pictures and sounds of ImageBind's README: STREAMER_ASSETS")
    return folder


def _meant(variable: str, path: Path) -> Path:
    if not path.exists():
        pytest.fail(f"{variable}: {path}: no such file or folder", pytrace=False)
    return path


def shared(relative: str) -> Path:
    """A file or folder of the shared recordings and golden numbers."""
    path = SHARED / relative
    if not path.exists():
        missing(f"{relative} under STREAMER_SHARED")
    return path


def program(name: str) -> str:
    """The path of an installed program."""
    # Debian puts daemons where an ordinary user's PATH does not look.
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        missing(f"the program {name} (make system)")
    return found
