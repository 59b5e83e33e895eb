"""A batch in parts gives the loss and the gradients of the whole batch."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.functional import normalize

from encoders.binding.accumulate import accumulate
from encoders.binding.loss import same_by_similarity, symmetric_info_nce
from encoders.imagebind.model import ImageBindModel
from tests.tiny import TINY, inputs, tiny_model

ROWS = 10
Gradients = dict[str, Tensor]


def slices(rows: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, rows, size)]


def network(seed: int, dropout: float = 0.0) -> nn.Sequential:
    torch.manual_seed(seed)
    layers = [nn.Linear(5, 12), nn.Tanh(), nn.Dropout(dropout), nn.Linear(12, 4)]
    return nn.Sequential(*layers).double()


def unit_vectors(model: nn.Module, x: Tensor) -> Callable[[slice], Tensor]:
    return lambda part: normalize(model(x[part]), dim=-1)


def loss_of(a: Tensor, b: Tensor) -> Tensor:
    return symmetric_info_nce(a, b, 0.1, same_by_similarity(a.detach(), 0.9))


def gradients(*models: nn.Module) -> Gradients:
    """All gradients, which are taken away from the models."""
    found: Gradients = {}
    for number, model in enumerate(models):
        for name, parameter in model.named_parameters():
            if parameter.grad is not None:
                found[f"{number}.{name}"] = parameter.grad
            parameter.grad = None
    return found


def in_one(
    encode_a: Callable[[slice], Tensor],
    encode_b: Callable[[slice], Tensor],
    parts: list[slice],
    loss: Callable[[Tensor, Tensor], Tensor] = loss_of,
) -> Tensor:
    """The large batch with all its graph. Parts draw from the generator one after the other."""
    pairs = [(encode_a(part), encode_b(part)) for part in parts]
    total = loss(torch.cat([a for a, _ in pairs]), torch.cat([b for _, b in pairs]))
    total.backward()
    return total.detach()


def data(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(ROWS, 5, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("size", [1, 3, 5, ROWS])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_gradients_are_those_of_the_whole_batch(size: int, dropout: float):
    one, other = network(1, dropout), network(2, dropout)
    encoders = unit_vectors(one, data(1)), unit_vectors(other, data(2))
    parts = slices(ROWS, size)
    torch.manual_seed(7)
    want = in_one(*encoders, parts)
    drawn = torch.rand(3)
    whole = gradients(one, other)
    torch.manual_seed(7)
    result = accumulate(*encoders, parts, loss_of)
    assert torch.equal(torch.rand(3), drawn)  # the generator goes on as after one pass
    torch.testing.assert_close(result.loss, want, rtol=1e-14, atol=0)
    torch.testing.assert_close(gradients(one, other), whole, rtol=1e-12, atol=1e-15)
    assert len(whole) == 8
    assert all(grad.abs().max() > 1e-6 for grad in whole.values())


def test_without_dropout_they_are_those_of_one_call():
    one, other = network(1), network(2)
    encoders = unit_vectors(one, data(1)), unit_vectors(other, data(2))
    want = in_one(*encoders, [slice(None)])
    whole = gradients(one, other)
    result = accumulate(*encoders, slices(ROWS, 4), loss_of)
    torch.testing.assert_close(result.loss, want, rtol=1e-14, atol=0)
    torch.testing.assert_close(gradients(one, other), whole, rtol=1e-12, atol=1e-15)
    for vectors, encode in zip((result.a, result.b), encoders, strict=True):
        torch.testing.assert_close(vectors, encode(slice(None)).detach(), rtol=1e-14, atol=0)
        assert not vectors.requires_grad


def test_it_is_not_the_mean_of_the_losses_of_the_parts():
    """What accumulating gradients without care would give."""
    one, other = network(1), network(2)
    encoders = unit_vectors(one, data(1)), unit_vectors(other, data(2))
    careless = torch.stack([in_one(*encoders, [part]) for part in slices(ROWS, 5)]).mean()
    gradients(one, other)
    result = accumulate(*encoders, slices(ROWS, 5), loss_of)
    assert (result.loss - careless).abs() > 0.1


@pytest.mark.parametrize(("size", "calls"), [(ROWS, 1), (5, 4)])
def test_a_batch_of_one_part_is_encoded_once(size: int, calls: int):
    model, vectors = network(1), normalize(data(3)[:, :4], dim=-1)
    called: list[slice] = []

    def encode(part: slice) -> Tensor:
        called.append(part)
        return unit_vectors(model, data(1))(part)

    accumulate(vectors.__getitem__, encode, slices(ROWS, size), loss_of)
    assert len(called) == calls


@pytest.mark.parametrize("given_first", [True, False])
def test_one_side_may_be_vectors_that_are_given(given_first: bool):
    model = network(1, dropout=0.3)
    vectors = normalize(data(3)[:, :4], dim=-1)
    encoders = [vectors.__getitem__, unit_vectors(model, data(1))]
    if not given_first:
        encoders.reverse()
    torch.manual_seed(0)
    in_one(encoders[0], encoders[1], slices(ROWS, 3))
    whole = gradients(model)
    torch.manual_seed(0)
    accumulate(encoders[0], encoders[1], slices(ROWS, 3), loss_of)
    torch.testing.assert_close(gradients(model), whole, rtol=1e-12, atol=1e-15)
    assert vectors.grad is None


def test_parameters_of_the_loss_and_gradients_that_are_there_already_are_added_to():
    one, other = network(1), network(2)
    encoders = unit_vectors(one, data(1)), unit_vectors(other, data(2))
    scale = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))

    def scaled(a: Tensor, b: Tensor) -> Tensor:
        return scale * loss_of(a, b)

    loss = in_one(*encoders, [slice(None)], scaled)
    whole = gradients(one, other)
    scale.grad = None
    for _ in range(2):
        accumulate(*encoders, slices(ROWS, 4), scaled)
    twice = {name: 2 * grad for name, grad in whole.items()}
    torch.testing.assert_close(gradients(one, other), twice, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(scale.grad, loss, rtol=1e-12, atol=0)  # 2 x loss / scale


def test_towers_with_stochastic_depth_and_dropout_repeat_what_they_drew():
    model = tiny_model("vision", "imu", dtype=torch.float64).train()
    drop = [m.rate for m in model.modality_trunks.modules() if hasattr(m, "rate")]
    assert max(rate for rate in drop if isinstance(rate, float)) == 0.7
    pictures, motions = inputs("vision", ROWS).double(), inputs("imu", ROWS, seed=1).double()

    def encode_a(part: slice) -> Tensor:
        return normalize(model.pooled("vision", pictures[part]), dim=-1)

    def encode_b(part: slice) -> Tensor:
        return normalize(model.pooled("imu", motions[part]), dim=-1)

    torch.manual_seed(3)
    want = in_one(encode_a, encode_b, slices(ROWS, 3))
    whole = gradients(model)
    torch.manual_seed(3)
    result = accumulate(encode_a, encode_b, slices(ROWS, 3), loss_of)
    torch.testing.assert_close(result.loss, want, rtol=1e-12, atol=0)
    torch.testing.assert_close(gradients(model), whole, rtol=1e-9, atol=1e-12)


def test_autocast_around_it_does_not_cut_the_graph():
    """It may keep the weights it has converted, and the first pass converts them without one."""
    torch.manual_seed(0)
    with torch.device("cpu"):
        model = ImageBindModel(["depth"], **TINY)
    x = inputs("depth", ROWS)
    anchors = normalize(torch.randn(ROWS, 16), dim=-1)

    def encode(part: slice) -> Tensor:
        return normalize(model.pooled("depth", x[part]), dim=-1)

    def loss(a: Tensor, b: Tensor) -> Tensor:
        return symmetric_info_nce(a, b, 0.1)

    in_one(anchors.__getitem__, encode, [slice(None)], loss)
    exact = gradients(model)
    with torch.autocast("cpu", torch.bfloat16):
        accumulate(anchors.__getitem__, encode, slices(ROWS, 5), loss)
    got = gradients(model)
    assert set(got) == set(exact)
    flat, want = (torch.cat([g[name].flatten() for name in exact]) for g in (got, exact))
    assert torch.cosine_similarity(flat, want, dim=0) > 0.99


def test_no_more_than_a_part_is_held_for_the_gradient():
    one, other = network(1), network(2)
    encoders = unit_vectors(one, data(1)), unit_vectors(other, data(2))

    def most_kept(run: Callable[..., Any], parts: list[slice]) -> int:
        """The most numbers that graphs hold at once, weights not counted."""
        held = most = 0

        class Kept:
            def __init__(self, tensor: Tensor) -> None:
                nonlocal held, most
                self.tensor = tensor
                self.numbers = 0 if isinstance(tensor, nn.Parameter) else tensor.numel()
                held += self.numbers
                most = max(most, held)

            def __del__(self) -> None:
                nonlocal held
                held -= self.numbers

        def free(a: Tensor, b: Tensor) -> Tensor:
            """A loss that keeps less than a part does."""
            return (a - b).sum()

        with saved_tensors_hooks(Kept, lambda kept: kept.tensor):
            run(*encoders, parts, free)
        gradients(one, other)
        return most

    whole = most_kept(in_one, slices(ROWS, 2))
    assert most_kept(accumulate, slices(ROWS, 2)) * 5 <= whole
