"""Small files of weights in the packaged format: half precision, few words, sizes in the header."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from encoders.imagebind.model import ImageBindModel
from encoders.imagebind.tokenizer import END, START
from encoders.imagebind.trained_rows import IDS, WEIGHT
from encoders.imagebind.weights import random_weights
from tests.tiny import TINY

TRAINED = (0, 3, 17, 58, 59)

SPEAKING: dict[str, Any] = {**TINY, "vocab_size": 49408}
"""A tiny model that knows CLIP's tokens."""
SPOKEN = (0, *range(320, 1000), START, END)


def packed_state(
    sizes: dict[str, Any] = TINY, trained: tuple[int, ...] = TRAINED
) -> dict[str, Tensor]:
    """All six towers in float16, the token embedding cut to the rows `trained`."""
    with torch.device("meta"):
        model = ImageBindModel(**sizes)
    random_weights(model, 0, dtype=torch.float16)
    state = dict(model.state_dict())
    state[WEIGHT] = state[WEIGHT][list(trained)].contiguous()
    state[IDS] = torch.tensor(trained, dtype=torch.int32)
    return state


def save_packed(
    path: Path,
    state: dict[str, Tensor],
    *,
    model: Any = TINY,
    calibration: Any = None,
) -> Path:
    """Write `state`; `model` and `calibration` go into the header as JSON, text as it is."""
    said = {"model": model, "calibration": calibration}
    metadata = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in said.items()
        if value is not None
    }
    save_file(state, path, metadata=metadata)
    return path
