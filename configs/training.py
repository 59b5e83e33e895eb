"""The configuration of a training: the one module that knows both the data and the trainer."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from encoders.binding.base import Base, Change
from encoders.binding.encode import Arithmetic
from encoders.binding.recipe import Recipe
from encoders.binding.train import Data, Training
from encoders.imagebind.config import ModelConfig
from encoders.imagebind.device import DeviceChoice, place
from streamer.types import MODALITIES, Modality


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Count = Annotated[int, Field(ge=1)]


class WorldData(Strict):
    """Moments of the simulated world. The three sets are drawn from seeds of their own."""

    kind: Literal["world"] = "world"
    seed: int = 0
    captioned: Count
    pairs: Count
    held_out: Count = 1024

    def open(self) -> Data:
        from sources.world.moments import WorldMoments

        return Data(
            captioned=WorldMoments(3 * self.seed, self.captioned, ("vision",)),
            pairs=WorldMoments(3 * self.seed + 1, self.pairs),
            held_out=WorldMoments(3 * self.seed + 2, self.held_out),
            key=self.model_dump_json(),
        )


class Stages(Strict):
    """How each tower is trained; vision's recipe is for vision and text. Absent: not trained."""

    vision: Recipe | None = None
    audio: Recipe | None = None
    depth: Recipe | None = None
    thermal: Recipe | None = None
    imu: Recipe | None = None

    @property
    def recipes(self) -> dict[Modality, Recipe]:
        found: dict[Modality, Recipe | None] = {m: getattr(self, m) for m in MODALITIES}
        return {modality: recipe for modality, recipe in found.items() if recipe is not None}


class BaseModelWeights(Strict):
    """A trained model that training starts from (`encoders.binding.base`)."""

    weights: Path
    change: Change = "lora"
    rank: Count = 4
    alpha: Annotated[float, Field(gt=0)] = 4.0


def _sizes(model: object) -> object:
    return ModelConfig() if model == "imagebind_huge" else model


class TrainConfig(Strict):
    """Everything that `streamer train` needs.

    `model`: the sizes of a model, or imagebind_huge. `base`: start from trained weights instead of
    from nothing; there is no stage `vision` then, its image and text towers stay as they are.
    `start`: a weights file of the same sizes, from which every tower goes on with all its weights;
    those without a stage stay as they are. `locked_image`: stage `vision` trains text alone against
    the image tower of `start`, so that what was bound to it stays bound.
    `out` holds what training makes and `cache` the rendered data, which trainings may share.
    `threads`: of this process, for arithmetic; `workers`: processes that render. `shuffle` is the
    control: wrong pairs, after which scores must fall to chance.
    """

    data: WorldData
    model: Annotated[ModelConfig, BeforeValidator(_sizes)]
    base: BaseModelWeights | None = None
    start: Path | None = None
    locked_image: bool = False
    stages: Stages
    out: Path
    cache: Path
    seed: int = 0
    device: DeviceChoice = "auto"
    precision: Literal["fp32", "bf16"] = "bf16"
    workers: Count = 2
    threads: Count | None = None
    shuffle: bool = False

    @model_validator(mode="after")
    def _stages_fit(self) -> "TrainConfig":
        if not self.stages.recipes:
            raise ValueError("stages: expected at least one")
        if self.base is not None and self.stages.vision is not None:
            raise ValueError("stages.vision: expected none, since base brings image and text")
        if self.base is not None and self.start is not None:
            raise ValueError("start: expected none, since base says where training starts")
        if self.locked_image and self.start is None:
            raise ValueError("locked_image: expected a start, whose image tower is kept")
        if self.start is not None and not self.start.is_file():
            raise ValueError(f"start: {self.start}: no such file")
        return self

    def open(self) -> Training:
        """Raises `EncoderFailed` where there is no such device."""
        import torch

        if self.threads is not None:
            torch.set_num_threads(self.threads)
        where = place(self.device, self.precision)
        return Training(
            out=self.out,
            cache=self.cache,
            data=self.data.open(),
            sizes=self.model,
            recipes=self.stages.recipes,
            arithmetic=Arithmetic(where.device, bf16=self.precision == "bf16"),
            seed=self.seed,
            workers=self.workers,
            shuffle=self.shuffle,
            start=self.start,
            locked_image=self.locked_image,
            base=None if self.base is None else Base(**self.base.model_dump()),
        )
