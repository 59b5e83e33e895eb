"""Which temperature scores a modality, and when a label may call itself calibrated."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from configs.load import label_set
from configs.schema import RunConfig
from encoders.calibration import Calibration
from encoders.zeroshot import TEMPERATURES, class_vectors, score
from streamer.cli.session import Scale, make_labeler, scale
from streamer.types import MODALITIES, Modality
from tests.packed import SPEAKING, SPOKEN, packed_state, save_packed

SET = "0123456789abcdef"
FITTED = Calibration.model_validate(
    {"set": SET, "temperatures": {"vision": 0.02, "audio": 0.2}, "none_below": {"audio": 0.3}}
)


def config(**labels: Any) -> RunConfig:
    return RunConfig.model_validate(
        {"sources": [{"kind": "demo_clip"}], "encoder": {"kind": "noop"}, "labels": labels}
    )


@pytest.mark.parametrize(
    ("modality", "labels", "expected"),
    [
        ("vision", {}, Scale(0.02, None, calibrated=True)),
        ("audio", {}, Scale(0.2, 0.3, calibrated=True)),
        ("imu", {}, Scale(TEMPERATURES["imu"], None, calibrated=False)),
        # An explicit value wins, and then nobody has fitted the whole.
        ("audio", {"temperatures": {"audio": 0.5}}, Scale(0.5, None, calibrated=False)),
        ("audio", {"none_below": {"audio": 0.1}}, Scale(0.2, 0.1, calibrated=False)),
        ("vision", {"temperatures": {"audio": 0.5}}, Scale(0.02, None, calibrated=True)),
        ("imu", {"none_below": {"imu": 0.1}}, Scale(TEMPERATURES["imu"], 0.1, calibrated=False)),
    ],
)
def test_the_configuration_wins_then_what_was_fitted_then_the_default(
    modality: Modality, labels: dict[str, Any], expected: Scale
) -> None:
    assert scale(config(**labels), FITTED, modality, SET) == expected


@given(
    modality=st.sampled_from(MODALITIES),
    set_hash=st.just(SET) | st.text("0123456789abcdef", min_size=16, max_size=16),
    explicit=st.none() | st.floats(0.001, 10),
)
def test_what_was_fitted_for_other_labels_changes_nothing(
    modality: Modality, set_hash: str, explicit: float | None
) -> None:
    settings = config(temperatures={} if explicit is None else {modality: explicit})
    with_it = scale(settings, FITTED, modality, set_hash)
    if set_hash != SET:
        assert with_it == scale(settings, None, modality, set_hash)
    fitted = set_hash == SET and modality in FITTED.temperatures
    assert with_it.calibrated == (fitted and explicit is None)
    if explicit is not None:
        assert with_it.temperature == explicit


def test_what_is_left_for_some_modalities() -> None:
    only = FITTED.only(["vision", "imu"])
    assert only.temperatures == {"vision": 0.02}
    assert only.none_below == {}
    assert FITTED.only(MODALITIES) == FITTED


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """Weights that are calibrated for a set of two labels."""
    folder: Path = tmp_path_factory.mktemp("calibrated")
    (folder / "two.txt").write_text("a dog\na cat\n")
    said = {
        "set": label_set(str(folder / "two.txt")).hash,
        "temperatures": {"vision": 0.5, "audio": 0.25},
        "none_below": {"vision": 0.1},
    }
    state = packed_state(SPEAKING, SPOKEN)
    save_packed(folder / "w.safetensors", state, model=SPEAKING, calibration=said)
    tree = f"""
    sources: [{{kind: demo_clip}}]
    encoder: {{kind: imagebind, weights: {folder}/w.safetensors, device: cpu, precision: fp32}}
    labels: {{set: {folder}/two.txt, sets: {{imu: everyday_sounds}}}}
    """
    return RunConfig.model_validate(yaml.safe_load(tree))


def test_labels_are_scored_with_what_the_file_carries(settings: RunConfig) -> None:
    modalities: frozenset[Modality] = frozenset({"vision", "audio", "depth", "imu"})
    assert settings.labels
    two = label_set(settings.labels.set)
    with settings.encoder.open(modalities, text=True) as encoder:
        labeler, _ = make_labeler(settings, encoder, modalities)
        classes = class_vectors(encoder.text, two)
    assert labeler is not None
    vector = np.eye(1, 16, dtype=np.float32)[0]
    wanted = score(vector[None], classes, 0.5, 0.1)
    seen = labeler("vision", vector)
    assert wanted.none is not None
    assert seen.calibrated
    assert seen.none == pytest.approx(float(wanted.none[0]))
    np.testing.assert_allclose(seen.probabilities, wanted.probabilities[0], rtol=1e-6)
    assert labeler("audio", vector).calibrated
    assert labeler("audio", vector).none is None
    assert not labeler("depth", vector).calibrated, "has no temperature of its own"
    assert not labeler("imu", vector).calibrated, "is scored against another set"
