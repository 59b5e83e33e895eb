"""The transformer that every tower shares: pre-norm blocks over tokens (B, N, width)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

EPS = 1e-6  # of every LayerNorm from the trunk on
_SCORES = 1 << 21  # of attention held at once on a CPU


class Attention(nn.Module):
    """Multi-head self-attention, optionally with one learned key and value token.

    The learned token (`bias_k`, `bias_v`) is appended after the projection, so that a query may
    look at nothing. Fused attention has no such option, but does not mind one more key.
    """

    def __init__(self, width: int, num_heads: int, *, extra_token: bool) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.bias_k = nn.Parameter(torch.empty(1, 1, width)) if extra_token else None
        self.bias_v = nn.Parameter(torch.empty(1, 1, width)) if extra_token else None
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)
        for token in (self.bias_k, self.bias_v):
            if token is not None:
                nn.init.trunc_normal_(token, std=0.02)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """`mask` (N, N) is added to the scores: 0 = may look, -inf = may not."""
        q, k, v = functional.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        if self.bias_k is not None and self.bias_v is not None:
            # To k's type, or autocast would make all keys and values float32.
            k = torch.cat([k, self.bias_k.to(k.dtype).expand(len(x), -1, -1)], dim=1)
            v = torch.cat([v, self.bias_v.to(v.dtype).expand(len(x), -1, -1)], dim=1)
        q, k, v = (t.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for t in (q, k, v))
        attend = step_by_step if q.device.type == "cpu" and torch.is_grad_enabled() else fused
        return self.out_proj(attend(q, k, v, mask).transpose(1, 2).flatten(2))


def fused(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Attention (B, heads, N, width of a head) that never holds all scores."""
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def step_by_step(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """The same by hand, for training on a CPU, where the fused one is slow backwards in bf16.

    Few items at a time, so that their scores stay in the processor's cache. Measured forwards and
    backwards on one core, a block of the built-in model in bf16, fused and by hand: 50 tokens 1.1
    and 0.1 ms an item, 229 tokens 2.4 and 1.0 ms (2.1 ms with all items at once).
    """
    items = max(1, _SCORES // (q.shape[1] * q.shape[2] * k.shape[2]))
    if len(q) > items:
        parts = zip(q.split(items), k.split(items), v.split(items), strict=True)
        return torch.cat([step_by_step(*part, mask) for part in parts])
    # Without autocast, which would copy all scores to float32 and back; softmax adds up in float32
    # whatever it is given.
    with torch.autocast(q.device.type, enabled=False):
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        if mask is not None:
            scores = scores + mask.to(scores.dtype)
        return scores.softmax(dim=-1) @ v


class Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(x)))


class DropPath(nn.Module):
    """Stochastic depth (arXiv 1603.09382): in training, leaves out a branch for some samples.

    The others are scaled up by as much, so that the mean stays.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return branch
        keep = 1 - self.rate
        kept = branch.new_empty(len(branch), 1, 1).bernoulli_(keep)
        return branch * kept / keep


class Block(nn.Module):
    def __init__(self, width: int, num_heads: int, *, extra_token: bool, drop_path: float) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(width, eps=EPS)
        self.attn = Attention(width, num_heads, extra_token=extra_token)
        self.norm_2 = nn.LayerNorm(width, eps=EPS)
        self.mlp = Mlp(width)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = x + self.drop_path(self.attn(self.norm_1(x), mask))
        return x + self.drop_path(self.mlp(self.norm_2(x)))


class Trunk(nn.Module):
    """All blocks of one tower. Stochastic depth grows linearly from 0 to `drop_path`."""

    def __init__(
        self,
        width: int,
        num_blocks: int,
        num_heads: int,
        *,
        pre_norm: bool,
        extra_token: bool,
        drop_path: float,
    ) -> None:
        super().__init__()
        layers = [nn.LayerNorm(width, eps=EPS)] if pre_norm else []
        self.pre_transformer_layer = nn.Sequential(*layers)
        last = max(num_blocks - 1, 1)
        self.blocks = nn.ModuleList(
            Block(width, num_heads, extra_token=extra_token, drop_path=drop_path * i / last)
            for i in range(num_blocks)
        )

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.pre_transformer_layer(x)
        for block in self.blocks:
            x = block(x, mask)
        return x
