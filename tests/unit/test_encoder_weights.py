"""Which weights an encoder takes, and whose sizes: the same way for a file and the built-in one."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from configs.load import load
from encoders.imagebind.runtime import ImageBindEncoder
from streamer.errors import ConfigError, EncoderFailed
from streamer.types import NS_PER_S, Quality, Sample, Span, Window
from tests.packed import SPEAKING, SPOKEN, packed_state, save_packed
from tests.tiny import TINY, tiny_model

CALIBRATION = {"set": "0" * 16, "temperatures": {"vision": 0.02, "thermal": 0.03}}


def encoder(**settings: Any) -> ImageBindEncoder:
    return ImageBindEncoder.model_validate({"device": "cpu", "precision": "fp32", **settings})


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed") / "small.safetensors"
    state = packed_state(SPEAKING, SPOKEN)
    return save_packed(path, state, model=SPEAKING, calibration=CALIBRATION)


def window() -> Window:
    picture = np.full((48, 64, 3), 90, np.uint8)
    sample = Sample("cam", "vision", 0, NS_PER_S, picture)
    return Window("cam", "vision", Span(0, NS_PER_S), (sample,), Quality(1.0))


def test_a_file_brings_its_sizes_its_words_and_its_calibration(packed: Path) -> None:
    settings = encoder(weights=str(packed))
    settings.preflight()
    with settings.open(["vision"], text=True) as opened:
        assert opened.name == "imagebind_custom"
        assert opened.dim == 16
        assert opened.calibration is not None
        assert opened.calibration.temperatures == {"vision": 0.02, "thermal": 0.03}
        seen, said = opened.encode([window()]), opened.text(["a dog barking", "a kettle"])
    np.testing.assert_allclose(np.linalg.norm(np.vstack((seen, said)), axis=1), 1, atol=1e-5)
    # The same as with the sizes spelled out.
    with encoder(weights=str(packed), model=SPEAKING).open(["vision"], text=True) as again:
        np.testing.assert_array_equal(again.encode([window()]), seen)


def test_the_hash_is_known_before_the_model_is_open(packed: Path) -> None:
    for settings in (
        encoder(weights=str(packed)),
        encoder(weights=str(packed), precision="bf16"),
        encoder(weights="random", model=TINY),
    ):
        with settings.open(["imu"], text=False) as opened:
            assert settings.model_hash() == opened.hash


def test_words_that_were_never_trained_are_all_the_same(packed: Path) -> None:
    with encoder(weights=str(packed)).open([], text=True) as opened:
        strange = opened.text(["dog", "cat"])
    np.testing.assert_array_equal(strange[0], strange[1])


def test_a_calibration_is_of_the_tower_that_it_was_fitted_for(packed: Path) -> None:
    through_vision = encoder(weights=str(packed), thermal={"tower": "vision"})
    with through_vision.open(["thermal"], text=False) as opened:
        assert opened.calibration is not None
        assert opened.calibration.temperatures == {"vision": 0.02}


def test_sizes_in_the_configuration_win_over_those_of_the_file(packed: Path) -> None:
    other = {**SPEAKING, "vision_embed_dim": 12}
    with pytest.raises(EncoderFailed, match=r"expected shape .* got"):
        encoder(weights=str(packed), model=other).open(["vision"], text=False).__enter__()


def test_a_file_without_sizes_is_imagebind_huge_unless_the_configuration_says_more(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tiny.pth"
    torch.save(tiny_model("imu").state_dict(), path)
    with pytest.raises(EncoderFailed, match=r"expected shape \(1, 251, 512\), got \(1, 6, 24\)"):
        encoder(weights=str(path)).open(["imu"], text=False).__enter__()
    with encoder(weights=str(path), model=TINY).open(["imu"], text=False) as opened:
        assert opened.name == "imagebind_custom"
        assert opened.calibration is None


@pytest.mark.parametrize("model", ["imagebind_huge", {}, SPEAKING])
def test_built_in_weights_take_no_sizes(tmp_path: Path, model: Any) -> None:
    with pytest.raises(ValidationError, match="builtin brings its own sizes; leave model out"):
        encoder(weights="builtin", model=model)
    path = tmp_path / "run.yaml"
    path.write_text("sources: [{kind: demo_clip}]\nencoder: {kind: imagebind, weights: builtin}\n")
    assert load(str(path)).encoder.kind == "imagebind"
    with pytest.raises(ConfigError) as caught:
        load(str(path), ["encoder.model=imagebind_huge"])
    assert str(caught.value) == (
        "encoder.imagebind: weights: builtin brings its own sizes; leave model out"
    )


def test_built_in_weights_load_or_are_missing_with_one_line() -> None:
    settings = encoder(weights="builtin")
    if files("encoders").joinpath("assets", "builtin.safetensors").is_file():
        settings.preflight()
        with settings.open(["vision"], text=True) as opened:
            assert opened.name == "builtin"
            assert opened.encode([window()]).shape == (1, opened.dim)
        return
    for fails in (settings.preflight, settings.open(["vision"], text=True).__enter__):
        with pytest.raises(EncoderFailed, match=r"encoder.weights: builtin: no such file: .*asset"):
            fails()


def test_a_damaged_header_is_found_before_anything_is_built(tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00notjson!")
    with pytest.raises(EncoderFailed, match=r"bad.safetensors: expected a .safetensors state dict"):
        encoder(weights=str(path)).preflight()
