"""A whole training: data, stage 1, anchors, the other towers, and the weights file they make.

    OUT/vision/                        stage 1: vision and text
    OUT/audio/ depth/ thermal/ imu/    stage 2, each independent of the others
    OUT/weights.safetensors            all that is finished, float16

A stage's folder holds `log.jsonl`, `last.pt` (the checkpoint) and in the end `done.safetensors`.
What is done is not done again, so a killed training is taken up by starting it again, and several
processes may each train a tower.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from encoders.binding import augment, journal
from encoders.binding.anchors import SHIFTS, anchors
from encoders.binding.base import Base
from encoders.binding.bound import as_live, bound, pairs
from encoders.binding.cache import Cache, cached
from encoders.binding.captioned import captioned
from encoders.binding.captions import Captions
from encoders.binding.data import Moments
from encoders.binding.draws import generator
from encoders.binding.encode import Arithmetic
from encoders.binding.export import assemble, finish, finished
from encoders.binding.fit import SAVE_S, Interrupted, Progress, Task, fit
from encoders.binding.recipe import Recipe
from encoders.binding.start import start_from, start_text, whiten_stem
from encoders.imagebind.checkpoint import load_towers, tower_of
from encoders.imagebind.config import ModelConfig
from encoders.imagebind.model import ImageBindModel
from streamer.errors import ConfigError
from streamer.types import MODALITIES, Modality

WHITENED = 256  # inputs that a stem's start is computed from


class Watch(Protocol):
    """Who shows what goes on."""

    def training(self, progress: Progress) -> None: ...

    def working(self, what: str, done: int, total: int) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """`captioned` trains image and text, `pairs` the other towers, `held_out` scores both.

    `key` says all that the moments depend on.
    """

    captioned: Moments
    pairs: Moments
    held_out: Moments
    key: str


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """`recipes` by modality; vision's is stage 1. What has none is not trained.

    With a `base` there is no stage 1: its image tower gives the anchors, and the other towers start
    from its weights. With a `start`, a weights file of the same sizes, every tower goes on from it
    with all its weights, and those without a recipe stay as they are. `locked_image`: stage 1 then
    trains text alone against the image tower of `start` (LiT, arXiv 2111.07991), and what was bound
    to that image tower stays bound. `shuffle` is the control of stage 2 (`bound`).
    """

    out: Path
    cache: Path
    data: Data
    sizes: ModelConfig
    recipes: Mapping[Modality, Recipe]
    arithmetic: Arithmetic
    seed: int
    workers: int = 1
    shuffle: bool = False
    base: Base | None = None
    start: Path | None = None
    locked_image: bool = False
    save_s: float = SAVE_S

    def run(
        self,
        only: Collection[Modality],
        watch: Watch,
        stop: Callable[[], bool] = lambda: False,
    ) -> Path:
        """Train what `only` names and is not finished, then write the weights file: its path.

        Raises `Interrupted` after `stop()` said so, with everything kept; `ConfigError` for
        folders that were made under other settings.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        for stage in MODALITIES:
            if stage in self.recipes and stage in only and finished(self._done(stage)) is None:
                if stage == "vision":
                    self._train_vision_and_text(watch, stop)
                else:
                    self._train_bound(stage, watch, stop)
        done: list[Modality] = [m for m in MODALITIES if finished(self._done(m)) is not None]
        journals = {stage: journal.read(self.out / stage / "log.jsonl") for stage in done}
        if journals:
            journal.plot(journals, self.out / "loss.png")
        weights = self.out / "weights.safetensors"
        rest = self.start if self.base is None else self.base.weights
        assemble(weights, [self._done(stage) for stage in done], self.sizes, rest)
        return weights

    @property
    def complete(self) -> bool:
        """All towers of a model that was not adapted from a base are finished."""
        trained = MODALITIES if self.start is None else tuple(self.recipes)
        return self.base is None and all(finished(self._done(m)) is not None for m in trained)

    def _train_vision_and_text(self, watch: Watch, stop: Callable[[], bool]) -> None:
        recipe = self.recipes["vision"]
        cache = self._cache("captioned", self.data.captioned, watch, stop)
        held_out = self._cache("held_out", self.data.held_out, watch, stop)
        captions = Captions(cache.captions, self.sizes.context_length)
        torch.manual_seed(self.seed)
        sizes = self.sizes.model_copy(update={"vocab_size": len(captions.vocabulary)})
        model = ImageBindModel(["vision", "text"], **sizes.model_dump())
        if self.start is None:
            start_text(model)
        else:
            start_from(model, self.start, self.sizes, captions.vocabulary)
        model.get_submodule("modality_postprocessors").requires_grad_(False)
        if self.locked_image:
            for name, parameter in model.named_parameters():
                parameter.requires_grad_(parameter.requires_grad and tower_of(name) != "vision")
        model.to(self.arithmetic.device)
        task = captioned(model, cache, captions, held_out, recipe, self.seed, self.arithmetic)
        notes = self._fit("vision", task, cache.name, self.seed, watch, stop)
        finish(self._done("vision"), model.state_dict(), notes, captions.vocabulary)

    def _train_bound(self, stage: Modality, watch: Watch, stop: Callable[[], bool]) -> None:
        recipe = self.recipes[stage]
        if not self._image_weights.exists():
            raise ConfigError(f"{self._image_weights}: {stage} binds to it; train vision first")
        cache = self._cache("pairs", self.data.pairs, watch, stop)
        held_out = self._cache("held_out", self.data.held_out, watch, stop)
        origin = _digest(self._image_weights)
        vectors = self._anchors(origin, cache, SHIFTS, watch, stop)
        held_out_vectors = self._anchors(origin, held_out, (augment.MIDDLE,), watch, stop)
        seed = self.seed + 1 + MODALITIES.index(stage)
        torch.manual_seed(seed)
        if self.base is not None:
            model = self.base.tower(self.sizes, stage)
        else:
            model = ImageBindModel([stage], **self.sizes.model_dump())
            if self.start is None:
                rows = generator(self.seed, 4).permutation(pairs(cache, stage))[:WHITENED]
                whiten_stem(model, stage, as_live(stage, cache.arrays[stage][np.sort(rows)]))
            else:
                start_from(model, self.start, self.sizes)
        model.to(self.arithmetic.device)
        task = bound(
            model, stage, cache, vectors, held_out, held_out_vectors, recipe, seed,
            self.arithmetic, shuffle=self.shuffle,
        )  # fmt: skip
        notes = self._fit(stage, task, f"{cache.name} {origin}", seed, watch, stop)
        if self.base is not None:
            self.base.merge(model, stage)
        finish(self._done(stage), model.state_dict(), notes)

    def _fit(
        self,
        stage: Modality,
        task: Task,
        data: str,
        seed: int,
        watch: Watch,
        stop: Callable[[], bool],
    ) -> dict[str, str]:
        """Train, and return what to note about it with the weights."""
        settings = self._settings(stage, data)
        seconds = fit(
            stage, task, self.recipes[stage], self.out / stage, seed=seed, settings=settings,
            stop=stop, report=watch.training, save_s=self.save_s,
        )  # fmt: skip
        return {"settings": settings, "seconds": f"{seconds:.0f}"}

    def report(self) -> dict[str, Any]:
        """JSON-ready: of every finished stage its last record and its seconds of training."""
        stages: dict[str, Any] = {}
        for stage in MODALITIES:
            notes = finished(self._done(stage))
            if notes is not None:
                last = journal.read(self.out / stage / "log.jsonl")[-1]
                stages[stage] = {**last, "seconds": int(notes["seconds"])}
        return {"stages": stages}

    @property
    def _image_weights(self) -> Path:
        """The file whose vision tower gives the anchors."""
        return self._done("vision") if self.base is None else self.base.weights

    def _done(self, stage: Modality) -> Path:
        return self.out / stage / "done.safetensors"

    def _settings(self, stage: Modality, data: str) -> str:
        """All that the weights of a stage depend on."""
        return json.dumps(
            {
                "stage": stage,
                "data": data,
                "sizes": self.sizes.model_dump(mode="json"),
                "recipe": self.recipes[stage].model_dump(mode="json"),
                "seed": self.seed,
                "bf16": self.arithmetic.bf16,
                "shuffle": self.shuffle and stage != "vision",
                "start": self.start and _digest(self.start),
                "locked_image": self.locked_image and stage == "vision",
                "change": self.base and [self.base.change, self.base.rank, self.base.alpha],
            }
        )

    def _cache(self, what: str, moments: Moments, watch: Watch, stop: Callable[[], bool]) -> Cache:
        return cached(
            self.cache,
            moments,
            f"{what} {self.data.key}",
            self.sizes,
            workers=self.workers,
            progress=_tell(f"rendering {what}", watch, stop),
        )

    def _anchors(
        self,
        origin: str,
        cache: Cache,
        shifts: tuple[int, ...],
        watch: Watch,
        stop: Callable[[], bool],
    ) -> NDArray[np.float32]:
        with torch.device("meta"):
            model = ImageBindModel(["vision"], **self.sizes.model_dump())
        load_towers(model, self._image_weights)
        model.to(self.arithmetic.device)
        return anchors(
            self.out / f"anchors-{origin}-{cache.name}-{'-'.join(map(str, shifts))}.npy",
            model,
            cache,
            shifts,
            self.arithmetic,
            _tell("encoding pictures", watch, stop),
        )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _tell(what: str, watch: Watch, stop: Callable[[], bool]) -> Callable[[int, int], None]:
    """Progress for `watch`, which also ends the work when it is asked to stop."""

    def tell(done: int, total: int) -> None:
        watch.working(what, done, total)
        if stop():
            raise Interrupted

    return tell
