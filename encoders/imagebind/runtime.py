"""ImageBind as an encoder: windows in, unit vectors out. Synchronous; one thread at a time."""

import logging
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PlainValidator,
    ValidationError,
)
from torch import Tensor

from encoders.imagebind.checkpoint import load_towers
from encoders.imagebind.config import TOWERS, ModelConfig, Tower
from encoders.imagebind.device import DeviceChoice, PrecisionChoice, place
from encoders.imagebind.model import ImageBindModel
from encoders.imagebind.preprocess import audio, depth, imu, pictures, thermal
from encoders.imagebind.preprocess.depth import DepthInput
from encoders.imagebind.preprocess.imu import ImuInput
from encoders.imagebind.preprocess.thermal import ThermalInput
from encoders.imagebind.tokenizer import Tokenizer
from encoders.imagebind.weights import model_hash, random_weights
from streamer.errors import EncoderFailed
from streamer.types import AudioBlock, ImuBlock, Modality, Window, pixels

log = logging.getLogger(__name__)


def _known_model(model: object) -> str | dict[str, JsonValue]:
    """One message instead of one for each type that it might have been."""
    if model == "imagebind_huge":
        return "imagebind_huge"
    if not isinstance(model, dict):
        raise ValueError(f"expected imagebind_huge or the sizes of a model, got {model!r}")
    try:
        ModelConfig.model_validate(model)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{where + ': ' if where else ''}{first['msg']}") from None
    return cast("dict[str, JsonValue]", model)


class ImageBindEncoder(BaseModel):
    """Which model, on what, and the conventions for inputs that were never published.

    `model`: `imagebind_huge`, or the sizes of another one under the keywords of `ModelConfig`.
    `weights`: `random` (seeded; its labels mean nothing), or a `.pth` or `.safetensors` file, of
    which only the towers in use are read.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["imagebind"] = "imagebind"
    model: Annotated[str | dict[str, JsonValue], PlainValidator(_known_model)] = "imagebind_huge"
    weights: str = Field(min_length=1)
    seed: int = 0
    device: DeviceChoice = "auto"
    precision: PrecisionChoice = "auto"
    depth: DepthInput = Field(default_factory=DepthInput)
    thermal: ThermalInput = Field(default_factory=ThermalInput)
    imu: ImuInput = Field(default_factory=ImuInput)

    def tower(self, modality: Modality) -> Tower:
        """The tower that encodes a modality."""
        return self.thermal.tower if modality == "thermal" else modality

    def preflight(self) -> None:
        """Raise what `open` would raise at once, without building anything."""
        place(self.device, self.precision)
        if self.weights != "random" and not Path(self.weights).is_file():
            raise EncoderFailed(f"encoder.weights: {self.weights}: no such file")

    @contextmanager
    def open(
        self, modalities: Collection[Modality], *, text: bool
    ) -> Generator["ImageBind", None, None]:
        """Build and load the towers for `modalities`, and the text tower if asked for.

        Raises `EncoderFailed`: no such device, file missing, damaged or of another model.
        """
        chosen: set[Tower] = {self.tower(modality) for modality in modalities}
        if text:
            chosen.add("text")
        where = place(self.device, self.precision)
        log.info("encoder on %s", where.reason)
        sizes = {} if isinstance(self.model, str) else self.model
        with torch.device("meta"):
            model = ImageBindModel([tower for tower in TOWERS if tower in chosen], **sizes)
        model.eval()
        if self.weights == "random":
            random_weights(model, self.seed, dtype=where.dtype, device=where.device)
            log.warning("weights: random (seed %d): vectors and labels mean NOTHING", self.seed)
        else:
            load_towers(model, Path(self.weights), dtype=where.dtype, device=where.device)
        yield ImageBind(self, model)


class ImageBind:
    """An opened model. Windows of one modality go through its tower as one batch."""

    def __init__(self, settings: ImageBindEncoder, model: ImageBindModel) -> None:
        self.name = settings.model if isinstance(settings.model, str) else "imagebind_custom"
        self.hash = model_hash(model)
        self.dim = model.config.out_embed_dim
        self._settings = settings
        self._model = model
        self._tokenizer = Tokenizer(model.config.context_length)

    def encode(self, windows: Sequence[Window]) -> NDArray[np.float32]:
        """Unit vectors (len(windows), dim), in the order of `windows`. Raises `EncoderFailed`."""
        vectors = np.empty((len(windows), self.dim), np.float32)
        by_modality: dict[Modality, list[int]] = {}
        for index, window in enumerate(windows):
            by_modality.setdefault(window.modality, []).append(index)
        for modality, indices in by_modality.items():
            batch = torch.stack([self._input(windows[i]) for i in indices])
            vectors[indices] = (
                self._model.embed(self._settings.tower(modality), batch).cpu().numpy()
            )
        return vectors

    def text(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors (len(prompts), dim) of the prompts."""
        return self._model.embed("text", self._tokenizer(prompts)).cpu().numpy()

    def _input(self, window: Window) -> Tensor:
        """What the tower takes of one window, without the batch axis."""
        sizes, settings = self._model.config, self._settings
        match window.modality:
            case "vision":
                first, last = pixels(window.samples[0]), pixels(window.samples[-1])
                return pictures.clip(first, last, sizes.image_size)
            case "audio":
                blocks = [(s.t_ns, _block(s.data, AudioBlock)) for s in window.samples]
                bins, columns = sizes.audio_num_mel_bins, sizes.audio_target_len
                return audio.window(blocks, window.span, bins, columns)
            case "depth":
                # The newest frame: depth of two moments has no place in the tower.
                return depth.image(pixels(window.samples[-1]), sizes.image_size, settings.depth)
            case "thermal":
                return thermal.image(pixels(window.samples[-1]), sizes.image_size, settings.thermal)
            case "imu":
                parts = [_block(s.data, ImuBlock) for s in window.samples]
                t_ns = np.concatenate([part.t_ns for part in parts])
                values = np.concatenate([part.values for part in parts])
                return imu.window(t_ns, values, window.span, sizes.imu_steps, settings.imu)


def _block(data: Any, kind: type[Any]) -> Any:
    if not isinstance(data, kind):
        raise EncoderFailed(f"expected samples of {kind.__name__}, got {type(data).__name__}")
    return data
