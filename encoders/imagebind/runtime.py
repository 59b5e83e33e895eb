"""ImageBind as an encoder: windows in, unit vectors out. Synchronous; one thread at a time."""

import logging
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from copy import copy
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, cast

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
    model_validator,
)
from torch import Tensor

from encoders.cache_folder import CacheFolder, cache_folder
from encoders.calibration import Calibration
from encoders.conventions import Calibrated, read_calibrated, settled
from encoders.imagebind.config import ModelConfig, Tower
from encoders.imagebind.device import DeviceChoice, PrecisionChoice, place
from encoders.imagebind.header import Header, read_header
from encoders.imagebind.loading import Weights
from encoders.imagebind.preprocess import audio, depth, imu, pictures, thermal
from encoders.imagebind.preprocess.depth import DepthInput
from encoders.imagebind.preprocess.imu import ImuInput
from encoders.imagebind.preprocess.thermal import ThermalInput
from encoders.imagebind.text import Texts
from encoders.label_vectors import LabelVectors
from encoders.store.folder import find
from encoders.zeroshot import LabelSet, class_vectors
from streamer.errors import EncoderFailed
from streamer.protocols import OpenEncoder
from streamer.types import MODALITIES, AudioBlock, ImuBlock, Modality, Window, pixels

log = logging.getLogger(__name__)

Model: TypeAlias = Literal["imagebind_huge"] | dict[str, JsonValue] | None

RANDOM, BUILTIN = "random", "builtin"


def _known_model(model: object) -> Model:
    """One message instead of one for each type that it might have been."""
    if model is None:
        return None
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

    `weights`: `builtin` (the small model of the simulated world), `random` (seeded; its labels mean
    nothing), `imagebind_huge` (the file or folder of that name in the cache folder, where
    `streamer weights pull` puts it), a `.pth` or `.safetensors` file, or a folder that
    `streamer weights convert` made. Only the towers in use are read.
    `model`: `imagebind_huge`, or the sizes of another one under the keywords of `ModelConfig`. By
    default the sizes that the weights bring with them, and imagebind_huge if they bring none.
    `calibration`: a file that `streamer calibrate` wrote for this very model. It fills in what is
    not set here; what is set here and says otherwise is an error.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["imagebind"] = "imagebind"
    model: Annotated[Model, PlainValidator(_known_model)] = None
    weights: str = Field(min_length=1)
    seed: int = 0
    device: DeviceChoice = "auto"
    precision: PrecisionChoice = "auto"
    depth: DepthInput = Field(default_factory=DepthInput)
    thermal: ThermalInput = Field(default_factory=ThermalInput)
    imu: ImuInput = Field(default_factory=ImuInput)
    calibration: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _sizes_are_given_once(self) -> "ImageBindEncoder":
        if self.weights == BUILTIN and self.model is not None:
            raise ValueError("weights: builtin brings its own sizes; leave model out")
        return self

    def tower(self, modality: Modality) -> Tower:
        """The tower that encodes a modality."""
        return self.thermal.tower if modality == "thermal" else modality

    def preflight(self) -> None:
        """Raise what `open` would raise at once, without building anything."""
        place(self.device, self.precision)
        self.settled()
        with self._file() as path:
            if path is not None:
                read_header(path)

    def sizes(self) -> ModelConfig:
        """The sizes of the model that `open` would build; of a file, only the header is read.

        Raises `EncoderFailed` where the file is missing or damaged.
        """
        with self._file() as path:
            return self._sizes(Header() if path is None else read_header(path))

    def model_hash(self) -> str:
        """The hash that the model will have when it is open; builds nothing of it.

        Raises `EncoderFailed` as `open` does.
        """
        where = place(self.device, self.precision)
        with self._file() as path:
            sizes = self._sizes(Header() if path is None else read_header(path))
            return Weights(path, self.seed, sizes, where).hash(CacheFolder(cache_folder()))

    def calibrated(self) -> Calibrated | None:
        """What the file `calibration` says, if one is named. Raises `ConfigError`."""
        return None if self.calibration is None else read_calibrated(self.calibration)

    def settled(self) -> "ImageBindEncoder":
        """These settings with the conventions of the file `calibration`. Raises `ConfigError`."""
        file, said = self.calibration, self.calibrated()
        if file is None or said is None:
            return self
        named = said.conventions
        return self.model_copy(
            update={
                "depth": settled(self.depth, named.depth, "encoder.depth", file),
                "thermal": settled(self.thermal, named.thermal, "encoder.thermal", file),
                "imu": settled(self.imu, named.imu, "encoder.imu", file),
            }
        )

    @contextmanager
    def _file(self) -> Generator[Path | None, None, None]:
        """The file or folder of weights, while it is needed; None for random ones."""
        if self.weights == RANDOM:
            yield None
        elif self.weights == BUILTIN:
            packaged = files("encoders").joinpath("assets", "builtin.safetensors")
            if not packaged.is_file():
                raise EncoderFailed(f"encoder.weights: builtin: no such file: {packaged}")
            with as_file(packaged) as path:
                yield path
        else:
            yield self._found()

    def _found(self) -> Path:
        try:
            return find(self.weights)
        except EncoderFailed as error:
            raise EncoderFailed(f"encoder.weights: {error}") from None

    @contextmanager
    def open(
        self, modalities: Collection[Modality], *, text: bool
    ) -> Generator["ImageBind", None, None]:
        """Build and load the towers for `modalities`. With `text` that tower too, once it is used.

        Raises `EncoderFailed`: no such device, file missing, damaged or of another model, and
        `ConfigError`: a calibration that was made for another model or contradicts these settings.
        """
        said, settings = self.calibrated(), self.settled()
        where = place(self.device, self.precision)
        log.info("encoder on %s", where.reason)
        cache = CacheFolder(cache_folder())
        with self._file() as path:
            header = Header() if path is None else read_header(path)
            if path is None:
                log.warning("weights: random (seed %d): vectors and labels mean NOTHING", self.seed)
            weights = Weights(path, self.seed, self._sizes(header), where)
            towers: set[Tower] = {settings.tower(modality) for modality in modalities}
            opened = ImageBind(
                settings, weights, towers, cache, settings._calibration(header, said), text=text
            )
            if said is not None:
                said.check_model(str(self.calibration), opened.name, opened.hash)
            yield opened

    def _sizes(self, header: Header) -> ModelConfig:
        if isinstance(self.model, dict):
            return ModelConfig.model_validate(self.model)
        if self.model is None and header.sizes is not None:
            return header.sizes
        return ModelConfig()

    def _calibration(self, header: Header, said: Calibrated | None) -> Calibration | None:
        """That of the file `calibration`, where it has one; else that of the weights, without
        modalities whose inputs are read in another way than when it was fitted."""
        if said is not None and said.labels is not None:
            return said.labels
        if header.calibration is None:
            return None
        changed: dict[Modality, bool] = {
            "depth": self.depth != DepthInput(),
            "thermal": self.thermal != ThermalInput(),
            "imu": self.imu != ImuInput(),
        }
        return header.calibration.only([m for m in MODALITIES if not changed.get(m)])


