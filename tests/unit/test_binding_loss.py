"""The loss against a float64 computation by hand, its laws, and what it costs."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.functional import normalize
from torch.utils._python_dispatch import TorchDispatchMode

from encoders.binding.loss import (
    same_by_similarity,
    symmetric_info_nce,
)

BATCHES = settings(max_examples=40, deadline=None)


def unit(rows: int, width: int = 6, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(rows, width, generator=generator, dtype=torch.float64)).to(dtype)


def some_pairs(rows: int, seed: int = 0, share: float = 0.3) -> Tensor:
    return torch.rand(rows, rows, generator=torch.Generator().manual_seed(seed)) < share


def log_sum_exp(numbers: list[float]) -> float:
    largest = max(numbers)
    return largest + math.log(math.fsum(math.exp(number - largest) for number in numbers))


def by_hand(
    a: NDArray[np.float64], b: NDArray[np.float64], temperature: float, same: NDArray[np.bool_]
) -> float:
    """Row by row: how surprising is one's own partner among all that are not left out?"""
    total = 0.0
    for i in range(len(a)):
        own = math.fsum(a[i] * b[i]) / temperature
        there, back = [own], [own]
        for j in range(len(a)):
            if j != i and not same[i, j]:
                there.append(math.fsum(a[i] * b[j]) / temperature)
            if j != i and not same[j, i]:
                back.append(math.fsum(a[j] * b[i]) / temperature)
        total += (log_sum_exp(there) - own + log_sum_exp(back) - own) / 2
    return total / len(a)


@pytest.mark.parametrize("block", [None, 1, 4, 11, 50])
@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_the_loss_is_the_one_computed_by_hand(block: int | None, temperature: float, share: float):
    a, b, same = unit(11, seed=1), unit(11, seed=2), some_pairs(11, share=share)
    want = by_hand(a.numpy(), b.numpy(), temperature, same.numpy())
    got = symmetric_info_nce(a, b, temperature, same, block=block)
    assert got.item() == pytest.approx(want, rel=1e-12, abs=1e-13)
    if not share:
        assert torch.equal(symmetric_info_nce(a, b, temperature, block=block), got)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("block", [None, 2, 3])
def test_the_gradient_is_that_of_the_loss(block: int | None, masked: bool):
    same = some_pairs(5, seed=3) if masked else None
    a, b = unit(5, seed=1).requires_grad_(), unit(5, seed=2).requires_grad_()

    # Three times the loss, so that the gradient from above is not 1.
    def loss(a: Tensor, b: Tensor) -> Tensor:
        return 3 * symmetric_info_nce(a, b, 0.2, same, block=block)

    assert torch.autograd.gradcheck(loss, (a, b))


@pytest.mark.parametrize("trained", [0, 1])
def test_a_side_without_gradient_gets_none_and_does_not_change_the_others(trained: int):
    both = [unit(7, seed=seed).requires_grad_() for seed in (1, 2)]
    want = torch.autograd.grad(symmetric_info_nce(both[0], both[1], 0.1, block=3), both)
    both[1 - trained] = both[1 - trained].detach()
    symmetric_info_nce(both[0], both[1], 0.1, block=3).backward()
    assert both[1 - trained].grad is None
    torch.testing.assert_close(both[trained].grad, want[trained], rtol=0, atol=0)


def test_float32_gradients_do_not_depend_on_the_block():
    a, b, same = unit(37, 16, 1).float(), unit(37, 16, 2).float(), some_pairs(37)
    a, b = a.requires_grad_(), b.requires_grad_()
    whole = torch.autograd.grad(symmetric_info_nce(a, b, 0.05, same), (a, b))
    for block in (1, 8, 36):
        parts = torch.autograd.grad(symmetric_info_nce(a, b, 0.05, same, block=block), (a, b))
        torch.testing.assert_close(parts, whole, rtol=0, atol=1e-6)  # of up to 0.6


batches = st.tuples(
    st.integers(1, 9), st.integers(0, 1000), st.sampled_from([0.03, 0.1, 1.0]), st.integers(1, 10)
)


