"""Device and precision are what was asked for, or chosen with a reason."""

from pathlib import Path

import pytest
import torch

from encoders.imagebind import device
from encoders.imagebind.device import place
from streamer.errors import EncoderFailed


@pytest.mark.skipif(torch.cuda.is_available(), reason="a machine without a GPU is the case tested")
def test_a_gpu_asked_for_and_absent_is_an_error_and_not_a_cpu():
    with pytest.raises(EncoderFailed, match="device: expected cuda"):
        place("cuda", "fp32")
    found = place("auto", "fp32")
    assert (found.device.type, found.reason) == ("cpu", "cpu (no CUDA GPU), fp32 (as asked)")


@pytest.mark.parametrize(
    ("asked", "dtype"),
    [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)],
)
def test_a_precision_asked_for_is_given(asked: device.PrecisionChoice, dtype: torch.dtype):
    found = place("cpu", asked)
    assert found.device == torch.device("cpu")
    assert found.dtype == dtype
    assert f"{asked} (as asked" in found.reason


@pytest.mark.parametrize(
    ("flags", "fast"),
    [
        ("flags : fpu avx512f avx512_bf16 sha_ni", True),
        ("Features : fp asimd sha2 bf16 i8mm", True),
        ("flags : fpu avx2 avx512f", False),
        ("Features : fp asimd asimdhp asimddp", False),  # Jetson Orin
    ],
)
def test_auto_takes_bf16_where_the_processor_multiplies_it(tmp_path: Path, flags: str, fast: bool):
    (tmp_path / "cpuinfo").write_text(flags + "\n")
    assert device.cpu_has_bf16(tmp_path / "cpuinfo") is fast
    dtype, reason = device.cpu_precision("auto", fast_bf16=fast)
    assert dtype == (torch.bfloat16 if fast else torch.float32)
    assert ("has no bf16" in reason) is not fast
    assert device.cpu_has_bf16(tmp_path / "absent") is False


def test_auto_on_a_gpu_goes_by_its_generation():
    assert device.cuda_precision("auto", (8, 7))[0] == torch.bfloat16
    assert device.cuda_precision("auto", (7, 2))[0] == torch.float16
    assert device.cuda_precision("fp32", (7, 2))[0] == torch.float32
    with pytest.raises(EncoderFailed, match=r"bf16 expects compute capability 8.0, .* has 7.2"):
        device.cuda_precision("bf16", (7, 2))
