"""Moments rendered once, as memory-mapped arrays of compact inputs: rendering costs more than
training reads.

A folder holds one array a modality, with a row a moment, and one small file a finished chunk. A
row of a modality that a moment lacks is never written, so on most file systems it takes no space.
"""

import fcntl
import hashlib
import json
import multiprocessing
import os
import signal
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from encoders.binding.data import Moments
from encoders.binding.inputs import Progress, compact, shape
from encoders.imagebind.config import ModelConfig
from streamer.types import MODALITIES, Modality, Moment

CHUNK = 64


@dataclass(frozen=True, slots=True, eq=False)
class Cache:
    """`arrays[modality]` (n, ...) has meaning in `rows[modality]`, ascending; a caption list each.

    `name` differs for different contents.
    """

    name: str
    arrays: Mapping[Modality, NDArray[np.generic]]
    rows: Mapping[Modality, NDArray[np.int64]]
    captions: Sequence[Sequence[str]]

    def __len__(self) -> int:
        return len(self.captions)


def cached(
    root: Path,
    moments: Moments,
    key: str,
    sizes: ModelConfig,
    *,
    workers: int = 1,
    progress: Progress = lambda done, total: None,
) -> Cache:
    """`moments` rendered under `root`, now or earlier; a killed rendering is taken up again.

    The folder's name covers `key`, the sizes of the inputs and the first moment's rendering, so
    that a change of the data's configuration or of its code starts another folder. A second
    process that wants the same folder waits for the first.
    """
    folder = root / _fingerprint(moments, key, sizes)
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(moments), CHUNK)
    with locked(folder / "lock"):
        missing = [start for start in starts if not _chunk(folder, start).exists()]
        if missing:
            _make_arrays(folder, len(moments), sizes)
            done = len(starts) - len(missing)
            progress(done * CHUNK, len(moments))
            # Closed here, so that no worker outlives the lock when `progress` raises.
            with closing(_render(folder, moments, sizes, missing, workers)) as rendered:
                for number in rendered:
                    progress(min((done + number) * CHUNK, len(moments)), len(moments))
    return _load(folder, starts)


@contextmanager
def locked(path: Path) -> Generator[None, None, None]:
    """One process at a time; the lock falls with the process."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fingerprint(moments: Moments, key: str, sizes: ModelConfig) -> str:
    total = hashlib.sha256(f"{key} {len(moments)}".encode())
    first = moments[0]
    for modality in MODALITIES:
        total.update(f"{modality} {shape(sizes, modality)}".encode())
        if modality in first.windows:
            total.update(compact(first.windows[modality], sizes).tobytes())
    total.update(json.dumps(first.captions).encode())
    return total.hexdigest()[:16]


def _chunk(folder: Path, start: int) -> Path:
    return folder / f"{start:08d}.json"


def _make_arrays(folder: Path, count: int, sizes: ModelConfig) -> None:
    for modality in MODALITIES:
        path = folder / f"{modality}.npy"
        if not path.exists():
            form, kind = shape(sizes, modality)
            made = path.with_suffix(".tmp")
            open_memmap(made, "w+", kind, (count, *form)).flush()
            made.replace(path)


def _render(
    folder: Path, moments: Moments, sizes: ModelConfig, starts: Sequence[int], workers: int
) -> Generator[int, None, None]:
    """Renders chunks and yields how many are finished."""
    if workers == 1:
        for number, start in enumerate(starts, 1):
            _render_chunk(folder, moments, sizes, start)
            yield number
        return
    # Not forked: torch's threads do not survive a fork.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _prepare) as pool:
        try:
            tasks = [pool.submit(_render_chunk, folder, moments, sizes, start) for start in starts]
            for number, task in enumerate(as_completed(tasks), 1):
                task.result()
                yield number
        finally:
            pool.shutdown(cancel_futures=True)


def _prepare() -> None:
    """In a worker: one thread, and Ctrl-C is the parent's to answer."""
    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _render_chunk(folder: Path, moments: Moments, sizes: ModelConfig, start: int) -> None:
    present: dict[str, list[int]] = {modality: [] for modality in MODALITIES}
    captions: list[Sequence[str]] = []
    arrays = {m: open_memmap(folder / f"{m}.npy", "r+") for m in MODALITIES}
    for row in range(start, min(start + CHUNK, len(moments))):
        moment: Moment = moments[row]
        for modality, window in moment.windows.items():
            arrays[modality][row] = compact(window, sizes)
            present[modality].append(row)
        captions.append(moment.captions)
    # Not flushed: what is written stays when a process is killed, and waiting for the disk would
    # take as long as the rendering. Only a power failure asks for a new folder.
    # Last, and whole or not at all: this file says that the chunk is finished.
    made = _chunk(folder, start).with_suffix(f".{os.getpid()}")
    made.write_text(json.dumps({"present": present, "captions": captions}))
    made.replace(_chunk(folder, start))


def _load(folder: Path, starts: Sequence[int]) -> Cache:
    chunks = [json.loads(_chunk(folder, start).read_text()) for start in starts]
    rows: dict[Modality, NDArray[np.int64]] = {
        modality: np.array(
            [row for chunk in chunks for row in chunk["present"][modality]], np.int64
        )
        for modality in MODALITIES
    }
    arrays: dict[Modality, NDArray[np.generic]] = {
        modality: np.load(folder / f"{modality}.npy", mmap_mode="r") for modality in MODALITIES
    }
    return Cache(
        folder.name, arrays, rows, [captions for chunk in chunks for captions in chunk["captions"]]
    )