@BATCHES
@given(batches)
def test_swapping_sides_changes_nothing(batch: tuple[int, int, float, int]):
    rows, seed, temperature, block = batch
    a, b, same = unit(rows, seed=seed), unit(rows, seed=seed + 1), some_pairs(rows, seed)
    there = symmetric_info_nce(a, b, temperature, same, block=block)
    back = symmetric_info_nce(b, a, temperature, same.T, block=block)
    torch.testing.assert_close(there, back)


@BATCHES
@given(batches)
def test_the_order_of_rows_does_not_matter(batch: tuple[int, int, float, int]):
    rows, seed, temperature, block = batch
    a, b, same = unit(rows, seed=seed), unit(rows, seed=seed + 1), some_pairs(rows, seed)
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(seed))
    mixed = symmetric_info_nce(a[order], b[order], temperature, same[order][:, order], block=block)
    torch.testing.assert_close(mixed, symmetric_info_nce(a, b, temperature, same, block=block))


@BATCHES
@given(batches)
def test_turning_the_space_changes_nothing(batch: tuple[int, int, float, int]):
    rows, seed, temperature, block = batch
    a, b = unit(rows, seed=seed), unit(rows, seed=seed + 1)
    turn = torch.linalg.qr(unit(6, seed=seed + 2)).Q
    turned = symmetric_info_nce(a @ turn, b @ turn, temperature, block=block)
    torch.testing.assert_close(turned, symmetric_info_nce(a, b, temperature, block=block))


@BATCHES
@given(batches)
def test_masked_duplicates_change_nothing(batch: tuple[int, int, float, int]):
    rows, seed, temperature, block = batch
    a, b = unit(rows, seed=seed), unit(rows, seed=seed + 1)
    # Every row twice: a copy meets its own half of the batch, and nothing of the other half.
    first, other = torch.zeros(rows, rows, dtype=torch.bool), torch.ones(rows, rows).bool()
    same = torch.cat([torch.cat([first, other], 1), torch.cat([other, first], 1)])
    twice = symmetric_info_nce(a.repeat(2, 1), b.repeat(2, 1), temperature, same, block=block)
    torch.testing.assert_close(twice, symmetric_info_nce(a, b, temperature, block=block))


@BATCHES
@given(batches)
def test_the_loss_is_bounded_and_falls_with_every_pair_left_out(
    batch: tuple[int, int, float, int],
):
    rows, seed, temperature, block = batch
    a, b, same = unit(rows, seed=seed), unit(rows, seed=seed + 1), some_pairs(rows, seed)
    full = symmetric_info_nce(a, b, temperature, block=block).item()
    less = symmetric_info_nce(a, b, temperature, same, block=block).item()
    # A cosine is within 1 of 0, so two logits are within 2 / temperature.
    assert -1e-12 <= less <= full + 1e-12
    assert full <= math.log(rows) + 2 / temperature + 1e-12
    assert full >= math.log1p((rows - 1) * math.exp(-2 / temperature)) - 1e-12


@BATCHES
@given(st.integers(1, 40), st.sampled_from([0.01, 0.1, 1.0]), st.integers(1, 41))
def test_vectors_that_are_all_one_cost_ln_b(rows: int, temperature: float, block: int):
    a = unit(1).expand(rows, -1)
    loss = symmetric_info_nce(a, a, temperature, block=block)
    assert loss.item() == pytest.approx(math.log(rows), abs=1e-12)


@pytest.mark.parametrize("block", [None, 2])
def test_a_row_without_any_negative_costs_nothing_and_is_not_moved(block: int | None):
    a, b = unit(5, seed=1).requires_grad_(), unit(5, seed=2).requires_grad_()
    same = torch.zeros(5, 5, dtype=torch.bool)
    same[2], same[:, 2] = True, True
    loss = symmetric_info_nce(a, b, 0.1, same, block=block)
    loss.backward()
    others = [0, 1, 3, 4]
    torch.testing.assert_close(loss * 5 / 4, symmetric_info_nce(a[others], b[others], 0.1))
    for side in (a, b):
        assert side.grad is not None
        assert side.grad.isfinite().all()
        assert side.grad[2].abs().max() < 1e-12
        assert side.grad[others].abs().amin(dim=0).max() > 1e-3


