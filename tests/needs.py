"""What a test needs from outside the checkout, and what happens where it is absent.

On a developer's machine the test skips and names what is missing. With CI=true that is a failure:
CI installs everything, so a skip there is a check that silently stopped checking.
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
