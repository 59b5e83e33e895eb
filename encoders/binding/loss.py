"""The loss that binds two towers, and which pairs it must not push apart.

**False negatives.** The loss takes every other row of the batch for a negative. Two rows may show
the same thing all the same (two barking dogs), and are then pushed apart although they belong
together: with few concepts and large batches nearly every row meets some. Supervised contrast
(arXiv 2004.11362) makes such pairs positives, which needs class labels and pulls a dog's vector to
every other dog's. Debiased contrast (arXiv 2007.00224) subtracts their expected share from the
denominator without knowing which they are, which needs the share and more variance. Here a pair
that a rule calls the `same` leaves the denominators: neither pulled nor pushed. No rule reads class
labels:

- `Captions.same`: a caption of one picture is among the captions of the other. Never wrong where
  captions are complete, but other words for the same thing are missed, and two scenes of one short
  caption are no longer told apart.
- `same_by_similarity`: the vectors of a frozen anchor nearly agree. Needs no words, so it fits
  where a modality must not meet text. The anchor's mistakes become the rule's: below a good
  threshold the hardest true negatives go too, above it false ones stay, and a threshold does not
  carry over to another anchor.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def symmetric_info_nce(
    a: Tensor,
    b: Tensor,
    temperature: float,
    same: Tensor | None = None,
    *,
    block: int | None = None,
) -> Tensor:
    """Mean of the cross entropies of finding b's row for a's (B, D) and a's for b's; a scalar.

    Rows are unit vectors, row i of `a` belongs to row i of `b`; logits are cosines / temperature
    (InfoNCE, arXiv 1807.03748). `same` (B, B) bool: a row of `a` and a row of `b` that are not
    negatives of each other although they were not captured together; its diagonal is not read.

    Computed in float32 or finer, forward and backward, also within autocast. Logits are held for
    `block` rows at a time (None: all) and computed again for the gradient, so that memory beyond
    the arguments is O(block x B); the result does not depend on `block`. Differentiable once.
    Raises ValueError when shapes or numbers do not fit.
    """
    rows = len(a)
    if a.ndim != 2 or a.shape != b.shape or not rows:
        raise ValueError(f"expected two (B, D), got {tuple(a.shape)} and {tuple(b.shape)}")
    if same is not None and (same.dtype != torch.bool or same.shape != (rows, rows)):
        raise ValueError(f"same: expected bool {(rows, rows)}, got {same.dtype} {same.shape}")
    if not temperature > 0 or (block is not None and block < 1):
        raise ValueError(f"expected temperature > 0, block >= 1, got {temperature}, {block}")
    dtype = torch.promote_types(torch.promote_types(a.dtype, b.dtype), torch.float32)
    same = None if same is None else same.to(a.device)
    return _InfoNce.apply(a.to(dtype), b.to(dtype), temperature, same, block or rows)


class _InfoNce(torch.autograd.Function):
    """With p the softmax of a row, q that of a column: d loss / d logits = (p + q - 2 I) / 2B."""

    @staticmethod
    def forward(
        ctx: Any, a: Tensor, b: Tensor, temperature: float, same: Tensor | None, block: int
    ) -> Tensor:
        of_rows: list[Tensor] = []
        of_columns = a.new_full((len(a),), -torch.inf)
        own = a.new_zeros(())
        for start in range(0, len(a), block):
            logits = _logits(a, b, temperature, same, start, block)
            of_rows.append(logits.logsumexp(dim=1))
            of_columns = torch.logaddexp(of_columns, logits.logsumexp(dim=0))
            own += logits.diagonal(start).sum()
        total = torch.cat(of_rows)
        ctx.save_for_backward(a, b, same, total, of_columns)
        ctx.temperature, ctx.block = temperature, block
        return ((total.sum() + of_columns.sum()) / 2 - own) / len(a)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - the decorator's type
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        a, b, same, of_rows, of_columns = ctx.saved_tensors
        wants_a, wants_b = ctx.needs_input_grad[:2]
        grad_a = torch.empty_like(a) if wants_a else None
        grad_b = torch.zeros_like(b) if wants_b else None
        scale = grad / (2 * len(a) * ctx.temperature)
        for start in range(0, len(a), ctx.block):
            part = slice(start, start + ctx.block)
            logits = _logits(a, b, ctx.temperature, same, start, ctx.block)
            wrong = (logits - of_rows[part, None]).exp_()
            wrong += logits.sub_(of_columns).exp_()
            wrong.diagonal(start).sub_(2)
            wrong *= scale
            # Autocast leaves products alone that are written to a given tensor.
            if grad_a is not None:
                torch.mm(wrong, b, out=grad_a[part])
            if grad_b is not None:
                grad_b.addmm_(wrong.T, a[part])
        return grad_a, grad_b, None, None, None


def _logits(
    a: Tensor, b: Tensor, temperature: float, same: Tensor | None, start: int, block: int
) -> Tensor:
    """(up to block, B): rows from `start` on, -inf where the two are the same thing."""
    with torch.autocast(a.device.type, enabled=False):
        logits = a[start : start + block] @ b.T
    logits /= temperature
    if same is not None:
        others = same[start : start + block].clone()
        others.diagonal(start).fill_(value=False)
        logits.masked_fill_(others, -torch.inf)
    return logits


@torch.no_grad()
def same_by_similarity(vectors: Tensor, threshold: float) -> Tensor:
    """Bool (B, B): which unit vectors (B, D) of a frozen tower have a cosine above `threshold`.

    The diagonal is false: a row is no partner of its own pair's but the partner itself.
    """
    cosines = _cosines(vectors, vectors)
    return cosines.gt(threshold).fill_diagonal_(fill_value=False)


def _cosines(a: Tensor, b: Tensor) -> Tensor:
    """(B, B) of unit vectors, float32 or finer also within autocast."""
    dtype = torch.promote_types(torch.promote_types(a.dtype, b.dtype), torch.float32)
    with torch.autocast(a.device.type, enabled=False):
        return a.to(dtype) @ b.to(dtype).T