def test_the_diagonal_is_never_masked():
    a, b, same = unit(6, seed=1), unit(6, seed=2), some_pairs(6)
    for diagonal in (False, True):
        same.fill_diagonal_(diagonal)
        got = symmetric_info_nce(a, b, 0.1, same, block=4).item()
        assert got == pytest.approx(by_hand(a.numpy(), b.numpy(), 0.1, same.numpy()), rel=1e-12)
    kept = same.clone()
    symmetric_info_nce(a, b, 0.1, same)
    assert torch.equal(same, kept)  # the caller's mask is not written to


@pytest.mark.parametrize("block", [None, 16])
def test_half_precision_vectors_are_multiplied_in_float32_also_within_autocast(block: int | None):
    a, b = unit(48, 32, 1).bfloat16().requires_grad_(), unit(48, 32, 2).bfloat16().requires_grad_()
    want_a, want_b = (side.detach().double().requires_grad_() for side in (a, b))
    want = symmetric_info_nce(want_a, want_b, 0.05)
    want.backward()
    with torch.autocast("cpu", torch.bfloat16):
        loss = symmetric_info_nce(a, b, 0.05, block=block)
        loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(want.item(), rel=1e-6)  # bf16 products are 1e-2 off
    for got, exact in ((a.grad, want_a.grad), (b.grad, want_b.grad)):
        assert got is not None
        assert exact is not None
        assert got.dtype == torch.bfloat16
        # One rounding at the end.
        torch.testing.assert_close(got.double(), exact, rtol=2**-8, atol=1e-6)


class _Largest(TorchDispatchMode):
    """The most numbers that any operation gave, forward or backward."""

    numbers = 0

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.numbers = max(self.numbers, result.numel())
        return result


@pytest.mark.parametrize(("block", "most"), [(None, 512 * 512), (64, 64 * 512), (60, 60 * 512)])
def test_no_more_than_a_block_of_logits_is_ever_held(block: int | None, most: int):
    a, b = unit(512, 8, 1).float().requires_grad_(), unit(512, 8, 2).float().requires_grad_()
    saved: list[int] = []

    def seen(tensor: Tensor) -> Tensor:
        saved.append(tensor.numel())
        return tensor

    with _Largest() as largest, saved_tensors_hooks(seen, lambda tensor: tensor):
        symmetric_info_nce(a, b, 0.1, block=block).backward()
    assert largest.numbers == most
    assert max(saved) == 512 * 8  # vectors; logits are not kept for the gradient


@pytest.mark.parametrize(
    ("b", "temperature", "same", "block", "message"),
    [
        (unit(4), 0.1, None, None, r"two \(B, D\), got \(3, 6\) and \(4, 6\)"),
        (unit(3), 0.0, None, None, "temperature > 0"),
        (unit(3), math.nan, None, None, "temperature > 0"),
        (unit(3), 0.1, None, 0, "block >= 1"),
        (unit(3), 0.1, torch.ones(3, 3), None, "expected bool"),
        (unit(3), 0.1, torch.ones(1, 3).bool(), None, r"expected bool \(3, 3\)"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    b: Tensor, temperature: float, same: Tensor | None, block: int | None, message: str
):
    with pytest.raises(ValueError, match=message):
        symmetric_info_nce(unit(3), b, temperature, same, block=block)


def test_vectors_are_the_same_above_a_cosine_but_never_as_themselves():
    angles = torch.tensor([0.0, 10.0, 40.0]).deg2rad()
    vectors = torch.stack([angles.cos(), angles.sin()], dim=1)
    same = same_by_similarity(vectors, math.cos(math.radians(20)))
    assert same.tolist() == [[False, True, False], [True, False, False], [False, False, False]]
    assert not same_by_similarity(vectors, -1.1).diagonal().any()


def test_a_threshold_is_not_rounded_by_autocast():
    vectors = unit(2)
    cosine = (vectors[0] @ vectors[1]).item()
    with torch.autocast("cpu", torch.bfloat16):
        assert same_by_similarity(vectors.float(), cosine - 1e-5)[0, 1]
        assert not same_by_similarity(vectors.float(), cosine + 1e-5).any()
