"""What differs between towers: how an input becomes tokens, and tokens one vector.

Attribute names are those of the published state dict (arXiv 2305.05665), so that its weights load.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from encoders.imagebind.attention import EPS, Trunk
from encoders.imagebind.config import IMU_AXES, RGB, ModelConfig, Tower

MAX_LOGIT_SCALE = 100.0
# Text learns its scale and starts here; the others have theirs fixed: 1 / temperature of training.
LOGIT_SCALES: dict[Tower, float] = {
    "text": 1 / 0.07, "audio": 20.0, "depth": 5.0, "thermal": 10.0, "imu": 5.0,
}  # fmt: skip


def learned(*shape: int) -> nn.Parameter:
    return nn.Parameter(nn.init.trunc_normal_(torch.empty(*shape), std=0.02))


class StillToClip(nn.Module):
    """A still picture (B, 3, H, W) becomes a clip that does not move (B, 3, frames, H, W)."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.frames = frames

    def forward(self, x: Tensor) -> Tensor:
        return x.unsqueeze(2).expand(-1, -1, self.frames, -1, -1) if x.ndim == 4 else x


class Stem(nn.Module):
    """Patches of the input, projected (B, width, *grid) and in order (B, N, width)."""

    def __init__(self, proj: nn.Module, norm_layer: nn.Module) -> None:
        super().__init__()
        self.proj = proj
        self.norm_layer = norm_layer

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type == "cpu" and torch.is_grad_enabled():
            # Training on a CPU: one product over the patches is faster backwards in bf16.
            return self.norm_layer(functional.linear(patches_of(self, x), patch_weight(self)))
        return self.norm_layer(self.proj(x).flatten(2).transpose(1, 2))


class ImuStem(nn.Module):
    """Patches of `kernel` readings, all of one axis before the next: (B, 6, steps) -> (B, N, D)."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.proj = nn.Linear(IMU_AXES * kernel, width, bias=False)
        self.norm_layer = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm_layer(self.proj(patches_of(self, x)))


def patches_of(stem: "Stem | ImuStem", x: Tensor) -> Tensor:
    """The patches that a stem projects, each as one row: (B, N, channels x kernel)."""
    if isinstance(stem, ImuStem):
        return x.unfold(-1, stem.kernel, stem.kernel).transpose(1, 2).flatten(2)
    if isinstance(stem.proj, nn.Sequential):
        x = stem.proj[0](x)
    kernel, stride = _conv(stem).kernel_size, _conv(stem).stride
    axes = len(kernel)
    for axis in range(axes):
        x = x.unfold(2 + axis, kernel[axis], stride[axis])
    in_order = x.permute(0, *range(2, 2 + axes), 1, *range(2 + axes, 2 + 2 * axes))
    return in_order.flatten(1 + axes).flatten(1, axes)


def patch_weight(stem: "Stem | ImuStem") -> Tensor:
    """The weight that projects a row of `patches_of`, (width, channels x kernel): a view."""
    return stem.proj.weight if isinstance(stem, ImuStem) else _conv(stem).weight.flatten(1)


def _conv(stem: "Stem") -> nn.Conv2d | nn.Conv3d:
    conv = stem.proj[-1] if isinstance(stem.proj, nn.Sequential) else stem.proj
    assert isinstance(conv, nn.Conv2d | nn.Conv3d)  # noqa: S101 - what _stem builds
    return conv


class Positions(nn.Module):
    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.pos_embed = learned(1, count, width)


class PictureTokens(nn.Module):
    """Class token and patches, with positions. The stem's attribute name differs by tower."""

    def __init__(self, config: ModelConfig, tower: Tower) -> None:
        super().__init__()
        width = config.width(tower)
        self.cls_token = learned(1, 1, width)
        self.stem_name = "depth_stem" if tower == "depth" else "rgbt_stem"
        self.add_module(self.stem_name, _stem(config, tower))
        self.pos_embedding_helper = Positions(1 + math.prod(config.grid(tower)), width)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.get_submodule(self.stem_name)(x)
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), patches], dim=1)
        return tokens + self.pos_embedding_helper.pos_embed


