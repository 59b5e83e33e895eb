"""Cameras that Linux has found (V4L2), read from /sys and /dev: nothing is opened.

A camera that another program uses, or that hangs, is listed all the same. Most have several nodes,
of which the first gives pictures; /dev/videoN is another number tomorrow, a link of
/dev/v4l/by-id (by-path for those without a serial number) is not.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

SYSTEM = Path("/")
_MOST = 256
_NAME_BYTES = 256

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
class _Node:
    number: int
    index: int
    """Of the device's own nodes; 0 gives pictures."""
    name: str
    device: str
    """The device behind it; nodes of one camera have it in common."""

    @property
    def path(self) -> str:
        return f"/dev/video{self.number}"


def list_devices(root: Path = SYSTEM) -> list[dict[str, object]]:
    """Each camera once: `name`, `what` it is, `yaml` for `sources`. `root` has /sys and /dev."""
    links = {**_links(root, "by-path"), **_links(root, "by-id")}
    nodes = _nodes(root / "sys/class/video4linux")
    found: list[dict[str, object]] = []
    for node in nodes:
        if node.index:
            continue
        more = [other.path for other in nodes if other.index and other.device == node.device]
        said = [node.path, *([f"also {', '.join(more)}"] if more else [])]
        said += [hint for name, hint in _OTHERWISE if name.search(node.name)]
        if not os.access(root / node.path[1:], os.R_OK | os.W_OK):
            said.append("this user may not open it: add it to the group video")
        stable = links.get(node.path, node.path)
        yaml = {"kind": "camera", "stream": "camera", "device": stable}
        found.append({"name": node.name, "what": "; ".join(said), "yaml": yaml})
    return found


def _nodes(folder: Path) -> list[_Node]:
    nodes: list[_Node] = []
    for entry in folder.glob("video*"):
        number = entry.name.removeprefix("video")
        if number.isdecimal() and len(nodes) < _MOST:
            index = _text(entry / "index") or "0"
            nodes.append(
                _Node(
                    number=int(number),
                    index=int(index) if index.isdecimal() else 0,
                    name=_text(entry / "name") or entry.name,
                    device=os.path.realpath(entry / "device"),
                )
            )
    return sorted(nodes, key=lambda node: node.number)


def _links(root: Path, kind: str) -> dict[str, str]:
    """The lasting name of each node. Of cameras with one serial number, one alone has a by-id."""
    links: dict[str, str] = {}
    for link in sorted((root / "dev/v4l" / kind).glob("*")):
        if link.is_symlink():
            links[f"/dev/{link.readlink().name}"] = f"/dev/v4l/{kind}/{link.name}"
    return links


def _text(path: Path) -> str:
    """The one line of a file of sysfs, without what a terminal would obey; empty if unreadable."""
    try:
        with path.open("rb") as file:
            text = file.read(_NAME_BYTES).decode(errors="replace")
    except OSError:
        return ""
    return "".join(char for char in text.strip() if char.isprintable())
