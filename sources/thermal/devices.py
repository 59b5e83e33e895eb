"""Which /dev/videoN is meant: by number, by path, or by the name that the kernel knows."""

from pathlib import Path

from streamer.errors import SourceLost

VIDEO4LINUX = Path("/sys/class/video4linux")


def find(device: int | str, root: Path = VIDEO4LINUX) -> str:
    """The path of the device. Raises `SourceLost`, naming what is there.

    A name is looked for in the names of all cameras, without regard to case. A camera has several
    nodes of one name, and only the first of them (`index` 0) gives pictures.
    """
    if isinstance(device, int):
        return f"/dev/video{device}"
    if device.startswith("/"):
        return device
    names = {node: _said(node / "name") for node in sorted(root.glob("video*"), key=_number)}
    for node, name in names.items():
        if device.casefold() in name.casefold() and _said(node / "index") in ("", "0"):
            return f"/dev/{node.name}"
    there = ", ".join(sorted(set(names.values()))) or "none"
    raise SourceLost(f"expected a camera named {device!r}, there are: {there}")


def _number(node: Path) -> int:
    digits = node.name.removeprefix("video")
    return int(digits) if digits.isdecimal() else 0


def _said(path: Path) -> str:
    try:
        return path.read_text(errors="replace")[:200].strip()
    except OSError:
        return ""
