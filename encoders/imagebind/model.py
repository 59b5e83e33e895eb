"""ImageBind (arXiv 2305.05665): six towers into one space. An implementation of its own."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from encoders.imagebind import towers
from encoders.imagebind.config import TOWERS, ModelConfig, Tower
from streamer.errors import EncoderFailed


class ImageBindModel(nn.Module):
    """Any subset of the six towers; state-dict names and shapes are the published ones.

    Keywords are those of `ModelConfig`; without any it is imagebind_huge, 1.2 G parameters. Build
    it on the meta device when weights are loaded afterwards (`checkpoint.load_towers`,
    `weights.random_weights`): then nothing is allocated twice.
    """

    def __init__(self, modalities: Iterable[Tower] = TOWERS, **config: Any) -> None:
        super().__init__()
        self.config = ModelConfig.model_validate(config)
        chosen = set(modalities)
        if not chosen or not chosen <= set(TOWERS):
            raise ValueError(f"modalities: expected some of {TOWERS}, got {sorted(chosen)}")
        self.modalities: tuple[Tower, ...] = tuple(tower for tower in TOWERS if tower in chosen)
        each, numbers = self.modalities, self.config
        self.modality_preprocessors = nn.ModuleDict(
            {tower: towers.preprocessor(numbers, tower) for tower in each}
        )
        self.modality_trunks = nn.ModuleDict({t: towers.trunk(numbers, t) for t in each})
        self.modality_heads = nn.ModuleDict({t: towers.head(numbers, t) for t in each})
        self.modality_postprocessors = nn.ModuleDict({t: towers.postprocessor(t) for t in each})

    def forward(self, inputs: Mapping[Tower, Tensor]) -> dict[Tower, Tensor]:
        """One vector an input, (B, out_embed_dim), with the length that training gave its modality.

        Lengths: text `exp(log_logit_scale)` up to 100, audio 20, depth 5, thermal 10, imu 5,
        vision 1. Inputs are floating point; text is token ids.

            vision   (B, 3, H, W) pictures, (B, clips, 3, H, W), (B, clips, 3, frames, H, W)
            text     (B, tokens)
            audio    (B, 1, mel, columns)      depth, thermal  (B, 1, H, W)
            imu      (B, 6, steps)

        One more axis after the batch holds clips, whose vectors are averaged: they are then
        shorter than the lengths above. Vectors are at least float32 whatever the weights are.
        Raises ValueError for any other shape, so also for video without an axis of clips, whose
        channels would pass for clips.
        """
        return {tower: self._vectors(tower, x) for tower, x in inputs.items()}

    @torch.inference_mode()
    def embed(self, tower: Tower, x: Tensor) -> Tensor:
        """Unit vectors, float32 (B, out_embed_dim), of inputs shaped as for `forward`.

        Here video may also come as one clip each, (B, 3, frames, H, W). Raises EncoderFailed when
        the numbers are not finite: broken weights, a broken input, or fp16 out of range.
        """
        if tower == "vision" and x.shape[1:] == self.config.item_shapes("vision")[1]:
            x = x.unsqueeze(1)
        vectors = functional.normalize(self._vectors(tower, x).float(), dim=-1)
        if not vectors.isfinite().all():
            dtype = self._like(tower).dtype
            raise EncoderFailed(f"{tower}: expected finite numbers, got NaN or infinity in {dtype}")
        return vectors

    def _vectors(self, tower: Tower, x: Tensor) -> Tensor:
        if tower not in self.modalities:
            raise ValueError(f"{tower}: expected one of the towers {self.modalities}")
        item = self._item_shape(tower, x)
        if tower == "text":
            self._check_tokens(x)
        leading = x.shape[: x.ndim - len(item)]
        like = self._like(tower)
        x = x.reshape(-1, *item).to(like.device, torch.long if tower == "text" else like.dtype)
        if tower == "text":
            x = towers.up_to_the_last_end(x)
        vectors = self.modality_postprocessors[tower](self.pooled(tower, x))
        return vectors.unflatten(0, leading).mean(dim=1) if len(leading) == 2 else vectors

    def pooled(self, tower: Tower, x: Tensor, kept: Tensor | None = None) -> Tensor:
        """What `forward` gives before lengths are set, (B, out_embed_dim), for training.

        Unchecked; one clip an input. Text may be cut to the longest of the batch: it is causal, so
        what follows the end-of-text token changes nothing. Of other inputs only the patches `kept`
        (B, k) are looked at, where given.
        """
        before, trunk = self.modality_preprocessors[tower], self.modality_trunks[tower]
        head = self.modality_heads[tower]
        if isinstance(before, towers.TextTokens):
            pooled = head(trunk(before(x), before.mask_of(x)), x)
        else:
            tokens = before(x)
            if kept is not None:
                rows = kept.unsqueeze(-1).expand(-1, -1, tokens.shape[-1])
                tokens = torch.cat([tokens[:, :1], tokens[:, 1:].gather(1, rows)], dim=1)
            pooled = head(trunk(tokens))
        # Half precision would round the length away that normalising is about to fix.
        return pooled.to(torch.promote_types(pooled.dtype, torch.float32))

    def _item_shape(self, tower: Tower, x: Tensor) -> tuple[int, ...]:
        """The shape of one input of this batch, checked. Raises ValueError."""
        text = tower == "text"
        if text == (x.is_floating_point() or x.is_complex() or x.dtype == torch.bool):
            kind = "integer token ids" if text else "floating point numbers"
            raise ValueError(f"{tower}: expected {kind}, got {x.dtype}")
        shapes = self.config.item_shapes(tower)
        for item in shapes:
            video = tower == "vision" and len(item) == 4
            leading = x.ndim - len(item)
            if leading in ((2,) if video else (1, 2)) and x.shape[-len(item) :] == item:
                return item
        raise ValueError(f"{tower}: expected {_wanted(tower, shapes)}, got {tuple(x.shape)}")

    def _check_tokens(self, tokens: Tensor) -> None:
        """A wrong id would end the process's use of a GPU, so it is refused before."""
        last = self.config.vocab_size - 1
        if tokens.numel() and not 0 <= int(tokens.min()) <= int(tokens.max()) <= last:
            got = f"{int(tokens.min())} to {int(tokens.max())}"
            raise ValueError(f"text: expected token ids of 0 to {last}, got {got}")

    def _like(self, tower: Tower) -> Tensor:
        """Some parameter of the tower, for its device and dtype."""
        return next(self.modality_trunks[tower].parameters())


def _wanted(tower: Tower, shapes: tuple[tuple[int, ...], ...]) -> str:
    picture = ", ".join(map(str, shapes[0]))
    wanted = f"(B, {picture}) or (B, clips, {picture})"
    if tower == "vision":
        wanted += f", and video as (B, clips, {', '.join(map(str, shapes[1]))})"
    return wanted
