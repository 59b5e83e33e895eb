"""Free space where weights and caches are kept, and where files are written."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from configs.schema import RunConfig
from encoders.cache_folder import cache_folder
from encoders.imagebind import footprint
from encoders.imagebind.config import TOWERS
from encoders.imagebind.runtime import BUILTIN, RANDOM, ImageBindEncoder
from encoders.store.folder import weights_folder
from encoders.store.known import KNOWN
from sinks.jsonl import JsonlSink
from streamer.cli.doctor.finding import Finding, size
from streamer.cli.doctor.towers import sizes_of

LITTLE = 256_000_000
"""For text vectors of labels and what else is cached."""
TOO_LITTLE = 10_000_000


def disk(config: RunConfig) -> list[Finding]:
    return [
        judge(folder, shutil.disk_usage(there).free, os.access(there, os.W_OK), wanted)
        for folder, wanted in _folders(config)
        for there in (_existing(folder),)
    ]


def judge(folder: Path, free: int, writable: bool, wanted: int) -> Finding:
    name, said = f"disk {folder}", f"{size(free)} free"
    remedy = "delete something there, or name another folder"
    if not writable:
        owner = "let this user write there, or name another folder"
        return Finding(name, "fail", f"{said}, but it cannot be written to", owner)
    if free < TOO_LITTLE:
        return Finding(name, "fail", said, remedy)
    if free < wanted:
        return Finding(name, "warn", f"{said}, {size(wanted)} wanted", remedy)
    return Finding(name, "pass", said)


def _folders(config: RunConfig) -> Iterator[tuple[Path, int]]:
    encoder = config.encoder
    if isinstance(encoder, ImageBindEncoder) and encoder.weights not in {RANDOM, BUILTIN}:
        named = encoder.weights in KNOWN
        path = weights_folder() / KNOWN[encoder.weights].file if named else Path(encoder.weights)
        if not path.exists() and not (named and (weights_folder() / encoder.weights).exists()):
            # It is still to come, with all towers and in fp32.
            sizes, _ = sizes_of(encoder)
            yield path.parent, footprint.weights_bytes(sizes, TOWERS, 4)
    yield cache_folder(), LITTLE
    for sink in config.sinks:
        if isinstance(sink, JsonlSink) and str(sink.path) != "-":
            yield sink.path.parent, LITTLE


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it: what it would be made in."""
    whole = folder.absolute()
    return next(each for each in (whole, *whole.parents) if each.is_dir())
