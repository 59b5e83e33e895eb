"""A file that is still coming: `NAME.part`, and `NAME.part.json` that says what it is a part of."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streamer.errors import EncoderFailed

SUFFIX = ".part"
_LONGEST = 64 << 10
_SYNC_EVERY = 64 << 20


class Origin(BaseModel):
    """Which file a part is of, and how much of it is surely on the disk.

    What was written after the last sync may read as zeros when the power has failed, so it is
    fetched again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    url: str
    total: int = Field(ge=0)
    validator: str | None
    synced: int = Field(ge=0)


class Part:
    """Grows at its end. Made by `opened`."""

    def __init__(self, target: Path, descriptor: int) -> None:
        self.target = target
        self.path, self._notes = beside(target)
        self._descriptor = descriptor
        self.origin = self._noted()
        self.size = 0 if self.origin is None else self.origin.synced
        os.ftruncate(descriptor, self.size)
        os.lseek(descriptor, self.size, os.SEEK_SET)

    def begin(self, origin: Origin) -> None:
        """Let go of what was there."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self.size, self.origin = 0, origin.model_copy(update={"synced": 0})
        self._note()

    def append(self, data: bytes) -> None:
        """Raises OSError; what fitted is kept."""
        view = memoryview(data)
        while view:
            count = os.write(self._descriptor, view)
            self.size += count
            view = view[count:]
        if self.origin is not None and self.size - self.origin.synced >= _SYNC_EVERY:
            self.sync()

    def sync(self) -> None:
        """Onto the disk, and note how much that is. Raises OSError."""
        os.fsync(self._descriptor)
        if self.origin is not None:
            self.origin = self.origin.model_copy(update={"synced": self.size})
            self._note()

    def finish(self) -> None:
        """Give the whole file its name. Raises OSError."""
        os.fsync(self._descriptor)
        self.path.replace(self.target)
        self._notes.unlink(missing_ok=True)
        sync_folder(self.target.parent)

    def _noted(self) -> Origin | None:
        """What was noted, unless less is there than was said."""
        try:
            with self._notes.open("rb") as file:
                origin = Origin.model_validate_json(file.read(_LONGEST))
        except (OSError, ValidationError):
            return None
        have = os.fstat(self._descriptor).st_size
        return origin if origin.synced <= min(have, origin.total) else None

    def _note(self) -> None:
        if self.origin is None:
            return
        made = self._notes.with_suffix(".tmp")
        made.write_text(self.origin.model_dump_json())
        made.replace(self._notes)


def beside(target: Path) -> tuple[Path, Path]:
    """The part of a file and its notes."""
    part = target.with_name(target.name + SUFFIX)
    return part, part.with_name(f"{part.name}.json")


@contextmanager
def opened(target: Path) -> Generator[Part, None, None]:
    """The part of `target`, as far as it has come; this process's alone, and kept at the end.

    Raises EncoderFailed when another process has it, or the folder cannot be written.
    """
    path, _ = beside(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise EncoderFailed(
            f"{target.parent}: expected a folder that can be written, got: {error.strerror}"
        ) from None
    try:
        if not _mine(descriptor, path):
            raise EncoderFailed(f"{path}: expected to be alone, got another process that writes it")
        part = Part(target, descriptor)
        try:
            yield part
        finally:
            if path.exists():
                with suppress(OSError):  # a full disk: what was synced before is kept
                    part.sync()
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make names that were given last through a power failure. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mine(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever held the lock may have finished: then this is no longer the part, but the file.
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False
