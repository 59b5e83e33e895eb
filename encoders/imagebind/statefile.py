"""State dicts in files that nobody vouches for, and folders with one for each tower.

Both formats are mapped into memory. Nothing in a file is executed, and every length in it is held
against the file's before anything is allocated.
"""

import zipfile
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

import torch
from safetensors import safe_open
from torch import Tensor

from encoders.imagebind.config import TOWERS, Tower
from streamer.errors import EncoderFailed

T = TypeVar("T")

Shape: TypeAlias = tuple[int, ...]

# imagebind_huge has 1311 tensors, described in 0.2 MB: room for ten times that.
_MAX_TENSORS = 16_384
_MAX_DESCRIPTION = 4 << 20

# Mapped bytes that were looked at count as this process's memory until the file is let go.
_MAX_MAPPED = 256 << 20


@dataclass(frozen=True, slots=True)
class StateFile:
    """A state dict whose tensors are fetched one by one, each a view of the mapped file."""

    shapes: Mapping[str, Shape]
    tensor: Callable[[str], Tensor]


def tower_files(folder: Path) -> dict[Tower, Path]:
    """The files of a folder of converted weights. Raises EncoderFailed when there is none."""
    found: dict[Tower, Path] = {}
    for tower in TOWERS:
        if (file := folder / f"{tower}.safetensors").is_file():
            found[tower] = file
    if not found:
        raise EncoderFailed(f"{folder}: expected a TOWER.safetensors for each tower, got none")
    return found


def tower_path(path: Path, tower: Tower) -> Path:
    """The file that holds the tower: `path` itself, or the one of a folder.

    Raises EncoderFailed when the folder has none for it.
    """
    if not path.is_dir():
        return path
    files = tower_files(path)
    if tower not in files:
        raise EncoderFailed(f"{path}: expected {tower}.safetensors, got {', '.join(files)} alone")
    return files[tower]


def read_metadata(path: Path) -> Mapping[str, str]:
    """The strings in the header of a `.safetensors` file: untrusted text. A `.pth` has none.

    Raises EncoderFailed when there is no such file or it is damaged or foreign.
    """
    return _parsed(path, {".safetensors": _metadata, ".pth": _no_metadata, ".pt": _no_metadata})


def open_state(path: Path) -> StateFile:
    """Raises EncoderFailed, one line, when the file is damaged, foreign or no plain state dict."""
    readers = {".pth": _open_pth, ".pt": _open_pth, ".safetensors": _open_safetensors}
    return _parsed(path, readers)


def each_tensor(
    path: Path, shapes: Mapping[str, Shape], visit: Callable[[str, Tensor], object]
) -> None:
    """Show `visit` the tensors of a file that `shapes` names, in that order.

    The file is let go now and then, so that reading all of it needs memory for 256 MiB and one
    tensor; `visit` must keep none. Raises EncoderFailed when a shape is no longer that.
    """
    left = deque(shapes)
    while left:
        file, seen = open_state(path), 0
        while left and seen < _MAX_MAPPED:
            name = left.popleft()
            if file.shapes.get(name) != shapes[name]:
                raise EncoderFailed(f"{path}: {name}: changed while it was read")
            tensor = file.tensor(name)
            seen += tensor.nbytes
            visit(name, tensor)
            del tensor
        del file


def _parsed(path: Path, readers: Mapping[str, Callable[[Path], T]]) -> T:
    """What the reader for the file's ending makes of it; whatever it raises, one clear line."""
    if path.suffix not in readers:
        raise EncoderFailed(f"{path}: expected a .pth or .safetensors file, got {path.suffix!r}")
    try:
        return readers[path.suffix](path)
    except EncoderFailed:
        raise
    except Exception as error:
        # Hostile or damaged bytes can make a parser raise anything; here all of it is the file's.
        first = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise EncoderFailed(f"{path}: expected a {path.suffix} state dict, got: {first}") from error


def _metadata(path: Path) -> Mapping[str, str]:
    return safe_open(path, framework="pt", device="cpu").metadata() or {}


def _no_metadata(path: Path) -> Mapping[str, str]:
    del path  # what is wrong with it is told when it is loaded
    return {}


def _open_safetensors(path: Path) -> StateFile:
    """The library checks the header (at most 100 MB, offsets inside the file) and nothing more."""
    file = safe_open(path, framework="pt", device="cpu")
    names = list(file.keys())
    return StateFile({n: tuple(file.get_slice(n).get_shape()) for n in names}, file.get_tensor)


def _open_pth(path: Path) -> StateFile:
    data_bytes = _check_archive(path)
    state = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    if not isinstance(state, dict):
        raise EncoderFailed(f"{path}: expected a state dict, got {type(state).__name__}")
    tensors: dict[str, Tensor] = {}
    storages: dict[int, int] = {}
    for name, value in state.items():
        if not isinstance(name, str) or not _is_plain(value):
            raise EncoderFailed(
                f"{path}: expected tensors under names, got {type(value).__name__}"
                f" under {str(name)[:200]!r}"
            )
        tensors[name] = value
        storage = value.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
    if sum(storages.values()) != data_bytes:
        raise EncoderFailed(
            f"{path}: expected {sum(storages.values())} bytes of numbers, got {data_bytes}"
        )
    return StateFile({name: tuple(t.shape) for name, t in tensors.items()}, tensors.__getitem__)


def _is_plain(value: object) -> bool:
    return (
        isinstance(value, Tensor)
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and not value.is_nested
        and not value.is_quantized
    )


def _check_archive(path: Path) -> int:
    """Refuse an archive that would unpack to more than its own size. Returns its bytes of numbers.

    `torch.save` stores without compression; an inflating member would be unpacked unbounded.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if len(members) > _MAX_TENSORS:
        raise EncoderFailed(f"{path}: expected at most {_MAX_TENSORS} members, got {len(members)}")
    for member in members:
        limit = _MAX_DESCRIPTION if "/data/" not in member.filename else path.stat().st_size
        if member.compress_type != zipfile.ZIP_STORED or member.file_size > limit:
            raise EncoderFailed(
                f"{path}: expected uncompressed members as torch.save writes them, of at most"
                f" {limit} bytes, got {member.filename[:200]!r} of {member.file_size}"
            )
    return sum(member.file_size for member in members if "/data/" in member.filename)
