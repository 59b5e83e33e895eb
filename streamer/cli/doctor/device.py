"""The device that is really used: a timed matrix product, not a flag."""

from pathlib import Path

from configs.schema import RunConfig
from encoders.imagebind.device import Placement, place
from encoders.imagebind.product import Product, time_product, widest
from encoders.imagebind.runtime import ImageBindEncoder
from streamer.cli.doctor.finding import Finding, milliseconds
from streamer.cli.doctor.towers import sizes_of, towers_of
from streamer.errors import EncoderFailed

# Where NVIDIA's driver shows itself, on a PC and on a Jetson.
DRIVERS = (Path("/proc/driver/nvidia/version"), Path("/etc/nv_tegra_release"))
REMEDY = "set encoder.device and encoder.precision to auto, or install a torch built for this GPU"

WRONG = {"fp32": 1e-3, "bf16": 5e-2, "fp16": 5e-2}
"""Further off than this, over the largest number of the product, is no rounding."""

SLOWER = 1.15
"""Times differ by less than this for no reason."""


def placement(config: RunConfig) -> Placement | None:
    """None where the encoder computes nothing, or cannot be put where it is asked to be."""
    if not isinstance(config.encoder, ImageBindEncoder):
        return None
    try:
        return place(config.encoder.device, config.encoder.precision)
    except EncoderFailed:
        return None  # the check of the device says so


def device(config: RunConfig) -> Finding:
    """Raises `EncoderFailed` where the device that is asked for cannot be had."""
    if not isinstance(config.encoder, ImageBindEncoder):
        return Finding("device", "pass", f"none: encoder {config.encoder.kind} computes nothing")
    where = place(config.encoder.device, config.encoder.precision)
    sizes, _ = sizes_of(config.encoder)
    product = time_product(where, widest(sizes, *towers_of(config)))
    driver = any(path.exists() for path in DRIVERS)
    asked_for_cpu = config.encoder.device == "cpu"
    return judge(where, product, unused_gpu=driver and not asked_for_cpu)


def judge(where: Placement, product: Product, *, unused_gpu: bool) -> Finding:
    """`unused_gpu`: NVIDIA's driver is there, and nobody asked for the processor."""
    on_gpu, half = where.device.type == "cuda", where.precision != "fp32"
    rows, inner, columns = product.shape
    said = (
        f"{where.reason}; a product of {rows}x{inner} and {inner}x{columns} takes "
        f"{milliseconds(product.asked_s)} ({product.gflops:.3g} GFLOP/s)"
    )
    if half:
        said += f", in fp32 {milliseconds(product.fp32_s)}"
    if on_gpu:
        said += f", on the processor in fp32 {milliseconds(product.cpu_s)}"
    # Written so that NaN fails too.
    if not product.error < WRONG[where.precision]:
        return Finding(
            "device", "fail", f"{said}; its result is wrong by {product.error:.2g}", REMEDY
        )
    if on_gpu and product.asked_s > product.cpu_s * SLOWER:
        remedy = (
            "see what else uses the GPU and in which power mode it is; or set encoder.device=cpu"
        )
        return Finding("device", "warn", f"{said}: the processor is faster than the GPU", remedy)
    if half and product.asked_s > product.fp32_s * SLOWER:
        remedy = "set encoder.precision=fp32, unless only half the memory is there"
        return Finding("device", "warn", f"{said}: {where.precision} is slower than fp32", remedy)
    if unused_gpu and not on_gpu:
        remedy = "install a torch that is built with CUDA for it, or set encoder.device=cpu"
        return Finding("device", "warn", f"{said}; NVIDIA's driver is there and unused", remedy)
    return Finding("device", "pass", said)
