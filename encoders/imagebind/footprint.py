"""How much memory a model needs, from its sizes alone. Arithmetic: nothing is built.

A configuration may ask for more than any machine has, and building a model to find that out would
be what it warns of.
"""

import math
from collections.abc import Iterable

from encoders.imagebind.config import IMU_AXES, RGB, ModelConfig, Tower

_ALIVE = 12
"""Numbers a token and channel that a block holds at once: the token, its normalised copy, q, k and
v, and the MLP's hidden layer before and after its activation."""

WORKSPACE_BYTES = 64 << 20
"""What the libraries under torch set aside; measured: 30 MiB for the smallest tower."""


def parameters(config: ModelConfig, tower: Tower) -> int:
    """The numbers in a tower's state dict, masks and scales included."""
    width, out = config.width(tower), config.out_embed_dim
    extra_token = tower not in {"vision", "text"}
    # Two norms; q, k, v and what joins them; the MLP, four times as wide. Each with its biases.
    block = 4 * width + 4 * (width**2 + width) + 8 * width**2 + 5 * width
    trunk = config.num_blocks(tower) * (block + 2 * width * extra_token)
    if tower == "vision":
        trunk += 2 * width
    scale = 0 if tower == "vision" else 1
    return _before(config, tower) + trunk + 2 * width + width * out + scale


def weights_bytes(config: ModelConfig, towers: Iterable[Tower], number_bytes: int) -> int:
    return number_bytes * sum(parameters(config, tower) for tower in towers)


def activation_bytes(config: ModelConfig, tower: Tower, batch: int, number_bytes: int) -> int:
    """The most that a forward pass of `batch` inputs holds beside the weights, roughly."""
    return _ALIVE * batch * tokens(config, tower) * config.width(tower) * number_bytes


def tokens(config: ModelConfig, tower: Tower) -> int:
    if tower == "text":
        return config.context_length
    return 1 + math.prod(config.grid(tower))


def _before(config: ModelConfig, tower: Tower) -> int:
    """What turns an input into tokens: stem, class token, positions."""
    width = config.width(tower)
    positions = tokens(config, tower) * width
    match tower:
        case "text":
            return positions + config.context_length**2 + config.vocab_size * width
        case "vision":
            return positions + width + RGB * math.prod(config.kernel_size) * width
        case "imu":
            return positions + width + IMU_AXES * config.imu_kernel_size * width + 2 * width
        case _:
            side = {
                "audio": config.audio_kernel_size,
                "depth": config.depth_kernel_size,
                "thermal": config.thermal_kernel_size,
            }[tower]
            return positions + width + side**2 * width + 2 * width
