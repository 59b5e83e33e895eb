"""Weights from a file or folder: any towers alone, without reading the rest.

A tensor's bytes are read when it is used. A file is untrusted: nothing in it is executed
(`encoders.imagebind.statefile`), and everything in it is checked against the model.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from encoders.imagebind.config import TOWERS, Tower
from encoders.imagebind.model import ImageBindModel
from encoders.imagebind.statefile import Shape, StateFile, open_state, tower_files, tower_path
from encoders.imagebind.trained_rows import IDS, WEIGHT, check_shapes, expand
from streamer.errors import EncoderFailed

SCALE = "log_logit_scale"

_PARTS = {"preprocessors", "trunks", "heads", "postprocessors"}
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
    """Load `towers` of `model` (None: all it has) from a `.pth` or `.safetensors` state dict, or
    from a folder with a `TOWER.safetensors` for each.

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


def towers_in(path: Path) -> tuple[Tower, ...]:
    """The towers of which a file or folder has anything. Raises EncoderFailed as `load_towers`."""
    if path.is_dir():
        return tuple(tower_files(path))
    found = {tower_of(name) for name in open_state(path).shapes}
    return tuple(tower for tower in TOWERS if tower in found)


def tower_of(name: str) -> Tower | None:
    """The tower that a name of the state dict belongs to: `modality_trunks.audio.blocks...`"""
    part, _, rest = name.partition(".")
    tower = rest.partition(".")[0]
    if part.partition("modality_")[2] not in _PARTS:
        return None
    return next((known for known in TOWERS if known == tower), None)


def _read(
    path: Path,
    tower: Tower,
    expected: Mapping[str, Shape],
    dtype: torch.dtype,
    device: torch.device,
) -> dict[str, Tensor]:
    """The tower's tensors as they are to be used. Opens and lets go of the file."""
    path = tower_path(path, tower)
    file = _held_against(path, tower, expected)
    ready: dict[str, Tensor] = {}
    converted = 0
    for name, shape in expected.items():
        if converted > _MAPPED_AT_ONCE:
            del file  # the mapping goes before the next one comes
            file, converted = _held_against(path, tower, expected), 0
        tensor = file.tensor(name)
        if not tensor.is_floating_point():
            raise EncoderFailed(f"{path}: {name}: expected floating point, got {tensor.dtype}")
        if name == WEIGHT and IDS in file.shapes:
            tensor = _whole_vocabulary(path, tensor, file.tensor(IDS), shape[0], dtype)
        if name.endswith(SCALE):
            # A copy: one number must not keep the whole file mapped.
            ready[name] = tensor.to(device, torch.float32, copy=True)
        else:
            ready[name] = tensor.to(device, dtype).contiguous()
        if ready[name].data_ptr() != tensor.data_ptr():
            converted += tensor.nbytes
        del tensor
    return ready


def _held_against(path: Path, tower: Tower, expected: Mapping[str, Shape]) -> StateFile:
    """The file, which has the tower's names and shapes. Raises EncoderFailed where it has not."""
    file = open_state(path)
    check_tower(path, tower, expected, file.shapes)
    return file


def check_tower(
    path: Path, tower: Tower, expected: Mapping[str, Shape], found: Mapping[str, Shape]
) -> None:
    """Hold a file's names and shapes against the tower's. Raises EncoderFailed."""
    if IDS in found and WEIGHT in expected:
        vocabulary, width = expected[WEIGHT]
        try:
            check_shapes(found[IDS], found.get(WEIGHT, ()), (vocabulary, width))
        except ValueError as error:
            raise EncoderFailed(f"{path}: tower text: {IDS}: {error}") from None
        found = {name: found[name] for name in found if name != IDS} | {WEIGHT: expected[WEIGHT]}
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


def _whole_vocabulary(
    path: Path, rows: Tensor, ids: Tensor, vocabulary: int, dtype: torch.dtype
) -> Tensor:
    """Every row of the token embedding, from the trained ones."""
    try:
        return expand(rows, ids, vocabulary, dtype)
    except ValueError as error:
        raise EncoderFailed(f"{path}: tower text: {IDS}: {error}") from None
