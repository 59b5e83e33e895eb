"""Where the model runs and in which precision: asked for, or chosen with a reason for the log."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import torch

from streamer.errors import EncoderFailed

DeviceChoice: TypeAlias = Literal["auto", "cpu", "cuda"]
Precision: TypeAlias = Literal["fp32", "bf16", "fp16"]
PrecisionChoice: TypeAlias = Literal["auto"] | Precision

_DTYPES: dict[Precision, torch.dtype] = {
    "fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16,
}  # fmt: skip
_BF16_CAPABILITY = (8, 0)  # Ampere; Orin has 8.7, Xavier 7.2


@dataclass(frozen=True, slots=True)
class Placement:
    device: torch.device
    dtype: torch.dtype
    reason: str
    """Why, in a line for the log."""

    @property
    def precision(self) -> Precision:
        return next(name for name, dtype in _DTYPES.items() if dtype == self.dtype)


@dataclass(frozen=True, slots=True)
class GpuMemory:
    """In bytes. `integrated`: it is the machine's own memory, as on a Jetson."""

    free: int
    total: int
    integrated: bool


def place(device: DeviceChoice = "auto", precision: PrecisionChoice = "auto") -> Placement:
    """Choose device and precision.

    What is asked for is given or refused, never replaced: `cuda` without a GPU, and `bf16` on a
    GPU that only emulates it, raise EncoderFailed. fp16 runs on a CPU, but slower than fp32.
    """
    cuda = torch.cuda.is_available()
    if device == "cuda" and not cuda:
        built = "finds no GPU" if torch.version.cuda else "is built without CUDA"
        raise EncoderFailed(f"device: expected cuda, but torch {torch.__version__} {built}")
    if device == "cpu" or not cuda:
        why = "as asked" if device == "cpu" else "no CUDA GPU"
        dtype, reason = cpu_precision(precision, fast_bf16=cpu_has_bf16())
        return Placement(torch.device("cpu"), dtype, f"cpu ({why}), {reason}")
    name = torch.cuda.get_device_name()
    why = "as asked" if device == "cuda" else "GPU found"
    dtype, reason = cuda_precision(precision, torch.cuda.get_device_capability())
    return Placement(torch.device("cuda"), dtype, f"cuda ({why}: {name}), {reason}")


def gpu_memory() -> GpuMemory | None:
    """Of the GPU that `place` would choose; None without one."""
    if not torch.cuda.is_available():
        return None
    free, total = torch.cuda.mem_get_info()
    return GpuMemory(free, total, bool(torch.cuda.get_device_properties().is_integrated))


def cpu_precision(precision: PrecisionChoice, *, fast_bf16: bool) -> tuple[torch.dtype, str]:
    if precision != "auto":
        slow = precision == "fp16" or (precision == "bf16" and not fast_bf16)
        note = ": this processor has no fast arithmetic for it" if slow else ""
        return _DTYPES[precision], f"{precision} (as asked{note})"
    if fast_bf16:
        return torch.bfloat16, "bf16 (the processor multiplies bf16)"
    return torch.float32, "fp32 (the processor has no bf16 arithmetic)"


def cuda_precision(
    precision: PrecisionChoice, capability: tuple[int, int]
) -> tuple[torch.dtype, str]:
    version = f"{capability[0]}.{capability[1]}"
    has_bf16 = capability >= _BF16_CAPABILITY
    if precision == "bf16" and not has_bf16:
        raise EncoderFailed(
            f"precision: bf16 expects compute capability 8.0, this GPU has {version}; use fp16"
        )
    if precision != "auto":
        return _DTYPES[precision], f"{precision} (as asked)"
    if has_bf16:
        return torch.bfloat16, f"bf16 (compute capability {version})"
    return torch.float16, f"fp16 (compute capability {version} has no bf16)"


def cpu_has_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor multiplies bf16 in hardware; false where Linux does not say."""
    try:
        words = cpuinfo.read_text().split()
    except OSError:
        return False
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(words)