class ImageBind:
    """An opened model. Windows of one modality go through its tower as one batch.

    `calibration` is what the file that the settings name holds, or else its file of weights.
    """

    def __init__(
        self,
        settings: ImageBindEncoder,
        weights: Weights,
        towers: Collection[Tower],
        cache: CacheFolder,
        calibration: Calibration | None,
        *,
        text: bool,
    ) -> None:
        huge = weights.sizes == ModelConfig()
        sizes = "imagebind_huge" if huge else "imagebind_custom"
        self.name = BUILTIN if settings.weights == BUILTIN else sizes
        self.hash = weights.hash(cache)
        self.dim = weights.sizes.out_embed_dim
        self.calibration = calibration
        self._settings = settings
        self._sizes = weights.sizes
        self._model = weights.load(towers) if towers else None
        # Random vectors mean nothing: not worth keeping, and a run with them shows what one costs.
        kept = LabelVectors(cache, self.hash, weights.precision, self.dim) if weights.path else None
        self._texts = Texts(lambda: weights.load(["text"]), kept) if text else None

    def reading(self, **inputs: DepthInput | ThermalInput | ImuInput) -> "ImageBind":
        """The same model, whose inputs are read by other conventions: `depth`, `thermal`, `imu`."""
        other = copy(self)
        other._settings = self._settings.model_copy(update=inputs)
        return other

    def encode(self, windows: Sequence[Window]) -> NDArray[np.float32]:
        """Unit vectors (len(windows), dim), in the order of `windows`. Raises `EncoderFailed`."""
        vectors = np.empty((len(windows), self.dim), np.float32)
        by_modality: dict[Modality, list[int]] = {}
        for index, window in enumerate(windows):
            by_modality.setdefault(window.modality, []).append(index)
        for modality, indices in by_modality.items():
            tower = self._settings.tower(modality)
            if self._model is None:
                raise ValueError(f"{tower}: expected a tower that was opened, got none")
            batch = torch.stack([self._input(windows[i]) for i in indices])
            vectors[indices] = self._model.embed(tower, batch).cpu().numpy()
        return vectors

    def text(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors (len(prompts), dim) of the prompts. Raises `EncoderFailed`.

        The first call loads the text tower.
        """
        return self._opened_for_text().encode(prompts)

    def class_vectors(self, label_set: LabelSet) -> NDArray[np.float32]:
        """As `zeroshot.class_vectors`, from the cache folder where they are there.

        Raises `EncoderFailed`.
        """
        return self._opened_for_text().classes(label_set)

    @property
    def kept(self) -> LabelVectors | None:
        """The label vectors of this model that are in the cache folder; None for random weights."""
        return self._opened_for_text().kept

    def _opened_for_text(self) -> Texts:
        if self._texts is None:
            raise ValueError("text: expected to be opened with text=True")
        return self._texts

    def _input(self, window: Window) -> Tensor:
        """What the tower takes of one window, without the batch axis."""
        sizes, settings = self._sizes, self._settings
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


def classes_of(encoder: OpenEncoder, label_set: LabelSet) -> NDArray[np.float32]:
    """`zeroshot.class_vectors` of any encoder, without its text tower where they are kept."""
    if isinstance(encoder, ImageBind):
        return encoder.class_vectors(label_set)
    return class_vectors(encoder.text, label_set)


def _block(data: Any, kind: type[Any]) -> Any:
    if not isinstance(data, kind):
        raise EncoderFailed(f"expected samples of {kind.__name__}, got {type(data).__name__}")
    return data
