"""Weights from a file: any towers alone, without reading the rest.

Both formats are mapped into memory, so that a tensor's bytes are read when it is used. A file is
untrusted: nothing in it is executed, and everything in it is checked against the model.
"""

import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import safe_open
from torch import Tensor

from encoders.imagebind.config import TOWERS, Tower
from encoders.imagebind.model import ImageBindModel
from encoders.imagebind.trained_rows import IDS, WEIGHT, check_shapes, expand
from streamer.errors import EncoderFailed

T = TypeVar("T")

_PARTS = {"preprocessors", "trunks", "heads", "postprocessors"}
# imagebind_huge has 1311 tensors, described in 0.2 MB: room for ten times that.
_MAX_TENSORS = 16_384
_MAX_DESCRIPTION = 4 << 20
# Pages of a mapping stay until it goes. The file is opened anew after so many bytes of conversion.
_MAPPED_AT_ONCE = 64 << 20


@torch.no_grad()
def load_towers(
    model: ImageBindModel,
    path: Path,
    towers: Iterable[Tower] | None = None,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> None:
    """Load `towers` of `model` (None: all it has) from a `.pth` or `.safetensors` state dict.

    Parameters are replaced by the file's, as `dtype` on `device`; scales stay float32. Where
    nothing has to change the weights are the file itself, mapped: it must then not be overwritten
    while in use (replacing it by a rename is safe). The file may hold other towers. Where they are
    converted no more than 64 MB of the file, or one tensor, are mapped beside the finished weights.
    Of the token embedding it may hold the trained rows alone (`encoders.imagebind.trained_rows`).

    Raises EncoderFailed, naming file, tower and tensor, when a name is missing, unexpected, or of
    another shape, and when the file is damaged, foreign or not a plain state dict.
    """
    chosen: tuple[Tower, ...] = model.modalities if towers is None else tuple(towers)
    if not set(chosen) <= set(model.modalities):
        raise ValueError(f"towers: expected some of {model.modalities}, got {chosen}")
    for tower in chosen:
        state = model.state_dict()
        expected = {name: tuple(state[name].shape) for name in state if tower_of(name) == tower}
        ready = _read(path, tower, expected, dtype, torch.device(device))
        model.load_state_dict(ready, strict=False, assign=True)


def read_metadata(path: Path) -> Mapping[str, str]:
    """The strings in the header of a `.safetensors` file: untrusted text. A `.pth` has none.

    Raises EncoderFailed when there is no such file or it is damaged or foreign.
    """
    return _parsed(path, {".safetensors": _metadata, ".pth": _no_metadata, ".pt": _no_metadata})


def towers_in(path: Path) -> tuple[Tower, ...]:
    """The towers of which a file has anything. Raises EncoderFailed as `load_towers` does."""
    found = {tower_of(name) for name in _open(path).shapes}
    return tuple(tower for tower in TOWERS if tower in found)


def tower_of(name: str) -> Tower | None:
    """The tower that a name of the state dict belongs to: `modality_trunks.audio.blocks...`"""
    part, _, rest = name.partition(".")
    tower = rest.partition(".")[0]
    if part.partition("modality_")[2] not in _PARTS:
        return None
    return next((known for known in TOWERS if known == tower), None)


@dataclass(frozen=True, slots=True)
class _File:
    """A state dict whose tensors are fetched one by one."""

    shapes: Mapping[str, tuple[int, ...]]
    tensor: Callable[[str], Tensor]


def _read(
    path: Path,
    tower: Tower,
    expected: Mapping[str, tuple[int, ...]],
    dtype: torch.dtype,
    device: torch.device,
) -> dict[str, Tensor]:
    """The tower's tensors as they are to be used. Opens and lets go of the file."""
    file = _open_tower(path, tower, expected, dtype)
    ready: dict[str, Tensor] = {}
    converted = 0
    for name in expected:
        if converted > _MAPPED_AT_ONCE:
            del file  # the mapping goes before the next one comes
            file, converted = _open_tower(path, tower, expected, dtype), 0
        tensor = file.tensor(name)
        if not tensor.is_floating_point():
            raise EncoderFailed(f"{path}: {name}: expected floating point, got {tensor.dtype}")
        if name.endswith("log_logit_scale"):
            # A copy: one number must not keep the whole file mapped.
            ready[name] = tensor.to(device, torch.float32, copy=True)
        else:
            ready[name] = tensor.to(device, dtype).contiguous()
        if ready[name].data_ptr() != tensor.data_ptr():
            converted += tensor.nbytes
        del tensor
    return ready


def _open_tower(
    path: Path, tower: Tower, expected: Mapping[str, tuple[int, ...]], dtype: torch.dtype
) -> _File:
    """The file, held against the tower's names and shapes."""
    file = _open(path)
    if IDS in file.shapes and WEIGHT in expected:
        file = _whole_vocabulary(path, file, expected[WEIGHT], dtype)
    _check(path, tower, expected, file.shapes)
    return file


def _check(
    path: Path,
    tower: Tower,
    expected: Mapping[str, tuple[int, ...]],
    found: Mapping[str, tuple[int, ...]],
) -> None:
    for name in found:
        if tower_of(name) is None or (tower_of(name) == tower and name not in expected):
            raise EncoderFailed(
                f"{path}: tower {tower}: expected the {len(expected)} names of the published model,"
                f" got also {name[:200]!r}"
            )
    for name, shape in expected.items():
        if name not in found:
            raise EncoderFailed(
                f"{path}: tower {tower}: {name}: expected shape {shape}, got no such name"
            )
        if found[name] != shape:
            raise EncoderFailed(
                f"{path}: tower {tower}: {name}: expected shape {shape}, got {found[name]}"
            )


def _whole_vocabulary(path: Path, file: _File, table: tuple[int, ...], dtype: torch.dtype) -> _File:
    """The file as if it held every row of the token embedding, of shape `table`."""
    vocabulary, width = table
    try:
        check_shapes(file.shapes[IDS], file.shapes.get(WEIGHT, ()), (vocabulary, width))
    except ValueError as error:
        raise EncoderFailed(f"{path}: tower text: {IDS}: {error}") from None

    def tensor(name: str) -> Tensor:
        found = file.tensor(name)
        if name != WEIGHT or not found.is_floating_point():
            return found
        try:
            return expand(found, file.tensor(IDS), vocabulary, dtype)
        except ValueError as error:
            raise EncoderFailed(f"{path}: tower text: {IDS}: {error}") from None

    shapes = {name: shape for name, shape in file.shapes.items() if name != IDS}
    return _File({**shapes, WEIGHT: table}, tensor)


def _open(path: Path) -> _File:
    readers = {".pth": _open_pth, ".pt": _open_pth, ".safetensors": _open_safetensors}
    return _parsed(path, readers)


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


def _open_safetensors(path: Path) -> _File:
    """The library checks the header (at most 100 MB, offsets inside the file) and nothing more."""
    file = safe_open(path, framework="pt", device="cpu")
    names = list(file.keys())
    return _File({n: tuple(file.get_slice(n).get_shape()) for n in names}, file.get_tensor)


def _open_pth(path: Path) -> _File:
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
    return _File({name: tuple(t.shape) for name, t in tensors.items()}, tensors.__getitem__)


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
