"""What follows from the gathered vectors: the conventions to use, the probabilities to fit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from configs.schema import LabelSets, RunConfig
from encoders.calibration import Calibration
from encoders.choosing import LENGTH, LENGTHS_S, choose_imu, decided
from encoders.conventions import Calibrated, Conventions
from encoders.imagebind.preprocess.depth import DepthInput
from encoders.imagebind.preprocess.imu import ImuInput
from encoders.imagebind.runtime import ImageBind, ImageBindEncoder, classes_of
from encoders.matching import MOST_MOMENTS, Compared, compare, too_few
from encoders.probabilities import LEAST_FILES, Fitted, fit
from encoders.zeroshot import LabelSet
from streamer.cli.calibrate.gather import FULL, Gathered, Key, full, stretches
from streamer.cli.session import scale
from streamer.types import MODALITIES, Modality, Vector, Window

_BATCH = 64


@dataclass(slots=True, eq=False)
class Conclusion:
    """`chosen`: the decided settings, by modality; `encoder` and `length_s` have them, and what was
    kept. `notes` say what was not compared or not fitted, and why."""

    encoder: ImageBindEncoder
    length_s: dict[Modality, float]
    compared: dict[Modality, tuple[Compared, ...]] = field(
        default_factory=dict[Modality, tuple[Compared, ...]]
    )
    chosen: dict[Modality, dict[str, str]] = field(default_factory=dict[Modality, dict[str, str]])
    fitted: dict[Modality, Fitted] = field(default_factory=dict[Modality, Fitted])
    notes: list[str] = field(default_factory=list[str])


def start(settings: RunConfig, encoder: ImageBindEncoder) -> Conclusion:
    """Nothing is known yet but what the configuration says."""
    return Conclusion(encoder, {m: getattr(settings.windows.length_s, m) for m in MODALITIES})


def choose_depth(found: Gathered, conclusion: Conclusion, seed: int) -> None:
    """Compare the presets, where there is a choice and enough to go by."""
    depths, encoder = found.depths, conclusion.encoder
    keys = found.beside_pictures(next(iter(depths.values())))
    if not keys:
        conclusion.notes.append("depth: not compared: no moment has depth and a picture")
    elif len(depths) == 1:
        conclusion.notes.append(f"depth.preset: {encoder.depth.preset}, as the configuration says")
    elif lack := too_few(stretches(keys)):
        conclusion.notes.append(f"depth: undecided, {encoder.depth.preset} kept: {lack}")
    else:
        keys = _some(keys, seed)
        candidates = [({"preset": p}, _matrix(depths[p], keys)) for p in depths]
        pictures = _matrix(found.vectors["vision"], keys)
        _note(conclusion, "depth", (compare(pictures, candidates, stretches(keys), seed),))
        preset = conclusion.chosen["depth"].get("preset", encoder.depth.preset)
        depth = DepthInput.model_validate({"preset": preset})
        conclusion.encoder = encoder.model_copy(update={"depth": depth})


def choose_motion(
    found: Gathered,
    opened: ImageBind,
    settings: RunConfig,
    conclusion: Conclusion,
    seed: int,
    done: Callable[[], object],
) -> None:
    """Compare durations, order, units, gravity and axes, where there is enough to go by."""
    if not found.beside_pictures(found.motion):
        conclusion.notes.append("imu: not compared: no moment has motion and a picture")
        return
    given, own_s = conclusion.encoder.imu, conclusion.length_s["imu"]
    lengths, windows = lengths_to_compare(settings), full(found.motion, max(LENGTHS_S), FULL)
    keys = found.beside_pictures(windows)
    if len(lengths) > 1 and (lack := too_few(stretches(keys))):
        lengths = (own_s,)
        conclusion.notes.append(
            f"imu.{LENGTH}: {own_s:g} kept, not compared with {max(LENGTHS_S):g} s: {lack}"
        )
    if len(lengths) == 1:
        least = settings.windows.min_coverage
        keys = found.beside_pictures(full(found.motion, own_s, least))
    if lack := too_few(stretches(keys)):
        conclusion.notes.append(f"imu: undecided, what is configured kept: {lack}")
        return
    keys = _some(keys, seed)

    def read(imu: ImuInput, length_s: float) -> NDArray[np.float32]:
        done()
        cut = full(found.motion, length_s, 0)
        return _encoded(opened.reading(imu=imu), [cut[key] for key in keys])

    pictures = _matrix(found.vectors["vision"], keys)
    compared = choose_imu(pictures, read, stretches(keys), given, lengths, seed)
    _note(conclusion, "imu", compared)
    chosen = conclusion.chosen["imu"]
    conclusion.length_s["imu"] = float(chosen.get(LENGTH, own_s))
    imu = ImuInput.model_validate({**given.model_dump(), **_without_length(chosen)})
    conclusion.encoder = conclusion.encoder.model_copy(update={"imu": imu})


def lengths_to_compare(settings: RunConfig) -> tuple[float, ...]:
    """Seconds of motion: those that the paper and its kin used, or what the configuration sets."""
    own = settings.windows.length_s
    if "imu" in own.model_fields_set or own.imu not in LENGTHS_S:
        return (own.imu,)
    return LENGTHS_S


def fit_labels(
    found: Gathered,
    opened: ImageBind,
    settings: RunConfig,
    labels: LabelSet,
    conclusion: Conclusion,
    seed: int,
) -> None:
    """Fit every modality that has enough labelled files, its inputs read as was concluded."""
    vectors = dict(found.vectors)
    vectors["depth"] = found.depths.get(conclusion.encoder.depth.preset, {})
    cut = full(found.motion, conclusion.length_s["imu"], settings.windows.min_coverage)
    if cut and found.labels.get("imu"):
        read = opened.reading(imu=conclusion.encoder.imu)
        vectors["imu"] = dict(zip(cut, _encoded(read, list(cut.values())), strict=True))
    classes = classes_of(opened, labels)
    for modality in MODALITIES:
        named = found.labels.get(modality, {})
        keys = sorted(key for key in vectors.get(modality, {}) if key[0] in named)
        if not keys:
            continue
        files = np.array([file for file, _ in keys], np.intp)
        if (count := len(np.unique(files))) < LEAST_FILES:
            conclusion.notes.append(
                f"{modality}: not fitted: {count} labelled files, at least {LEAST_FILES} are needed"
            )
            continue
        truth = np.array([labels.labels.index(named[file]) for file, _ in keys], np.intp)
        before = scale(settings, opened.calibration, modality, labels.hash).temperature
        conclusion.fitted[modality] = fit(
            _matrix(vectors[modality], keys), truth, files, classes, before, seed
        )


def calibrated(
    conclusion: Conclusion, opened: ImageBind, labels: LabelSet | None
) -> Calibrated | None:
    """What the file will say: what was decided, what was fitted, and every setting that the fitted
    numbers depend on. None where there is nothing to say."""
    encoder, fitted = conclusion.encoder, conclusion.fitted
    lengths = {m: s for m, s in conclusion.length_s.items() if m in fitted}
    parts: dict[str, object] = {}
    for modality in ("depth", "thermal", "imu"):
        chosen = conclusion.chosen.get(modality, {})
        if LENGTH in chosen:
            lengths[modality] = conclusion.length_s[modality]
        said = getattr(encoder, modality).model_dump() if modality in fitted else chosen
        if said := _without_length(said):
            parts[modality] = said
    if lengths:
        parts["length_s"] = lengths
    if not parts and not fitted:
        return None
    told: dict[str, object] = {"model": opened.name, "model_hash": opened.hash}
    if parts:
        told["conventions"] = Conventions.model_validate(parts)
    if fitted and labels is not None:
        told["labels"] = Calibration(
            set=labels.hash,
            temperatures={m: f.temperature for m, f in fitted.items()},
            none_below={m: f.none_below for m, f in fitted.items() if f.none_below is not None},
        )
    return Calibrated.model_validate(told)


def fitted_set(settings: LabelSets, conclusion: Conclusion, found: Gathered) -> None:
    """Leave out the labels of modalities that are scored against another set: a file holds one."""
    for modality in MODALITIES:
        if modality not in found.labels or settings.name_for(modality) == settings.set:
            continue
        del found.labels[modality]
        conclusion.notes.append(
            f"{modality}: not fitted: labels.sets names another set than {settings.set} for it"
        )


def _note(conclusion: Conclusion, modality: Modality, compared: tuple[Compared, ...]) -> None:
    conclusion.compared[modality] = compared
    conclusion.chosen[modality] = decided(compared)


def _without_length(said: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in said.items() if name != LENGTH}


def _some(keys: list[Key], seed: int) -> list[Key]:
    """At most so many that all pairs of them fit into memory."""
    if len(keys) <= MOST_MOMENTS:
        return keys
    chosen = np.random.default_rng(seed).choice(len(keys), MOST_MOMENTS, replace=False)
    return [keys[i] for i in sorted(chosen.tolist())]


def _matrix(vectors: Mapping[Key, Vector], keys: Sequence[Key]) -> NDArray[np.float32]:
    return np.stack([vectors[key] for key in keys])


def _encoded(encoder: ImageBind, windows: Sequence[Window]) -> NDArray[np.float32]:
    chunks = [windows[i : i + _BATCH] for i in range(0, len(windows), _BATCH)]
    return np.concatenate([encoder.encode(chunk) for chunk in chunks])