class ImuTokens(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.width("imu")
        self.pos_embed = learned(1, 1 + config.grid("imu")[0], width)
        self.cls_token = learned(1, 1, width)
        self.imu_stem = ImuStem(width, config.imu_kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), self.imu_stem(x)], dim=1)
        return tokens + self.pos_embed


class TextTokens(nn.Module):
    mask: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        context, width = config.context_length, config.width("text")
        self.pos_embed = learned(1, context, width)
        # State, because the published checkpoint carries it.
        self.register_buffer("mask", causal_mask(context))
        self.token_embedding = nn.Embedding(config.vocab_size, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, n) with n up to the context length; what follows an end is never read."""
        return self.token_embedding(tokens) + self.pos_embed[:, : tokens.shape[1]]

    def mask_of(self, tokens: Tensor) -> Tensor:
        return self.mask[: tokens.shape[1], : tokens.shape[1]]


class FirstToken(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0]


class TextHead(nn.Module):
    """Reads the text at its end-of-text token, the largest id of the vocabulary."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.proj = nn.Sequential(nn.LayerNorm(width, eps=EPS), nn.Linear(width, out, bias=False))

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        return self.proj(x[torch.arange(len(x), device=x.device), tokens.argmax(dim=-1)])


def up_to_the_last_end(tokens: Tensor) -> Tensor:
    """Tokens (B, n) without the columns that follow the end of every text of the batch.

    The trunk is causal and the head reads a text at its end, so nothing that counts is left out,
    and a batch of short prompts costs a tenth of the whole context.
    """
    return tokens[:, : int(tokens.argmax(dim=-1).max()) + 1] if len(tokens) else tokens


class UnitLength(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return functional.normalize(x, dim=-1)


class LogitScale(nn.Module):
    log_logit_scale: Tensor

    def __init__(self, scale: float, *, learnable: bool) -> None:
        super().__init__()
        value = torch.full((), math.log(scale))
        if learnable:
            self.log_logit_scale = nn.Parameter(value)
        else:
            self.register_buffer("log_logit_scale", value)

    def forward(self, x: Tensor) -> Tensor:
        return self.log_logit_scale.to(x.dtype).exp().clamp(max=MAX_LOGIT_SCALE) * x


def causal_mask(context: int) -> Tensor:
    """float32 (context, context): -inf above the diagonal, 0 elsewhere."""
    return torch.full((context, context), -math.inf).triu(1)


def preprocessor(config: ModelConfig, tower: Tower) -> nn.Module:
    match tower:
        case "text":
            return TextTokens(config)
        case "imu":
            return ImuTokens(config)
        case _:
            return PictureTokens(config, tower)


def trunk(config: ModelConfig, tower: Tower) -> nn.Module:
    return Trunk(
        config.width(tower),
        config.num_blocks(tower),
        config.num_heads(tower),
        pre_norm=tower == "vision",
        extra_token=tower not in {"vision", "text"},
        drop_path=config.drop_path(tower),
    )


def head(config: ModelConfig, tower: Tower) -> nn.Module:
    width, out = config.width(tower), config.out_embed_dim
    if tower == "text":
        return TextHead(width, out)
    dropout = [nn.Dropout(0.5)] if tower == "imu" else []
    linear = nn.Linear(width, out, bias=False)
    return nn.Sequential(nn.LayerNorm(width, eps=EPS), FirstToken(), *dropout, linear)


def postprocessor(tower: Tower) -> nn.Module:
    if tower == "vision":
        return UnitLength()
    return nn.Sequential(UnitLength(), LogitScale(LOGIT_SCALES[tower], learnable=tower == "text"))


def _stem(config: ModelConfig, tower: Tower) -> Stem:
    width = config.width(tower)
    if tower == "vision":
        kernel = config.kernel_size
        conv = nn.Conv3d(RGB, width, kernel, stride=kernel, bias=False)
        return Stem(nn.Sequential(StillToClip(config.video_frames), conv), nn.Identity())
    kernel, stride = {
        "audio": (config.audio_kernel_size, config.audio_stride),
        "depth": (config.depth_kernel_size,) * 2,
        "thermal": (config.thermal_kernel_size,) * 2,
    }[tower]
    conv = nn.Conv2d(1, width, kernel, stride=stride, bias=False)
    return Stem(conv, nn.LayerNorm(width))
