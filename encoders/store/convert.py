"""One file a tower, in the precision that a machine computes in."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from encoders.imagebind.header import Header
from encoders.imagebind.statefile import Shape, each_tensor
from encoders.store.part import sync_folder
from encoders.store.progress import Heard
from encoders.store.towerfile import TowerFile
from encoders.store.towers import StoredTower, kept_whole, stored_towers
from streamer.errors import EncoderFailed

Precision: TypeAlias = Literal["bf16", "fp16", "fp32"]

Plan: TypeAlias = Mapping[str, tuple[Shape, torch.dtype]]


_DTYPES: Mapping[Precision, torch.dtype] = {
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "fp32": torch.float32,
}


def convert(path: Path, out: Path, precision: Precision, heard: Heard) -> list[Path]:
    """Write `TOWER.safetensors` for each tower of a file or folder into the new folder `out`.

    Scales stay float32. Every header has the model's sizes, and the calibration if there is one.
    The folder appears whole or not at all. One tensor is in memory at a time, beside what of the
    input is mapped (`each_tensor`). Raises EncoderFailed, one line: damaged input, numbers that are
    not finite or too large for `precision`, `out` exists, no room.
    """
    towers, header = stored_towers(path)
    if out.exists() or out.is_symlink():
        raise EncoderFailed(f"{out}: expected a new folder, got one that exists")
    dtype = _DTYPES[precision]
    plans = {each.tower: _plan(each, dtype) for each in towers}
    made = out.with_name(f".{out.name}.{token_hex(4)}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _check_space(out.parent, list(plans.values()))
        made.mkdir()
        for tower in towers:
            _write(made, tower, plans[tower.tower], _metadata(tower, header), heard)
        sync_folder(made)
        made.rename(out)
        sync_folder(out.parent)
    except OSError as error:
        raise EncoderFailed(f"{out}: {error.strerror}: nothing was written") from None
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return [out / f"{tower.tower}.safetensors" for tower in towers]


def _plan(tower: StoredTower, dtype: torch.dtype) -> Plan:
    """What the new file holds: what has four bytes first, so that all begin at whole numbers."""
    whole = [name for name in tower.shapes if kept_whole(name)]
    rest = [name for name in tower.shapes if not kept_whole(name)]
    return {
        **{name: (tower.shapes[name], _kept(name)) for name in whole},
        **{name: (tower.shapes[name], dtype) for name in rest},
    }


def _kept(name: str) -> torch.dtype:
    return torch.int32 if name.endswith(".ids") else torch.float32


def _write(
    folder: Path, tower: StoredTower, plan: Plan, metadata: Mapping[str, str], heard: Heard
) -> None:
    file = TowerFile(folder / f"{tower.tower}.safetensors", plan, metadata)
    done = 0

    def visit(name: str, tensor: Tensor) -> None:
        nonlocal done
        tower.check(name, tensor)
        changed = tensor.to(plan[name][1])
        tower.check(name, changed)  # what is finite in float32 need not be in float16
        file.append(name, changed)
        done += tensor.nbytes
        heard(tower.tower, done, tower.bytes)

    try:
        each_tensor(tower.path, {name: shape for name, (shape, _) in plan.items()}, visit)
    finally:
        file.close()


def _metadata(tower: StoredTower, header: Header) -> dict[str, str]:
    said = {"model": tower.sizes.model_dump_json()}
    if header.calibration is not None:
        said["calibration"] = header.calibration.model_dump_json()
    return said


def _check_space(folder: Path, plans: list[Plan]) -> None:
    needed = sum(
        torch.Size(shape).numel() * dtype.itemsize
        for plan in plans
        for shape, dtype in plan.values()
    )
    if (free := shutil.disk_usage(folder).free) < needed:
        raise EncoderFailed(f"{folder}: expected {needed} bytes of free space, got {free}")
