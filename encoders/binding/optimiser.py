"""AdamW with weight decay where it belongs."""

from collections.abc import Iterable

import torch
from torch import nn

FREE = ("cls_token", "pos_embed", "token_embedding.weight", "bias_k", "bias_v", "log_logit_scale")


def adamw(
    parameters: Iterable[tuple[str, nn.Parameter]], weight_decay: float, beta2: float
) -> torch.optim.AdamW:
    """Decay on matrices and kernels only: not on biases and norms (one axis), tokens, positions."""
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for name, parameter in parameters:
        if parameter.requires_grad:
            (free if parameter.ndim < 2 or name.endswith(FREE) else decayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, beta2), fused=True)
