"""The weights file of a trained model: float16 safetensors under the published names."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from encoders.binding.base import others
from encoders.binding.vocabulary import Vocabulary
from encoders.calibration import Calibration
from encoders.imagebind.checkpoint import tower_of
from encoders.imagebind.config import ModelConfig

EMBEDDING = "modality_preprocessors.text.token_embedding"


def finish(
    path: Path,
    state: Mapping[str, Tensor],
    metadata: Mapping[str, str],
    vocabulary: Vocabulary | None = None,
) -> None:
    """Keep finished towers in float32; `vocabulary` says which words the rows of text are."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    if vocabulary is not None:
        tensors[f"{EMBEDDING}.ids"] = torch.from_numpy(vocabulary.ids).int()
    _write(path, tensors, metadata)


def finished(path: Path) -> dict[str, str] | None:
    """What `finish` noted, or None where nothing is finished."""
    if not path.exists():
        return None
    with safe_open(path, framework="pt") as file:
        return file.metadata() or {}


def assemble(
    path: Path, parts: Iterable[Path], sizes: ModelConfig, rest: Path | None = None
) -> None:
    """One float16 file of all finished towers, with `model` (the sizes) in its header.

    Towers that no part holds are taken from the weights file `rest`, if there is one.

    Text keeps the rows of the words that were trained, and `token_embedding.ids` says which they
    are: int32, ascending CLIP token ids.
    """
    tensors: dict[str, Tensor] = {}
    for part in parts:
        with safe_open(part, framework="pt") as file:
            tensors |= {name: _half(name, file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    if rest is not None:
        tensors |= others(rest, sizes, {tower_of(name) for name in tensors})
    _write(path, tensors, {"model": json.dumps(sizes.model_dump(mode="json"))})


def stamp(path: Path, calibration: Calibration) -> None:
    """Write a calibration into the header of a weights file."""
    tensors: dict[str, Tensor] = {}
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        tensors |= {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    _write(path, tensors, metadata | {"calibration": calibration.model_dump_json()})


def _half(name: str, tensor: Tensor) -> Tensor:
    # The loader keeps scales in float32 as well.
    whole = not tensor.is_floating_point() or name.endswith("log_logit_scale")
    return tensor if whole else tensor.half()


def _write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    made = path.with_suffix(".tmp")
    save_file(dict(tensors), made, metadata=dict(metadata))
    made.replace(path)
