import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from encoders.binding.optimiser import adamw
from encoders.binding.recipe import Recipe, left_out_at, rate_at


def test_the_rate_rises_in_a_line_and_falls_as_a_cosine() -> None:
    # 100 steps, of which 10 warm up to 2e-3; then 90 steps of half a cosine.
    rates = [rate_at(step, 100, 0.1, 2e-3) for step in range(100)]
    assert rates[:10] == pytest.approx([2e-4 * (i + 1) for i in range(10)])
    assert rates[10] == 2e-3
    assert rates[40] == pytest.approx(1.5e-3)  # a third of the way: (1 + cos 60) / 2
    assert rates[55] == pytest.approx(1e-3)  # half of it: (1 + cos 90) / 2
    assert rates[70] == pytest.approx(0.5e-3)
    assert 0 < rates[99] < 1e-6


@given(st.integers(1, 500), st.floats(0, 0.99), st.floats(1e-6, 1))
def test_no_step_is_above_the_peak_or_without_a_rate(
    steps: int, warm_up: float, peak: float
) -> None:
    rates = [rate_at(step, steps, warm_up, peak) for step in range(steps)]
    assert all(0 < rate <= peak for rate in rates)
    top = rates.index(max(rates))
    assert rates == sorted(rates[:top]) + sorted(rates[top:], reverse=True)


@given(st.integers(2, 300), st.integers(1, 40))
def test_micro_batches_are_the_batch(batch: int, micro_batches: int) -> None:
    recipe = Recipe(samples=1, batch=batch, micro_batches=micro_batches)
    items = list(range(batch))
    assert [item for part in recipe.parts for item in items[part]] == items
    assert len(recipe.parts) <= micro_batches


def test_patches_are_left_out_until_the_last_fifth() -> None:
    recipe = Recipe(samples=1000, batch=10, left_out=0.5)
    assert recipe.steps == 100
    assert [left_out_at(step, recipe) for step in (0, 79, 80, 99)] == [0.5, 0.5, 0.0, 0.0]


def test_steps_cover_the_samples() -> None:
    assert Recipe(samples=129, batch=64).steps == math.ceil(129 / 64)


def test_decay_is_for_matrices_alone() -> None:
    layers = nn.ModuleDict({"linear": nn.Linear(3, 2), "norm": nn.LayerNorm(3)})
    names = dict(layers.named_parameters())
    names["attn.bias_k"] = nn.Parameter(torch.zeros(1, 1, 3))
    names["pos_embed"] = nn.Parameter(torch.zeros(1, 4, 3))
    names["cls_token"] = nn.Parameter(torch.zeros(1, 1, 3))
    names["token_embedding.weight"] = nn.Parameter(torch.zeros(9, 3))
    names["frozen.weight"] = nn.Parameter(torch.zeros(2, 2), requires_grad=False)
    decayed, free = adamw(names.items(), 0.05, 0.98).param_groups
    assert decayed["weight_decay"] == 0.05
    assert free["weight_decay"] == 0
    assert [id(p) for p in decayed["params"]] == [id(names["linear.weight"])]
    assert len(free["params"]) == 7
    assert decayed["betas"] == (0.9, 0.98)
