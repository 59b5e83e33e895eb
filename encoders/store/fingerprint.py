"""The SHA-256 of weights, kept beside them in `FILE.sha256`, which `sha256sum --check` reads.

    # 4803584173 bytes, changed 1700000000000000000, checked 2026-05-01T10:00:00+00:00
    0a1b...  imagebind_huge.pth

The first line is ours: what the file was like when the hash was computed (size, and time of change
in nanoseconds since the Unix epoch), and when it was last checked against it.
"""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from encoders.imagebind.statefile import tower_files
from encoders.store.progress import Progress
from streamer.errors import EncoderFailed

_CHUNK = 4 << 20
_LONGEST = 4096  # of a side file
_OURS = re.compile(r"# (\d{1,20}) bytes, changed (\d{1,20}), checked ([0-9T:+-]{25})")
_SUM = re.compile(r"([0-9a-fA-F]{64}) [ *]")


@dataclass(frozen=True, slots=True)
class Stamp:
    """What changes when a file does."""

    size: int
    changed_ns: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A hash that lies beside its file. `stamp` is None where another program wrote it."""

    sha256: str
    stamp: Stamp | None = None
    checked: str | None = None


def compute(path: Path, progress: Progress) -> tuple[str, Stamp]:
    """The hash of one file and what the file was like, whatever is stored. Raises EncoderFailed."""
    before, digest, done = stamp(path), hashlib.sha256(), 0
    buffer = memoryview(bytearray(_CHUNK))
    try:
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(buffer):
                digest.update(buffer[:count])
                done += count
                progress(done, before.size)
    except OSError as error:
        raise EncoderFailed(f"{path}: {error.strerror}") from None
    if stamp(path) != before:
        raise EncoderFailed(f"{path}: changed while it was read")
    return digest.hexdigest(), before


def files_of(path: Path) -> list[Path]:
    """The file itself, or the files of a folder of converted weights, by name.

    Raises EncoderFailed when a folder has none.
    """
    return sorted(tower_files(path).values()) if path.is_dir() else [path]


def combined(hashes: dict[str, str]) -> str:
    """The hash of a folder: over the lines that `sha256sum *` would print for its files."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def stamp(path: Path) -> Stamp:
    """Raises EncoderFailed."""
    try:
        found = path.stat()
    except OSError as error:
        raise EncoderFailed(f"{path}: {error.strerror}") from None
    return Stamp(found.st_size, found.st_mtime_ns)


def stored(path: Path) -> Stored | None:
    """What lies beside the file; None where nothing does, or nothing that is a hash of it."""
    try:
        with _beside(path).open("rb") as file:
            text = file.read(_LONGEST).decode(errors="replace")
    except OSError:
        return None
    sums = [line for line in text.splitlines() if not line.startswith("#")]
    found = _SUM.match(sums[0]) if sums else None
    if found is None or sums[0][found.end() :] != path.name:
        return None
    ours = _OURS.match(text)
    if ours is None:
        return Stored(found[1].lower())
    return Stored(found[1].lower(), Stamp(int(ours[1]), int(ours[2])), ours[3])


def store(path: Path, sha256: str, at: Stamp, checked: str) -> None:
    """Write the side file, atomically. Raises OSError."""
    said = f"# {at.size} bytes, changed {at.changed_ns}, checked {checked}"
    made = path.with_name(f"{path.name}.sha256.{os.getpid()}")
    try:
        made.write_text(f"{said}\n{sha256}  {path.name}\n")
        made.replace(_beside(path))
    finally:
        made.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
