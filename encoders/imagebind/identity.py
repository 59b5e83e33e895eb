"""Which model this is: a hash of its files and its sizes, known without reading them each time.

The whole file counts, also towers that are not in use: whatever a robot has of sensors, the same
weights have the same hash, and what was fitted or computed for them is found again. The precision
they are used in does not count, and neither does where the file lies.
"""

import hashlib
import logging
import re
from pathlib import Path

from encoders.cache_folder import CacheFolder
from encoders.imagebind.config import ModelConfig
from encoders.store.fingerprint import combined, files_of
from streamer.errors import EncoderFailed

log = logging.getLogger(__name__)

_CHUNK = 1 << 20
_WORTH_TELLING = 500_000_000  # bytes: seconds of reading
_ENTRY = re.compile(rb"([0-9a-f]{64}) ([0-9a-f]{64})\n")
_LONGEST = 130


def model_hash(contents: str, sizes: ModelConfig) -> str:
    """64 hexadecimal digits over what the weights are and the sizes (heads show in no shape)."""
    return _sha256(f"{contents}\n{sizes.model_dump_json()}")


def contents_hash(path: Path, cache: CacheFolder) -> str:
    """64 hexadecimal digits: SHA-256 of a file, or of what `sha256sum *` prints of a folder.

    Raises EncoderFailed.
    """
    hashes = {file.name: file_sha256(file, cache) for file in files_of(path)}
    return combined(hashes) if path.is_dir() else hashes[path.name]


def file_sha256(path: Path, cache: CacheFolder) -> str:
    """64 hexadecimal digits over a file, read once.

    Remembered in the cache folder under the file's path, inode, size and both times of change: a
    copy that keeps the date of what it replaces is another file all the same. Raises EncoderFailed.
    """
    stamp = _stamp(path)
    name = f"files/{_sha256(stamp)[:32]}"
    if (known := cache.read(name, _LONGEST)) is not None:
        entry = _ENTRY.fullmatch(known)
        if entry is not None and entry[2].decode() == _check(stamp, entry[1].decode()):
            return entry[1].decode()
        log.warning("%s: damaged; made again", cache.path / name)
    digest = _of_bytes(path)
    if _stamp(path) != stamp:
        raise EncoderFailed(f"{path}: changed while it was read")
    cache.write(name, f"{digest} {_check(stamp, digest)}\n".encode())
    return digest


def _of_bytes(path: Path) -> str:
    """By ordinary reads into one buffer: a mapping would count as this process's memory."""
    digest, buffer = hashlib.sha256(), memoryview(bytearray(_CHUNK))
    try:
        with path.open("rb", buffering=0) as file:
            size = path.stat().st_size
            if size > _WORTH_TELLING:
                log.info("%s: reading %.1f GB, this once, to know the model by", path, size / 1e9)
            while count := file.readinto(buffer):
                digest.update(buffer[:count])
    except OSError as error:
        raise EncoderFailed(f"{path}: {error.strerror}") from None
    return digest.hexdigest()


def _stamp(path: Path) -> str:
    try:
        found = path.stat()
    except OSError as error:
        raise EncoderFailed(f"{path}: {error.strerror}") from None
    times = f"{found.st_mtime_ns} {found.st_ctime_ns}"
    return f"{path.resolve()} {found.st_ino} {found.st_size} {times}"


def _check(stamp: str, digest: str) -> str:
    """Ties an entry to the file it is of, so that a damaged one is not another model's."""
    return _sha256(f"{stamp} {digest}")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
