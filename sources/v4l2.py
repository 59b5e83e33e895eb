"""Cameras that Linux has found (V4L2), read from /sys and /dev: nothing is opened.

A camera that another program uses, or that hangs, is known all the same. Most have several nodes,
of which the first gives pictures. /dev/videoN is another number tomorrow; what the camera calls
itself is not, nor a link of /dev/v4l/by-id (by-path for those without a serial number).

`root` is the folder that holds `dev` and `sys`.
"""

import contextlib
import os
import re
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from streamer.errors import SourceLost

SYSTEM = Path("/")
_MOST = 256
_TEXT_BYTES = 200

# What a camera's name tells about how it is best read.
_OTHERWISE = (
    (re.compile("realsense", re.IGNORECASE), "better read as `kind: realsense`"),
    (re.compile("purethermal|lepton|boson|flir", re.IGNORECASE), "thermal: `kind: thermal`"),
    (
        re.compile("vi-output|tegra|imx[0-9]{3}", re.IGNORECASE),
        "raw sensor: needs a GStreamer pipeline",
    ),
)


@dataclass(frozen=True, slots=True)
class Node:
    """`path` without links; `name` is what the camera calls itself, "" if that is not known."""

    path: Path
    name: str = ""
    index: int = 0
    """Of the device's own nodes; 0 gives pictures."""
    device: str = ""
    """The device behind it; nodes of one camera have it in common."""

    @property
    def present(self) -> bool:
        """The kernel takes the node away when the camera is unplugged."""
        return self.path.exists()


def find(device: int | str, root: Path = SYSTEM) -> Node:
    """The node that is meant by a number, a path, or a part of a name. Raises `SourceLost`.

    A path is taken as it is, whatever `root`. By its name a camera is found at the node that
    gives pictures.
    """
    if isinstance(device, str) and not device.startswith("/"):
        node = _named(device, nodes(root))
        _usable(node.path)
        return node
    path = root / "dev" / f"video{device}" if isinstance(device, int) else Path(device)
    found = _usable(path)
    known = {os.path.realpath(node.path): node for node in _all_nodes(root)}
    return replace(known.get(str(found), Node(found)), path=found)


def nodes(root: Path = SYSTEM) -> list[Node]:
    """The nodes that give pictures, in the order of their numbers."""
    return [node for node in _all_nodes(root) if node.index == 0]


def list_devices(root: Path = SYSTEM) -> list[dict[str, object]]:
    """Each camera once: `name`, `what` it is, `yaml` for `sources`."""
    links = {**_links(root, "by-path"), **_links(root, "by-id")}
    known = _all_nodes(root)
    found: list[dict[str, object]] = []
    for node in known:
        if node.index:
            continue
        path = f"/dev/{node.path.name}"
        more = [
            f"/dev/{other.path.name}"
            for other in known
            if other.index and other.device == node.device
        ]
        said = [path, *([f"also {', '.join(more)}"] if more else [])]
        said += [hint for name, hint in _OTHERWISE if name.search(node.name)]
        if not _permitted(node.path):
            said.append("this user may not open it: add it to the group video")
        yaml = {"kind": "camera", "stream": "camera", "device": links.get(path, path)}
        found.append({"name": node.name or node.path.name, "what": "; ".join(said), "yaml": yaml})
    return found


def _usable(path: Path) -> Path:
    """`path` without links, a device that this user may open. Raises `SourceLost`."""
    try:
        # Not Path.resolve: for links in a circle it raises what is no OSError.
        found = Path(os.path.realpath(path, strict=True))
        is_device = stat.S_ISCHR(found.stat().st_mode)
    except OSError as error:
        raise SourceLost(f"{path}: {error.strerror}") from None
    if not is_device:
        raise SourceLost(f"{path}: expected a video device, this is none")
    if not _permitted(found):
        raise SourceLost(f"{path}: no permission: add this user to the group video")
    return found


def _permitted(path: Path) -> bool:
    return os.access(path, os.R_OK | os.W_OK)


def _named(part: str, known: list[Node]) -> Node:
    exactly = [node for node in known if node.name == part]
    matching = exactly or [node for node in known if part.casefold() in node.name.casefold()]
    match matching:
        case [node]:
            return node
        case []:
            # A camera without a name is found by its path.
            said = dict.fromkeys(repr(node.name) if node.name else str(node.path) for node in known)
            raise SourceLost(
                f"expected a camera named {part!r}, there is {', '.join(said) or 'none'}"
            )
        case _:
            paths = ", ".join(str(node.path) for node in matching)
            raise SourceLost(
                f"expected one camera named {part!r}, there are {paths}: "
                "take a path of /dev/v4l/by-id or by-path"
            )


def _all_nodes(root: Path) -> list[Node]:
    """Those of metadata too, in the order of their numbers."""
    entries = [
        (int(number), entry)
        for entry in (root / "sys/class/video4linux").glob("video*")
        if (number := entry.name.removeprefix("video")).isdecimal()
    ]
    return [_node(root, entry) for _, entry in sorted(entries)[:_MOST]]


def _node(root: Path, entry: Path) -> Node:
    index = _text(entry / "index")
    return Node(
        path=root / "dev" / entry.name,
        name=_text(entry / "name"),
        index=int(index) if index.isdecimal() else 0,
        device=os.path.realpath(entry / "device"),
    )


def _links(root: Path, kind: str) -> dict[str, str]:
    """The lasting name of each node. Of cameras with one serial number, one alone has a by-id."""
    links: dict[str, str] = {}
    for link in sorted((root / "dev/v4l" / kind).glob("*")):
        # It may be no link, or gone by now.
        with contextlib.suppress(OSError):
            links[f"/dev/{link.readlink().name}"] = f"/dev/v4l/{kind}/{link.name}"
    return links


def _text(path: Path) -> str:
    """The one line of a file of sysfs, without what a terminal would obey; empty if unreadable."""
    try:
        with path.open("rb") as file:
            text = file.read(_TEXT_BYTES).decode(errors="replace")
    except OSError:
        return ""
    return "".join(char for char in text if char.isprintable()).strip()
