"""Evaluates a model on the simulated world: the splits, what is fitted on which, all scores."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

from configs.load import label_set
from encoders.binding.data import Moments
from encoders.binding.evaluate.baselines import Baseline, Measured, baselines, measure
from encoders.binding.evaluate.calibration import fit_calibration
from encoders.binding.evaluate.encoded import Concepts, encode
from encoders.binding.evaluate.parallel import EveryOther, each
from encoders.binding.evaluate.rendered import rendered
from encoders.binding.evaluate.report import Report, evaluate
from encoders.binding.export import stamp
from encoders.calibration import Calibration
from encoders.imagebind.runtime import ImageBindEncoder, classes_of
from encoders.zeroshot import LabelSet
from sources.world.concepts import CONCEPTS
from sources.world.moments import WorldMoments
from streamer.protocols import OpenEncoder
from streamer.types import MODALITIES, Modality, Moment

Split: TypeAlias = Literal["held out", "calibration", "baselines"]
Progress: TypeAlias = Callable[[Split, int, int], object]
"""Hears how many moments of a split are done, and of how many."""

Item = TypeVar("Item")

# Far from the seeds of training, which are small numbers.
_SEEDS: dict[Split, int] = {"held out": 1_000_000, "calibration": 2_000_000, "baselines": 3_000_000}


def quiet(split: Split, done: int, total: int) -> None:
    """Progress that nobody hears."""


def world_concepts() -> Concepts:
    """The concepts of the world, in the order of the built-in label set `world`."""
    return Concepts(
        names=tuple(concept.name for concept in CONCEPTS),
        senses={concept.name: concept.senses for concept in CONCEPTS},
        paraphrases={concept.name: concept.paraphrases for concept in CONCEPTS},
    )


def world_labels() -> LabelSet:
    """The label set that the built-in model is calibrated for."""
    return label_set("world")


def split(which: Split, seed: int, count: int) -> Moments:
    """`count` moments that neither training nor another split has seen.

    Held out: every other one has several concepts. The others: one concept each, in turn.
    """
    if which == "held out":
        return WorldMoments(_SEEDS[which] + seed, count)
    # Even moments of a world are scenes of one concept.
    return EveryOther(WorldMoments(_SEEDS[which] + seed, 2 * count))


@dataclass(frozen=True, slots=True)
class WorldReport:
    """All that is measured. `fitted`: the calibration was not with the weights, but fitted here."""

    report: Report
    calibration: Calibration
    fitted: bool
    baselines: tuple[Baseline, ...]

    def plain(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            **asdict(self.report),
            "calibrated_by": self.calibration.model_dump(mode="json"),
            "fitted_here": self.fitted,
            "baselines": [asdict(each) for each in self.baselines],
        }


def evaluate_world(
    encoder: OpenEncoder,
    calibration: Calibration | None,
    *,
    count: int,
    seed: int = 0,
    weights: tuple[float, float] = (0.5, 0.5),
    workers: int = 2,
    progress: Progress = quiet,
) -> WorldReport:
    """Scores on `count` held-out moments. A calibration for other labels than the world's, or
    none, is replaced by one fitted on half as many moments of a split of its own."""
    labels = world_labels()
    fitted = calibration is None or calibration.set != labels.hash
    if calibration is None or fitted:
        calibration = calibrate(
            encoder, count=count // 2, seed=seed, workers=workers, progress=progress
        )
    training = split("baselines", seed, count // 2)
    learnt = list(_heard("baselines", progress, training, each(training, measure, workers)))
    held_out = split("held out", seed, count)
    items = _heard("held out", progress, held_out, each(held_out, rendered, workers))
    measured: list[Measured] = []

    def moments() -> Iterator[Moment]:
        for item in items:
            measured.append(item.measured)
            yield item.moment()

    concepts = world_concepts()
    encoded = encode(moments(), encoder, concepts)
    bound: dict[Modality, list[str]] = {
        m: [concepts.names[c] for c in concepts.bound(m)] for m in MODALITIES
    }
    return WorldReport(
        evaluate(encoded, encoder.text, labels, calibration, seed=seed, weights=weights),
        calibration,
        fitted,
        baselines(learnt, measured, bound),
    )


def calibrate(
    encoder: OpenEncoder,
    *,
    count: int = 1200,
    seed: int = 0,
    workers: int = 2,
    progress: Progress = quiet,
) -> Calibration:
    """The calibration of a model for the world's labels, from `count` scenes of one concept."""
    moments = split("calibration", seed, count)
    items = _heard("calibration", progress, moments, each(moments, rendered, workers))
    encoded = encode((item.moment() for item in items), encoder, world_concepts())
    labels = world_labels()
    return fit_calibration(encoded, classes_of(encoder, labels), labels)


def calibrate_file(
    path: Path, *, count: int = 1200, workers: int = 2, progress: Progress = quiet
) -> None:
    """Fit the calibration of a weights file that holds all towers, and write it into the file."""
    encoder = ImageBindEncoder(weights=str(path))
    with encoder.open(MODALITIES, text=True) as opened:
        calibration = calibrate(opened, count=count, workers=workers, progress=progress)
    stamp(path, calibration)


def _heard(
    which: Split, progress: Progress, moments: Moments, items: Iterator[Item]
) -> Iterator[Item]:
    """The same items; `progress` hears of each."""
    progress(which, 0, len(moments))
    for done, item in enumerate(items, 1):
        yield item
        progress(which, done, len(moments))
