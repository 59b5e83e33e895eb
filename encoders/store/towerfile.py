"""Writes one tower as `.safetensors`, tensor by tensor: the library writes whole models only."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import torch
from torch import Tensor

from encoders.imagebind.statefile import Shape

_NAMES = {
    torch.float32: "F32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.int32: "I32",
    torch.int64: "I64",
}


class TowerFile:
    """A new file whose header says all that will come; then each tensor once, in that order."""

    def __init__(
        self,
        path: Path,
        tensors: Mapping[str, tuple[Shape, torch.dtype]],
        metadata: Mapping[str, str],
    ) -> None:
        self._left = dict(tensors)
        self._file: IO[bytes] = path.open("xb")
        header: dict[str, object] = {"__metadata__": dict(metadata)}
        at = 0
        for name, (shape, dtype) in tensors.items():
            end = at + torch.Size(shape).numel() * dtype.itemsize
            header[name] = {
                "dtype": _NAMES[dtype],
                "shape": list(shape),
                "data_offsets": [at, end],
            }
            at = end
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8
        self._file.write(len(text).to_bytes(8, "little") + text)

    def append(self, name: str, tensor: Tensor) -> None:
        shape, dtype = self._left.pop(name)
        if (tuple(tensor.shape), tensor.dtype) != (shape, dtype):
            raise ValueError(f"{name}: expected {shape} {dtype}, got {tensor.shape} {tensor.dtype}")
        self._file.write(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)

    def close(self) -> None:
        """Onto the disk, if all has come. Raises OSError."""
        with self._file as file:
            file.flush()
            os.fsync(file.fileno())
