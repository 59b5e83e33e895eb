"""The parts of a tower against an independent computation in float64."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from encoders.imagebind.attention import Block, DropPath, Trunk
from encoders.imagebind.towers import ImuStem, TextHead, causal_mask

Array = NDArray[np.float64]
WIDTH, HEADS, TOKENS = 12, 3, 7


def norm(x: Array, weight: Array, bias: Array) -> Array:
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * weight + bias


def block_by_hand(x: Array, w: dict[str, Array], *, extra: bool, causal: bool) -> Array:
    """One block over one sequence (N, width), head by head and query by query."""
    y = norm(x, w["norm_1.weight"], w["norm_1.bias"])
    q, k, v = np.split(y @ w["attn.in_proj_weight"].T + w["attn.in_proj_bias"], 3, axis=1)
    if extra:
        k = np.concatenate([k, w["attn.bias_k"][0]])
        v = np.concatenate([v, w["attn.bias_v"][0]])
    size = WIDTH // HEADS
    seen = np.zeros((TOKENS, WIDTH))
    for head in range(HEADS):
        part = slice(head * size, (head + 1) * size)
        for query in range(TOKENS):
            limit = query + 1 if causal else len(k)
            scores = np.exp(k[:limit, part] @ q[query, part] / math.sqrt(size))
            seen[query, part] = scores / scores.sum() @ v[:limit, part]
    x = x + seen @ w["attn.out_proj.weight"].T + w["attn.out_proj.bias"]
    y = norm(x, w["norm_2.weight"], w["norm_2.bias"])
    hidden = y @ w["mlp.fc1.weight"].T + w["mlp.fc1.bias"]
    hidden = 0.5 * hidden * (1 + np.vectorize(math.erf)(hidden / math.sqrt(2)))
    return x + hidden @ w["mlp.fc2.weight"].T + w["mlp.fc2.bias"]


@pytest.mark.parametrize(
    ("extra", "causal"), [(False, False), (True, False), (False, True)], ids=str
)
def test_a_block_is_prenorm_attention_and_a_gelu_mlp(extra: bool, causal: bool):
    draw = np.random.default_rng(1)
    block = Block(WIDTH, HEADS, extra_token=extra, drop_path=0).double().eval()
    weights = {n: draw.normal(size=tuple(p.shape)) for n, p in block.state_dict().items()}
    assert ("attn.bias_k" in weights) is extra
    block.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    x = draw.normal(size=(2, TOKENS, WIDTH))
    mask = causal_mask(TOKENS).double() if causal else None
    with torch.no_grad():
        got = block(torch.from_numpy(x), mask).numpy()
    want = np.stack([block_by_hand(row, weights, extra=extra, causal=causal) for row in x])
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)


def test_an_imu_patch_holds_all_steps_of_one_axis_before_the_next():
    stem = ImuStem(width=6, kernel=4)
    seen: list[torch.Tensor] = []
    stem.proj.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    #          axis 0: 0 1 2 ...; axis 1: 100 101 ...
    x = torch.arange(10.0) + 100 * torch.arange(6.0)[:, None]
    stem(x[None])
    assert seen[0].shape == (1, 2, 24)  # the two steps after the last whole patch are left out
    assert seen[0][0, 1, :8].tolist() == [4, 5, 6, 7, 104, 105, 106, 107]


def test_text_is_read_at_its_largest_token():
    head = TextHead(width=4, out=4)
    with torch.no_grad():
        head.proj[1].weight.copy_(torch.eye(4))  # pyright: ignore[reportCallIssue, reportArgumentType]
    x = torch.tensor([[[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]]).expand(2, -1, -1)
    picked = head(x, torch.tensor([[5, 9, 0], [5, 6, 9]])).argmax(dim=-1)
    assert picked.tolist() == [1, 2]


def test_stochastic_depth_acts_in_training_alone_and_keeps_the_mean():
    torch.manual_seed(0)
    branch = torch.ones(4000, 2, 3)
    drop = DropPath(0.7)
    assert torch.equal(drop.eval()(branch), branch)
    dropped = drop.train()(branch)
    each = dropped.flatten(1)
    assert torch.equal(each.amin(1), each.amax(1))  # a sample is left out or kept as a whole
    kept = each[:, 0] > 0
    assert kept.float().mean() == pytest.approx(0.3, abs=0.03)
    assert torch.allclose(each[kept], torch.tensor(1 / 0.3))


def test_stochastic_depth_grows_from_block_to_block():
    trunk = Trunk(4, 3, 1, pre_norm=False, extra_token=False, drop_path=0.6)
    rates = [block.drop_path.rate for block in trunk.blocks if isinstance(block, Block)]
    assert rates == pytest.approx([0, 0.3, 0.6])
