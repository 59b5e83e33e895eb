"""Are these weights what they should be, and what they were?"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from torch import Tensor

from encoders.imagebind.config import TOWERS
from encoders.imagebind.statefile import each_tensor
from encoders.store.fingerprint import Stamp, combined, compute, files_of, store, stored
from encoders.store.progress import Heard
from encoders.store.towers import StoredTower, stored_towers
from streamer.errors import EncoderFailed

Verdict: TypeAlias = Literal["as pinned", "as stored", "stored for the first time", "not stored"]


@dataclass(frozen=True, slots=True)
class Verified:
    towers: tuple[StoredTower, ...]
    sha256: str
    verdict: Verdict
    """Of the hash: what it agreed with. `not stored`: the folder cannot be written."""


def verify(
    path: Path, *, now: str, heard: Heard, whole: bool = False, pin: str | None = None
) -> Verified:
    """Read all of a file or folder: names, shapes, finite numbers, and the hash.

    The hash must be `pin` where one is given, else the one stored beside each file where there is
    one; it is stored with the time `now` (ISO 8601, UTC, seconds). `whole`: all six towers must be
    there. Raises EncoderFailed, one line.
    """
    towers, _ = stored_towers(path)
    names = [each.tower for each in towers]
    if whole and len(names) < len(TOWERS):
        raise EncoderFailed(f"{path}: expected the towers {', '.join(TOWERS)}, got {names}")
    for tower in towers:
        _check_numbers(tower, heard)
    return Verified(tuple(towers), *_check_hash(path, now, pin, heard))


def _check_numbers(tower: StoredTower, heard: Heard) -> None:
    done = 0

    def visit(name: str, tensor: Tensor) -> None:
        nonlocal done
        tower.check(name, tensor)
        done += tensor.nbytes
        heard(tower.tower, done, tower.bytes)

    each_tensor(tower.path, tower.shapes, visit)


def _check_hash(path: Path, now: str, pin: str | None, heard: Heard) -> tuple[str, Verdict]:
    files = files_of(path)
    computed: dict[Path, tuple[str, Stamp]] = {}
    for file in files:
        what = "sha256" if file == path else f"sha256 {file.stem}"
        computed[file] = compute(file, lambda done, of, what=what: heard(what, done, of))
    hashes = {file.name: sha256 for file, (sha256, _) in computed.items()}
    total = combined(hashes) if path.is_dir() else hashes[path.name]
    if pin is not None and total != pin:
        raise EncoderFailed(f"{path}: sha256: expected {pin} as pinned, got {total}")
    before = {file: stored(file) for file in files}
    for file, known in before.items():
        got = computed[file][0]
        if pin is None and known is not None and known.sha256 != got:
            when = f" ({known.checked})" if known.checked else ""
            raise EncoderFailed(
                f"{file}: sha256: expected {known.sha256} as stored beside it{when}, got {got}"
            )
    verdict: Verdict = "as stored" if all(before.values()) else "stored for the first time"
    try:
        for file, (sha256, at) in computed.items():
            store(file, sha256, at, now)
    except OSError:
        verdict = "not stored"
    if pin is not None:
        verdict = "as pinned"
    return total, verdict
