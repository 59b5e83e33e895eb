"""Training little of a large tower: its head alone, or low-rank adapters beside it.

Both need what they train or adapt in float32: a change smaller than half a step of a half-precision
weight is lost. Multiply in bf16 under autocast instead.
"""

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from encoders.imagebind.attention import Attention
from encoders.imagebind.config import Tower
from encoders.imagebind.model import ImageBindModel


class LowRank(nn.Module):
    """LoRA (arXiv 2106.09685): a weight (parts x width, width) plus up @ down x alpha / rank.

    Each square part (queries, keys, values) has a pair of its own, `down` (parts, rank, width) and
    `up` (parts, width, rank). `up` starts at zero, so the weight starts unchanged.
    """

    def __init__(self, weight: Tensor, rank: int, alpha: float) -> None:
        super().__init__()
        width = weight.shape[1]
        parts = len(weight) // width
        self.scale = alpha / rank
        # Inputs of unit variance keep it on the way down.
        self.down = nn.Parameter(weight.new_empty(parts, rank, width).normal_(0, width**-0.5))
        self.up = nn.Parameter(weight.new_zeros(parts, width, rank))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (self.up @ self.down).flatten(0, 1) * self.scale


def heads_only(model: ImageBindModel, tower: Tower) -> list[nn.Parameter]:
    """Freeze all of `model` but the head of `tower`, its LayerNorm and linear map: returns these.

    Call it (and `add_lora`) when the weights are loaded. Stochastic depth and dropout of the frozen
    part still act in training mode. Raises ValueError for a tower that is missing, still on the
    meta device, or in half precision.
    """
    _check_tower(model, tower)
    head = list(model.modality_heads[tower].parameters())
    _check_weights(tower, head)
    model.requires_grad_(False)
    for parameter in head:
        parameter.requires_grad_()
    return head


def add_lora(
    model: ImageBindModel, tower: Tower, rank: int = 4, alpha: float = 4.0
) -> list[nn.Parameter]:
    """`heads_only`, and low-rank adapters on all attention projections of `tower`.

    Returns the trainable parameters. Until trained, the adapters change nothing. State-dict names
    of the adapted weights change (`...attn.parametrizations.in_proj_weight.original`) until
    `merge_lora`. `alpha / rank` scales the adapters, so that the rate need not follow the rank.
    Raises ValueError as `heads_only`, and for a tower that has adapters already.
    """
    if not rank >= 1:
        raise ValueError(f"rank: expected at least 1, got {rank}")
    places = _projections(model, tower)
    if any(parametrize.is_parametrized(*place) for place in places):
        raise ValueError(f"{tower}: expected a tower without adapters")
    weights = [cast(Tensor, getattr(*place)) for place in places]
    _check_weights(tower, weights)
    trained = heads_only(model, tower)
    for (module, name), weight in zip(places, weights, strict=True):
        adapter = LowRank(weight, rank, alpha)
        parametrize.register_parametrization(module, name, adapter)
        trained += adapter.parameters()
    return trained


def merge_lora(model: ImageBindModel, tower: Tower) -> None:
    """Fold the adapters of `tower` into its weights: names and shapes are the published ones again.

    Raises ValueError for a tower without adapters.
    """
    places = _projections(model, tower)
    if not all(parametrize.is_parametrized(*place) for place in places):
        raise ValueError(f"{tower}: expected a tower with adapters")
    for module, name in places:
        parametrize.remove_parametrizations(module, name, leave_parametrized=True)


def _projections(model: ImageBindModel, tower: Tower) -> list[tuple[nn.Module, str]]:
    """Each weight of (parts x width, width) around attention, as its module and name."""
    _check_tower(model, tower)
    attentions = [m for m in model.modality_trunks[tower].modules() if isinstance(m, Attention)]
    return [
        place
        for attention in attentions
        for place in ((attention, "in_proj_weight"), (attention.out_proj, "weight"))
    ]


def _check_tower(model: ImageBindModel, tower: Tower) -> None:
    if tower not in model.modalities:
        raise ValueError(f"{tower}: expected one of the towers {model.modalities}")


def _check_weights(tower: Tower, weights: Iterable[Tensor]) -> None:
    for weight in weights:
        if weight.is_meta or torch.finfo(weight.dtype).bits < 32:
            got = f"{weight.dtype} on {weight.device.type}"
            raise ValueError(f"{tower}: expected loaded weights in float32, got {got}")
