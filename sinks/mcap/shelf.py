"""The files of a flight recorder: named by time, and never so many that they fill the disk."""

import errno
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

from sinks.mcap.file import McapFile

_MOST_OF_A_NAME = 10_000
_CODE = re.compile(r"%[-_^#0]?[A-Za-z%]")


class Shelf:
    """`pattern`: the name of the file may hold strftime codes, in UTC: `flight-%Y%m%d-%H%M%S.mcap`.

    What is there already stays; where a name is taken, a number is added. All files that the
    pattern could have named, in this run and before, count towards `most_bytes`. `free_bytes` of
    the disk are left to others. Nothing is deleted: who fills a disk by itself would also be who
    deletes what it was there to keep.
    """

    def __init__(
        self, pattern: Path, most_bytes: int, free_bytes: int, *, fsync: bool = False
    ) -> None:
        self._pattern, self._fsync = pattern, fsync
        self._most_bytes, self._free_bytes = most_bytes, free_bytes

    def room(self) -> int:
        """Bytes that may still be written. Raises OSError where there are none."""
        used = sum(_size(path) for path in self.files())
        if used >= self._most_bytes:
            raise OSError(
                errno.EDQUOT,
                f"{self._pattern}: the recordings take {used / 1e6:.0f} MB, and may take "
                f"{self._most_bytes / 1e6:.0f} MB: move some away",
            )
        folder, free = self._pattern.parent, self._free()
        if free <= 0:
            raise OSError(
                errno.ENOSPC,
                f"{folder}: less than {self._free_bytes / 1e6:.0f} MB of the disk are free",
            )
        return min(self._most_bytes - used, free)

    def spare(self) -> bool:
        """Whether the disk has more free than what is left to others. Raises OSError."""
        return self._free() > 0

    def _free(self) -> int:
        return shutil.disk_usage(self._pattern.parent).free - self._free_bytes

    def files(self) -> list[Path]:
        """Those that the pattern may have named."""
        ours = names(self._pattern)
        return [path for path in self._pattern.parent.iterdir() if ours.fullmatch(path.name)]

    def begin(self, at_ns: int) -> McapFile:
        """The file of that moment. Raises OSError."""
        when = datetime.fromtimestamp(at_ns // 1_000_000_000, UTC)
        path = self._pattern.with_name(when.strftime(self._pattern.name))
        for number in range(_MOST_OF_A_NAME):
            numbered = path.with_name(f"{path.stem}-{number}{path.suffix}") if number else path
            try:
                return McapFile(numbered, fsync=self._fsync)
            except FileExistsError:
                continue
        raise OSError(errno.EEXIST, f"{path}: {_MOST_OF_A_NAME} files have that name")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # moved away since it was listed


def names(pattern: Path) -> re.Pattern[str]:
    """All names that come of this one, with a number or without."""
    parts = _CODE.split(pattern.stem)
    stem = ".*".join(re.escape(part) for part in parts)
    return re.compile(rf"{stem}(-\d+)?{re.escape(pattern.suffix)}")
