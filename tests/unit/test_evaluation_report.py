"""The whole report on toy scenes, and how windows become its input."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from encoders.binding.evaluate.baselines import Baseline
from encoders.binding.evaluate.calibration import fit_calibration
from encoders.binding.evaluate.encoded import encode
from encoders.binding.evaluate.plot import draw
from encoders.binding.evaluate.report import Report, evaluate
from encoders.binding.evaluate.scores import share
from encoders.zeroshot import LabelSet, class_vectors
from streamer.types import MODALITIES, Modality, Moment, Quality, Span, Window
from tests.encodings_of_scenes import CONCEPTS, DIM, NAMES, SHOWN, directions, scenes, text

LABELS = LabelSet("toy", NAMES)


def report(noise: float, count: int = 600) -> Report:
    calibration = fit_calibration(scenes(count, noise, 8), class_vectors(text, LABELS), LABELS)
    return evaluate(scenes(count, noise), text, LABELS, calibration)


def test_a_perfect_model_is_perfect_everywhere() -> None:
    found = report(noise=0)
    assert (found.one, found.several) == (300, 300)
    for modality in MODALITIES:
        scores = found.zero_shot[modality]
        assert (scores.accuracy.value, scores.whole_list.value) == (1, 1)
        assert scores.paraphrases == (1, 1)
        assert scores.accuracy.n == 30 * len(SHOWN[modality])
        assert scores.chance == pytest.approx(1 / len(SHOWN[modality]))
        assert scores.chance_whole_list == pytest.approx(1 / 10)
        assert scores.confused == ()
        assert np.array_equal(scores.confusion, 30 * np.eye(len(SHOWN[modality])))
        assert found.mean_average_precision[modality].by_concept.value == 1
        assert found.mean_average_precision[modality].by_scene.value == 1
        assert found.calibration[modality].none_left_out == 1
        assert found.calibration[modality].none_known == 0


def test_a_paraphrase_that_misleads_costs_its_share() -> None:
    def misled(prompts: Sequence[str]) -> NDArray[np.float32]:
        swapped = [NAMES[-1 - NAMES.index(p[:-6])] if p.endswith(" again") else p for p in prompts]
        return text(swapped)

    encoded = scenes(400, noise=0)
    calibration = fit_calibration(encoded, class_vectors(text, LABELS), LABELS)
    found = evaluate(encoded, misled, LABELS, calibration).zero_shot["vision"]
    assert (found.accuracy.value, found.paraphrased.value) == (1, 0.5)
    assert found.paraphrases == (1, 0)


def test_noise_alone_gets_chance() -> None:
    found = report(noise=1e6, count=1600)
    for scores in found.zero_shot.values():
        assert scores.accuracy.value == pytest.approx(scores.chance, abs=0.06)
        assert scores.paraphrased.value == pytest.approx(scores.chance, abs=0.06)
    for several in found.mean_average_precision.values():
        assert several.by_concept.value == pytest.approx(several.by_concept.chance, abs=0.06)


def test_the_order_of_scenes_changes_no_accuracy() -> None:
    encoded = scenes(500, noise=2.5)
    back = slice(None, None, -1)
    turned = replace(
        encoded,
        vectors={m: v[back] for m, v in encoded.vectors.items()},
        there={m: v[back] for m, v in encoded.there.items()},
        truth={m: v[back] for m, v in encoded.truth.items()},
    )
    calibration = fit_calibration(encoded, class_vectors(text, LABELS), LABELS)
    one, other = (evaluate(e, text, LABELS, calibration) for e in (encoded, turned))
    assert one.zero_shot == other.zero_shot
    assert 0.5 < one.zero_shot["vision"].accuracy.value < 1
    for modality in MODALITIES:
        several = [r.mean_average_precision[modality].by_concept.value for r in (one, other)]
        assert several[0] == pytest.approx(several[1])
        assert one.calibration[modality].error == pytest.approx(other.calibration[modality].error)


class Toy:
    """Encodes a window as the sum of the concepts that its stream's name says."""

    name, hash, dim = "toy", "toy", DIM

    def __init__(self) -> None:
        self.batches: list[int] = []

    def encode(self, windows: Sequence[Window]) -> NDArray[np.float32]:
        self.batches.append(len(windows))
        held = [[int(n) for n in window.stream.split("+")] for window in windows]
        return np.array([directions()[each].sum(axis=0) for each in held], np.float32)

    def text(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        return text(prompts)


def moment(*held: int) -> Moment:
    windows: dict[Modality, Window] = {}
    present: dict[Modality, tuple[str, ...]] = {}
    for m in MODALITIES:
        seen = [concept for concept in held if concept in SHOWN[m]]
        present[m] = tuple(NAMES[concept] for concept in seen)
        if seen:
            windows[m] = Window("+".join(map(str, seen)), m, Span(0, 1), (), Quality(1.0))
    return Moment(windows, present=present)


def test_moments_are_encoded_in_batches_and_keep_their_places() -> None:
    held = [(i % 10,) if i % 3 else (i % 10, (i + 1) % 10) for i in range(25)]
    encoder, heard = Toy(), list[int]()
    encoded = encode((moment(*h) for h in held), encoder, CONCEPTS, batch=8, done=heard.append)
    assert heard == [8, 8, 8, 1]
    assert encoded.modalities == MODALITIES
    for row, concepts in enumerate(held):
        for modality in MODALITIES:
            seen = [c for c in concepts if c in SHOWN[modality]]
            expected = directions()[seen].sum(axis=0)
            assert encoded.vectors[modality][row] == pytest.approx(expected, abs=1e-6)
            assert encoded.there[modality][row] == bool(seen)
            assert np.flatnonzero(encoded.truth[modality][row]).tolist() == sorted(seen)
    assert encoded.one.tolist() == [len(h) == 1 for h in held]
    rows, position = encoded.single("audio", (2, 5))
    assert [held[row] for row in rows] == [((2,), (5,))[p] for p in position]


def test_a_concept_that_nobody_knows_is_an_error() -> None:
    strange = replace(moment(1), present={"vision": ("a unicorn",)})
    with pytest.raises(ValueError, match="a unicorn"):
        encode([strange], Toy(), CONCEPTS)


def test_a_report_is_json_and_a_picture(tmp_path: Path) -> None:
    found = report(noise=2)
    again = json.loads(json.dumps(asdict(found), allow_nan=False))
    accuracy = found.zero_shot["audio"].accuracy
    assert again["zero_shot"]["audio"]["accuracy"]["value"] == accuracy.value
    pytest.importorskip("matplotlib")
    plain = Baseline("vision", "8x8 colour", "as it is", share(0.3, 100), 0.1)
    picture = tmp_path / "report.png"
    draw(found, [plain], picture, title="toy")
    assert picture.read_bytes().startswith(b"\x89PNG")
