"""What calibration needs of files, of the configuration's sources, or of the simulated world."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from configs.evaluation import split, world_concepts
from encoders.binding.evaluate.parallel import each
from encoders.binding.evaluate.rendered import rendered
from encoders.imagebind.preprocess.depth import DepthInput
from encoders.imagebind.runtime import ImageBind
from sources.pictures import Pictures
from streamer.pipeline import Pipeline
from streamer.plan import Plan
from streamer.protocols import Source
from streamer.quality import coverage
from streamer.types import NS_PER_S, Modality, Span, Vector, Window

Key: TypeAlias = tuple[int, int]
"""A moment: the number of its file or scene, and the end of its windows."""

FULL = 0.9
"""Only windows as full as this can tell a longer duration from a shorter one."""
_STRETCH_NS = 10 * NS_PER_S
_BATCH = 16


@dataclass(slots=True, eq=False)
class Gathered:
    """Vectors by modality and moment; of depth also by preset. Motion waits to be read in many
    ways, so its windows are kept. `labels` by modality and number of the file."""

    vectors: dict[Modality, dict[Key, Vector]] = field(
        default_factory=dict[Modality, dict[Key, Vector]]
    )
    depths: dict[str, dict[Key, Vector]] = field(default_factory=dict[str, dict[Key, Vector]])
    motion: dict[Key, Window] = field(default_factory=dict[Key, Window])
    labels: dict[Modality, dict[int, str]] = field(default_factory=dict[Modality, dict[int, str]])

    def beside_pictures(self, others: Mapping[Key, object]) -> list[Key]:
        """The moments that have both, in order."""
        return sorted(self.vectors.get("vision", {}).keys() & others.keys())


class Gatherer:
    """Stands in a pipeline as its encoder, and keeps what comes instead of handing it on."""

    def __init__(self, encoder: ImageBind, presets: Sequence[str], min_coverage: float) -> None:
        self.found = Gathered(depths={preset: {} for preset in presets})
        self.file = 0
        self.name, self.hash, self.dim = encoder.name, encoder.hash, encoder.dim
        self.text = encoder.text
        self._encoder, self._min_coverage = encoder, min_coverage
        self._by_preset = {
            preset: encoder.reading(depth=DepthInput.model_validate({"preset": preset}))
            for preset in presets
        }

    def encode(self, windows: Sequence[Window]) -> NDArray[np.float32]:
        """Something of unit length for each: what was found is in `found`."""
        self.take([(self.file, window) for window in windows])
        return np.tile(np.eye(1, self.dim, dtype=np.float32), (len(windows), 1))

    def take(self, windows: Sequence[tuple[int, Window]]) -> None:
        """Encode windows, each with the number of its file."""
        full = [(f, w) for f, w in windows if w.quality.coverage >= self._min_coverage]
        plain = [(f, w) for f, w in full if w.modality not in ("depth", "imu")]
        if plain:
            vectors = self._encoder.encode([window for _, window in plain])
            for (file, window), vector in zip(plain, vectors, strict=True):
                kept = self.found.vectors.setdefault(window.modality, {})
                kept[file, window.span.end_ns] = vector
        deep = [(f, w) for f, w in full if w.modality == "depth"]
        for preset, encoder in self._by_preset.items() if deep else ():
            vectors = encoder.encode([window for _, window in deep])
            for (file, window), vector in zip(deep, vectors, strict=True):
                self.found.depths[preset][file, window.span.end_ns] = vector
        # Cut to length later, and judged then.
        self.found.motion.update(
            ((file, w.span.end_ns), w) for file, w in windows if w.modality == "imu"
        )


def gather(gatherer: Gatherer, sources: Sequence[Source], plan: Plan, file: int) -> None:
    """All windows of sources that run side by side. Raises `SourceLost`, `EncoderFailed`."""
    gatherer.file = file
    if len(sources) == 1 and isinstance(sources[0], Pictures):
        # One picture stands for one window.
        (info,) = sources[0].streams
        plan = replace(plan, hop_ns=plan.lengths_ns[info.modality])
    pipeline = Pipeline(replace(plan, fused=False), sources, gatherer, [])
    asyncio.run(pipeline.run(asyncio.Event()))


def gather_world(
    gatherer: Gatherer, count: int, seed: int, workers: int, done: Callable[[int], object]
) -> None:
    """Scenes of one concept of the simulated world, labelled where the picture shows it too."""
    senses = world_concepts().senses
    moments = split("calibration", seed, count)
    waiting: list[tuple[int, Window]] = []
    for file, item in enumerate(each(moments, rendered, workers)):
        moment = item.moment()
        waiting += [(file, window) for window in moment.windows.values()]
        for modality, names in moment.present.items():
            # One that the camera cannot perceive could not be bound, and is not in a label's power.
            if len(names) == 1 and {modality, "vision"} <= senses[names[0]]:
                gatherer.found.labels.setdefault(modality, {})[file] = names[0]
        if (file + 1) % _BATCH == 0 or file + 1 == count:
            gatherer.take(waiting)
            waiting.clear()
        done(file + 1)


def last(window: Window, length_s: float) -> Window:
    """The end of a window of motion, as it would have been cut."""
    length_ns = round(length_s * NS_PER_S)
    span = Span(window.span.end_ns - length_ns, window.span.end_ns)
    kept = tuple(sample for sample in window.samples if sample.end_ns > span.start_ns)
    share = coverage(span, kept)[0] if kept else 0.0
    return replace(window, span=span, samples=kept, quality=replace(window.quality, coverage=share))


def full(motion: Mapping[Key, Window], length_s: float, least: float) -> dict[Key, Window]:
    """The windows cut to this length, without those that hold less than the share `least`."""
    cut = {key: last(window, length_s) for key, window in motion.items()}
    return {key: window for key, window in cut.items() if window.quality.coverage >= least}


def stretches(keys: Sequence[Key]) -> NDArray[np.intp]:
    """Numbers (n,) that moments share which lie within the same ten seconds of one file."""
    places = [(file, end_ns // _STRETCH_NS) for file, end_ns in keys]
    number = {place: index for index, place in enumerate(dict.fromkeys(places))}
    return np.array([number[place] for place in places], np.intp)
