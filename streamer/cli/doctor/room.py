"""Memory that this process could still have: the machine's, or less where a cgroup limits it."""

import re
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")


def available(proc: Path = PROC, cgroups: Path = CGROUPS) -> tuple[int | None, str]:
    """Bytes, and of what; None where the system does not say."""
    rooms = [(free, f"limit of {where}") for where, free in _limits(proc, cgroups)]
    match = re.search(r"^MemAvailable:\s+(\d+) kB", _text(proc / "meminfo"), re.MULTILINE)
    if match:
        rooms.append((int(match[1]) * 1024, "of the machine"))
    return min(rooms, default=(None, "unknown"))


def _limits(proc: Path, cgroups: Path) -> Iterator[tuple[str, int]]:
    """What each limit above this process leaves, of cgroups in both versions."""
    for line in _text(proc / "self" / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            names = ("memory.max", "memory.current", "inactive_file")
            yield from _upwards(cgroups, path, *names)
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield from _upwards(cgroups / "memory", path, *names)


def _upwards(
    root: Path, path: str, limit: str, usage: str, reclaimable: str
) -> Iterator[tuple[str, int]]:
    """A group has no more than those above it. In a container the path may be the host's."""
    inside = Path(path.lstrip("/"))
    for group in (inside, *inside.parents):
        most, used = _text(root / group / limit), _text(root / group / usage)
        if not (most.strip().isdecimal() and used.strip().isdecimal()):
            continue
        stat = _text(root / group / "memory.stat")
        # Pages of files count as used, and are given back when they are asked for.
        match = re.search(rf"^{reclaimable} (\d+)", stat, re.MULTILINE)
        free = int(most) - int(used) + (int(match[1]) if match else 0)
        yield f"cgroup /{'' if group == Path() else group}", max(0, free)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
