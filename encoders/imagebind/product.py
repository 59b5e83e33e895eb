"""A timed matrix product: what a device really does, whatever its flags say."""

from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor

from encoders.imagebind.config import ModelConfig, Tower
from encoders.imagebind.device import Placement
from encoders.imagebind.footprint import tokens
from streamer.errors import EncoderFailed

_ROUNDS = 12
_ENOUGH_S = 1.0
_MOST_ROWS, _MOST_INNER = 512, 1280
"""Of a product that any machine can make in a moment: imagebind_huge's widest, and a few rows."""


@dataclass(frozen=True, slots=True)
class Product:
    """(rows, inner) times (inner, columns), in seconds: the best of several, taken in turn.

    `asked_s` on the device and in the precision asked for, `fp32_s` there in float32, `cpu_s` on
    the processor in float32. `error` is the largest difference from the product in float64, over
    its largest number.
    """

    shape: tuple[int, int, int]
    asked_s: float
    fp32_s: float
    cpu_s: float
    error: float

    @property
    def gflops(self) -> float:
        rows, inner, columns = self.shape
        return 2 * rows * inner * columns / self.asked_s / 1e9


def widest(config: ModelConfig, *towers: Tower) -> tuple[int, int, int]:
    """The largest product of a forward pass: all tokens through the first layer of an MLP."""
    tower = max(towers, key=lambda each: tokens(config, each) * config.width(each) ** 2)
    width = min(config.width(tower), _MOST_INNER)
    return min(tokens(config, tower), _MOST_ROWS), width, 4 * width


def time_product(where: Placement, shape: tuple[int, int, int]) -> Product:
    """Raises `EncoderFailed` when the device cannot do it at all."""
    rows, inner, columns = shape
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(rows, inner, generator=generator)
    right = torch.randn(inner, columns, generator=generator)
    try:
        asked, fp32, cpu = (
            (left.to(device, dtype), right.to(device, dtype))
            for device, dtype in (
                (where.device, where.dtype),
                (where.device, torch.float32),
                (torch.device("cpu"), torch.float32),
            )
        )
        exact = left.double() @ right.double()
        error = ((asked[0] @ asked[1]).double().cpu() - exact).abs().max() / exact.abs().max()
        # In turn, so that what else the machine does slows all of them.
        best = [float("inf")] * 3
        began = perf_counter()
        for turn in range(_ROUNDS):
            for index, pair in enumerate((asked, fp32, cpu)):
                best[index] = min(best[index], _seconds(*pair))
            if turn and perf_counter() - began > _ENOUGH_S:
                break
    except RuntimeError as error:
        # A build of torch for other GPUs: "no kernel image is available for execution".
        raise EncoderFailed(f"{where.reason}: {str(error).splitlines()[0]}") from error
    return Product(shape, best[0], best[1], best[2], float(error))


def _seconds(left: Tensor, right: Tensor) -> float:
    started = perf_counter()
    # A number that is asked for is waited for.
    float((left @ right)[0, 0])
    return perf_counter() - started
