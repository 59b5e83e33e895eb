"""Which /dev/video* is meant: by number, by path, or by what the camera calls itself.

Numbers change with the order of plugging; /dev/v4l/by-id and names do not.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from streamer.errors import SourceLost

_NAME_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Node:
    """`path` without links; `name` is what the camera calls itself, "" if that is not known."""

    path: Path
    name: str = ""

    @property
    def present(self) -> bool:
        """The kernel takes the node away when the camera is unplugged."""
        return self.path.exists()


def find(device: int | str, root: Path = Path("/")) -> Node:
    """The node that is meant by a number, a path, or a part of a name. Raises `SourceLost`.

    `root` holds `dev` and `sys`.
    """
    if isinstance(device, str) and not device.startswith("/"):
        return _named(device, nodes(root))
    path = root / "dev" / f"video{device}" if isinstance(device, int) else Path(device)
    try:
        found = path.resolve(strict=True)
        if not stat.S_ISCHR(found.stat().st_mode):
            raise SourceLost(f"{path}: expected a video device, this is none")
        if not os.access(found, os.R_OK | os.W_OK):
            raise SourceLost(f"{path}: no permission: add this user to the group video")
    except OSError as error:
        raise SourceLost(f"{path}: {error.strerror}") from None
    known = {node.path.name: node for node in nodes(root)}
    return Node(found, known[found.name].name if found.name in known else "")


def nodes(root: Path = Path("/")) -> list[Node]:
    """The cameras that the kernel knows, in the order of their numbers.

    A camera has several nodes; `index` 0 is the one that gives pictures.
    """
    found = [
        (int(number), Node(root / "dev" / entry.name, _text(entry / "name")))
        for entry in (root / "sys" / "class" / "video4linux").glob("video*")
        if (number := entry.name.removeprefix("video")).isdecimal()
        and _text(entry / "index") in {"", "0"}
    ]
    return [node for _, node in sorted(found, key=lambda pair: pair[0])]


def _named(part: str, known: list[Node]) -> Node:
    exactly = [node for node in known if node.name == part]
    matching = exactly or [node for node in known if part.casefold() in node.name.casefold()]
    match matching:
        case [node]:
            return node
        case []:
            names = ", ".join(repr(node.name) for node in known) or "none"
            raise SourceLost(f"expected a camera named {part!r}, there is {names}")
        case _:
            paths = ", ".join(str(node.path) for node in matching)
            raise SourceLost(
                f"expected one camera named {part!r}, there are {paths}: "
                "take a path of /dev/v4l/by-id or by-path"
            )


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_NAME_CHARACTERS).strip()
    except OSError:
        return ""
