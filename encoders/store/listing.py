"""What lies in a folder of weights."""

from dataclasses import dataclass
from pathlib import Path

from encoders.imagebind.statefile import tower_files
from encoders.store.fingerprint import Stored, combined, files_of, stamp, stored
from encoders.store.part import SUFFIX
from encoders.store.towers import stored_towers
from streamer.errors import EncoderFailed

_ENDINGS = {".pth", ".pt", ".safetensors"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, or one folder of converted weights. Nothing is known of what is unfinished."""

    name: str
    format: str
    bytes: int
    towers: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    sha256: str | None = None
    checked: str | None = None
    problem: str | None = None


def entries(folder: Path) -> list[Entry]:
    """By name; none where there is no such folder. Numbers are not read. Raises EncoderFailed."""
    try:
        paths = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise EncoderFailed(f"{folder}: {error.strerror}") from None
    return [entry for path in paths if (entry := _entry(path)) is not None]


def _entry(path: Path) -> Entry | None:
    if path.name.startswith("."):
        return None
    if path.is_dir():
        try:
            files = list(tower_files(path).values())
        except EncoderFailed:
            return None
        return _described(path, "folder", files)
    kind = "unfinished" if path.suffix == SUFFIX else path.suffix[1:]
    if path.suffix not in {SUFFIX, *_ENDINGS}:
        return None
    try:
        size = path.stat().st_size
    except OSError as error:  # a link to a disk that is not there
        return Entry(path.name, kind, 0, problem=f"{path}: {error.strerror}")
    return Entry(path.name, kind, size) if path.suffix == SUFFIX else _described(path, kind, [path])


def _described(path: Path, kind: str, files: list[Path]) -> Entry:
    size = sum(file.stat().st_size for file in files)
    try:
        towers, _ = stored_towers(path)
    except EncoderFailed as error:
        return Entry(path.name, kind, size, problem=str(error))
    sha256, checked = _hash(path)
    names = tuple(each.tower for each in towers)
    dtypes = tuple(sorted({str(each.dtype).removeprefix("torch.") for each in towers}))
    return Entry(path.name, kind, size, names, dtypes, sha256, checked)


def _hash(path: Path) -> tuple[str | None, str | None]:
    """The stored hash, and when the file that was checked longest ago was.

    None of either where a file has changed since: the hash is of what was there before.
    """
    found = {file.name: _current(file) for file in files_of(path)}
    hashes = {name: known.sha256 for name, known in found.items() if known is not None}
    if len(hashes) < len(found):
        return None, None
    times = [known.checked for known in found.values() if known is not None]
    checked = min((time for time in times if time is not None), default=None)
    total = combined(hashes) if path.is_dir() else hashes[path.name]
    return total, checked if None not in times else None


def _current(file: Path) -> Stored | None:
    known = stored(file)
    changed = known is not None and known.stamp is not None and known.stamp != stamp(file)
    return None if changed else known
