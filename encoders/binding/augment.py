"""What training does to inputs so that they are never twice the same. Weak on purpose: with strong
image augmentation ImageBind's audio fell from 56.7 to 22.6.

Nothing is ever mirrored: a robot that turns left must not look like one that turns right.
Everything drawn comes from the generator of the step, so that a resumed run draws the same.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encoders.binding.inputs import MARGIN
from encoders.binding.vocabulary import PADDING
from encoders.imagebind.config import ModelConfig, Tower
from encoders.imagebind.preprocess.pictures import MEAN, STD

MIDDLE = MARGIN // 2
_SOUND_COLUMNS = 198  # of 2 s; the columns behind are padding and stay as they are
_GREY = 0.45


def crop(wide: NDArray[np.generic], shifts: NDArray[np.int64]) -> Tensor:
    """The squares of wide pictures, (B, ..., side, side + margin[, 3]), from column `shifts` on."""
    axis = 3 if wide.ndim == 5 else 2
    side = wide.shape[axis] - MARGIN
    out = np.empty((*wide.shape[:axis], side, *wide.shape[axis + 1 :]), wide.dtype)
    for square, picture, shift in zip(out, wide, shifts.tolist(), strict=True):
        square[...] = (
            picture[..., shift : shift + side, :]
            if axis == 3
            else picture[..., shift : shift + side]
        )
    return torch.from_numpy(out)


def patches(
    count: int, sizes: ModelConfig, tower: Tower, left_out: float, rng: np.random.Generator
) -> Tensor | None:
    """Numbers int64 (count, k) of the patches to look at, others for each input; None for all."""
    if not left_out:
        return None
    total = math.prod(sizes.grid(tower))
    order = rng.random((count, total)).argsort(axis=1)
    return torch.from_numpy(order[:, : max(1, round((1 - left_out) * total))])


def words(tokens: Tensor, most: float, rng: np.random.Generator) -> Tensor:
    """Compact token ids (B, n), each text with a share of 0 to `most` of its words left out.

    The first token, the end and at least one word stay; what is left moves up, PADDING follows.
    """
    made = torch.full_like(tokens, PADDING)
    ends = tokens.argmax(dim=1).tolist()
    for row, text, end in zip(made, tokens, ends, strict=True):
        said = np.arange(1, end)
        kept = said[rng.random(len(said)) >= rng.uniform(0, most)]
        if not kept.size and said.size:
            kept = rng.choice(said, 1)
        row[: len(kept) + 2] = text[[0, *kept.tolist(), end]]
    return made


def middles(count: int) -> NDArray[np.int64]:
    """The shift of live runs, for `count` pictures."""
    return np.full(count, MIDDLE, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """A long row of normal numbers, drawn once: 5 M new ones a batch would be a tenth of a step."""

    bank: Tensor

    @staticmethod
    def of(seed: int, size: int) -> "Noise":
        return Noise(torch.randn(size, generator=torch.Generator().manual_seed(seed)))

    def add(self, x: Tensor, deviations: NDArray[np.float64], rng: np.random.Generator) -> None:
        """Add noise of one deviation an item, in place; each item reads the row from elsewhere."""
        size = x[0].numel()
        starts = rng.integers(0, self.bank.numel() - size, len(x)).tolist()
        for item, start, deviation in zip(x, starts, deviations.tolist(), strict=True):
            item.add_(self.bank[start : start + size].view(item.shape), alpha=deviation)


def colours(squares: Tensor, rng: np.random.Generator, noise: Noise) -> Tensor:
    """uint8 (B, frames, H, W, 3) as the vision tower takes it, with another light.

    Contrast, brightness and tint are one gain and one offset a channel, the same in both frames.
    """
    count = len(squares)
    contrast = rng.uniform(0.8, 1.2, (count, 1))
    gain = rng.uniform(0.8, 1.2, (count, 1)) * rng.uniform(0.95, 1.05, (count, 3))
    scale = contrast * gain
    offset = _GREY * (1 - contrast) * gain
    x = _affine(squares, scale, offset)
    noise.add(x, rng.uniform(0, 0.03, count) / np.mean(STD), rng)
    return x.permute(0, 4, 1, 2, 3)


def plain(squares: Tensor) -> Tensor:
    """uint8 (B, frames, H, W, 3) as the vision tower takes it, as in live runs."""
    ones = np.ones((len(squares), 3))
    return _affine(squares, ones, 0 * ones).permute(0, 4, 1, 2, 3)


def _affine(squares: Tensor, scale: NDArray[np.float64], offset: NDArray[np.float64]) -> Tensor:
    factor = torch.from_numpy(scale / 255 / np.array(STD)).float()[:, None, None, None]
    addend = torch.from_numpy((offset - np.array(MEAN)) / np.array(STD)).float()
    return torch.addcmul(addend[:, None, None, None], squares.float(), factor)


def surfaces(squares: Tensor, rng: np.random.Generator, noise: Noise, most: float) -> Tensor:
    """float16 (B, H, W), depth or heat, as its tower takes it: (B, 1, H, W), with sensor noise."""
    x = squares.float()
    noise.add(x, rng.uniform(0, most, len(x)), rng)
    return x[:, None]


def sounds(spectra: NDArray[np.generic], rng: np.random.Generator) -> Tensor:
    """float16 (B, mels, columns) as the audio tower takes it: (B, 1, mels, columns).

    Up to 80 ms earlier or later (edges held), up to 6 dB louder or softer, and, in half of them, a
    band and a moment taken out (SpecAugment, arXiv 1904.08779, lightly).
    """
    x = spectra.astype(np.float32)
    heard = min(x.shape[2], _SOUND_COLUMNS)
    for item in x:
        sound = item[:, :heard]
        at = np.arange(heard) + rng.integers(-8, 9)
        sound[:] = sound[:, at.clip(0, heard - 1)] + rng.uniform(-0.15, 0.15)
        if rng.random() < 0.5:
            mean = sound.mean()
            low, first = rng.integers(0, len(sound) - 8), rng.integers(0, heard - 16)
            sound[low : low + rng.integers(1, 9)] = mean
            sound[:, first : first + rng.integers(1, 17)] = mean
    return torch.from_numpy(x)[:, None]


def motions(readings: NDArray[np.generic], rng: np.random.Generator, noise: Noise) -> Tensor:
    """float32 (B, 6, steps) as the IMU tower takes it.

    Up to a twentieth of the window earlier or later (edges held), scale errors of up to 10 %, and
    noise of up to 0.05 m/s^2 and 0.005 rad/s.
    """
    x = np.array(readings, np.float32)
    steps = x.shape[2]
    for item in x:
        at = np.arange(steps) + rng.integers(-steps // 20, steps // 20 + 1)
        item[:] = item[:, at.clip(0, steps - 1)]
        item[:3] *= rng.uniform(0.9, 1.1)
        item[3:] *= rng.uniform(0.9, 1.1)
    drawn = torch.from_numpy(x)
    deviation = rng.uniform(0, 0.05, len(x))
    noise.add(drawn[:, :3], deviation, rng)
    noise.add(drawn[:, 3:], deviation / 10, rng)
    return drawn
