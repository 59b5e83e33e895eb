"""A tiny training, also as a process of its own: python -m tests.toy_training OUT CACHE [STAGE ...]

Says one line a step report on stdout, for whoever wants to kill it in the middle.
"""

import sys
from collections.abc import Collection
from pathlib import Path

import torch

from encoders.binding import fit
from encoders.binding.base import Base
from encoders.binding.encode import Arithmetic
from encoders.binding.recipe import Recipe
from encoders.binding.train import Data, Training
from encoders.imagebind.config import ModelConfig
from streamer.types import MODALITIES, Modality
from tests.toy import SIZES, Toys


class Quiet:
    """A watch that keeps what it is told."""

    def __init__(self) -> None:
        self.last: dict[str, fit.Progress] = {}
        self.work: list[tuple[str, int, int]] = []

    def training(self, progress: fit.Progress) -> None:
        self.last[progress.stage] = progress

    def working(self, what: str, done: int, total: int) -> None:
        self.work.append((what, done, total))


class Talking(Quiet):
    def training(self, progress: fit.Progress) -> None:
        print(progress.stage, progress.step, flush=True)


def training(
    out: Path,
    cache: Path,
    stages: Collection[Modality],
    *,
    steps: int,
    base: Base | None = None,
    start: Path | None = None,
    locked_image: bool = False,
    shuffle: bool = False,
    left_out: float = 0.0,
    rate: float = 4e-3,
    workers: int = 1,
) -> Training:
    recipe = Recipe(samples=32 * steps, batch=32, rate=rate, left_out=left_out)
    return Training(
        out=out,
        cache=cache,
        data=Data(Toys(64), Toys(96, silence=True), Toys(), "toys"),
        sizes=ModelConfig(**SIZES),
        recipes={stage: recipe for stage in MODALITIES if stage in stages},
        arithmetic=Arithmetic(torch.device("cpu"), bf16=False),
        seed=3,
        workers=workers,
        shuffle=shuffle,
        base=base,
        start=start,
        locked_image=locked_image,
        save_s=0,
    )


if __name__ == "__main__":
    out, cache, *stages = sys.argv[1:]
    torch.set_num_threads(1)
    named: list[Modality] = [m for m in MODALITIES if m in stages]
    training(Path(out), Path(cache), named, steps=60, left_out=0.25, workers=2).run(
        named, Talking()
    )
