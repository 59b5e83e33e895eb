"""The exact loss and gradient of a large batch in the memory of a small one.

Summing the losses of small batches is another loss: every row would meet fewer negatives. GradCache
(arXiv 2101.06983) splits the chain rule at the vectors instead, which are small. All parts are
encoded without a graph, the loss of all vectors gives each vector its gradient, and then each part
is encoded again, with a graph, to carry that gradient on into the weights. It costs one more
forward pass.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias, TypeVar

import torch
from torch import Tensor

Part = TypeVar("Part")
_State: TypeAlias = tuple[Tensor, list[Tensor]]


class Accumulated(NamedTuple):
    """The loss (a scalar) and the vectors (B, D) it was computed from, without a graph."""

    loss: Tensor
    a: Tensor
    b: Tensor


def accumulate(
    encode_a: Callable[[Part], Tensor],
    encode_b: Callable[[Part], Tensor],
    parts: Sequence[Part],
    loss_of: Callable[[Tensor, Tensor], Tensor],
) -> Accumulated:
    """Add the gradient of `loss_of(a, b)` to all parameters that take part, as `backward` does.

    `a` and `b` are the vectors of all `parts` in order. Each encoder is called twice a part (once
    when there is but one) and must give the same vectors again: what it draws from torch's
    generators, for dropout and stochastic depth, is drawn again, and whatever else is random has to
    be in the part. An encoder may also hand out given vectors (`given.__getitem__` where parts are
    slices); at least one has to be differentiable. Where the second pass rounds otherwise (other
    kernels are chosen with a graph) gradients differ from those of one batch by as much.

    Parameters inside `loss_of` get their gradient too, and a scaler for fp16 belongs in there.
    """
    if len(parts) == 1:
        a, b = encode_a(parts[0]), encode_b(parts[0])
        loss = loss_of(a, b)
        loss.backward()
        return Accumulated(loss.detach(), a.detach(), b.detach())
    states: list[_State] = []
    of_a: list[Tensor] = []
    of_b: list[Tensor] = []
    with torch.no_grad():
        for part in parts:
            states.append(_state())
            of_a.append(encode_a(part))
            of_b.append(encode_b(part))
    # In older torch autocast keeps the weights it converted, here without a graph, and no gradient
    # would pass them in the second pass.
    torch.clear_autocast_cache()
    a, b = torch.cat(of_a).requires_grad_(), torch.cat(of_b).requires_grad_()
    loss = loss_of(a, b)
    loss.backward()
    sizes = [len(vectors) for vectors in of_a]
    grads = zip(_grad(a).split(sizes), _grad(b).split(sizes), strict=True)
    for part, state, (grad_a, grad_b) in zip(parts, states, grads, strict=True):
        _restore(state)
        again = ((encode_a(part), grad_a), (encode_b(part), grad_b))
        trained = [(vectors, grad) for vectors, grad in again if vectors.requires_grad]
        torch.autograd.backward([v for v, _ in trained], [grad for _, grad in trained])
    return Accumulated(loss.detach(), a.detach(), b.detach())


def _grad(vectors: Tensor) -> Tensor:
    assert vectors.grad is not None  # noqa: S101 - a loss of both
    return vectors.grad


def _state() -> _State:
    """Of the generators that a pass may draw from."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return torch.get_rng_state(), cuda


def _restore(state: _State) -> None:
    cpu, cuda = state
    torch.set_rng_state(cpu)
    if cuda:
        torch.cuda.set_rng_state_all(cuda)
