"""What the processor can do that matters here, and whether the precision suits it."""

import os
from collections.abc import Collection
from pathlib import Path

from encoders.imagebind.device import Precision
from streamer.cli.doctor.finding import Finding

# What torch's products are written for, in words of /proc/cpuinfo, on x86 and on aarch64.
FEATURES = {
    "avx2": "AVX2", "avx512f": "AVX-512", "avx512_bf16": "AVX-512 bf16",
    "avx512_fp16": "AVX-512 fp16", "amx_bf16": "AMX bf16", "amx_fp16": "AMX fp16",
    "asimd": "NEON", "asimdhp": "NEON fp16", "sve": "SVE", "bf16": "bf16", "i8mm": "i8mm",
}  # fmt: skip
MULTIPLIES: dict[Precision, frozenset[str]] = {
    "bf16": frozenset({"avx512_bf16", "amx_bf16", "bf16"}),
    "fp16": frozenset({"avx512_fp16", "amx_fp16", "asimdhp"}),
}


def processor(precision: Precision | None, cpuinfo: Path = Path("/proc/cpuinfo")) -> Finding:
    """`precision` is what the processor is to multiply in; None where it does not."""
    try:
        words = set(cpuinfo.read_text().split())
    except OSError:
        return Finding("processor", "warn", f"{cpuinfo} does not say", "none on this system")
    return judge(words, len(os.sched_getaffinity(0)), precision)


def judge(words: Collection[str], cores: int, precision: Precision | None) -> Finding:
    has = [name for word, name in FEATURES.items() if word in words]
    said = f"{cores} cores for this process, {', '.join(has) or 'no vector units known here'}"
    if precision in MULTIPLIES and MULTIPLIES[precision].isdisjoint(words):
        return Finding(
            "processor",
            "warn",
            f"{said}; it has no arithmetic for {precision}, which is emulated",
            "set encoder.precision to auto or fp32, unless only half the memory is there",
        )
    if not {"avx2", "asimd"} & set(words):
        return Finding(
            "processor",
            "warn",
            f"{said}; torch is slow without AVX2 or NEON",
            "take another machine; in a virtual one, pass the host's processor through",
        )
    return Finding("processor", "pass", said)
