"""What a file of weights says about itself is untrusted, and builds nothing large."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from safetensors.torch import save

from encoders.imagebind.config import ModelConfig
from encoders.imagebind.header import Header, read_header
from streamer.errors import EncoderFailed
from tests.packed import save_packed
from tests.tiny import TINY, tiny_model

CALIBRATION = {
    "set": "0123456789abcdef",
    "temperatures": {"vision": 0.02, "audio": 0.1},
    "none_below": {"audio": 0.25},
}
NO_STATE = {"x": torch.zeros(1)}


def test_sizes_and_calibration_come_back(tmp_path: Path) -> None:
    header = read_header(save_packed(tmp_path / "a.safetensors", NO_STATE, calibration=CALIBRATION))
    assert header.sizes == ModelConfig.model_validate(TINY)
    assert header.calibration is not None
    assert header.calibration.model_dump() == CALIBRATION


def test_the_sizes_may_be_all_of_them(tmp_path: Path) -> None:
    every = ModelConfig.model_validate(TINY).model_dump_json()
    header = read_header(save_packed(tmp_path / "a.safetensors", NO_STATE, model=every))
    assert header.sizes == ModelConfig.model_validate(TINY)


def test_a_file_need_not_say_anything(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(save(NO_STATE))
    assert read_header(tmp_path / "a.safetensors") == Header()
    torch.save(tiny_model("imu").state_dict(), tmp_path / "a.pth")
    assert read_header(tmp_path / "a.pth") == Header()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("", "model: Invalid JSON"),
        ("[" * 60_000, "model: Invalid JSON"),
        (" " * 65_537, "model: expected at most 65536 characters, got 65537"),
        ("[]", "model: Input should be an object"),
        ({"vision_width": 3}, "model.vision_width: Extra inputs are not permitted"),
        ({"a\nb": 3}, r"model.a\\nb: Extra inputs"),
        ({"x" * 5000: 3}, r"model.xxx"),
        ({"imu_steps": "40"}, "model.imu_steps: Input should be a valid integer"),
        ({"imu_steps": True}, "model.imu_steps: Input should be a valid integer"),
        ({"imu_steps": 0}, "model.imu_steps: Input should be greater than or equal to 1"),
        ({"imu_steps": 10**400}, "model.imu_steps: "),
        ({"imu_steps": 8193}, "model.imu_steps: expected at most 8192, got 8193"),
        ({"kernel_size": [2, 14]}, "model.kernel_size"),
        ({"image_size": 9000}, "model.image_size: expected at most 8192, got 9000"),
        ({"audio_num_blocks": 257}, "model.audio_num_blocks: expected at most 256, got 257"),
        ('{"imu_drop_path": NaN}', "model.imu_drop_path"),
        ({"vision_num_heads": 7}, "model: Value error, vision_embed_dim: expected a multiple of 7"),
    ],
)
def test_sizes_that_cannot_be_are_one_line(tmp_path: Path, model: Any, message: str) -> None:
    refused(save_packed(tmp_path / "a.safetensors", NO_STATE, model=model), message)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("set", "0123", "calibration.set: String should match pattern"),
        ("set", 7, "calibration.set: Input should be a valid string"),
        ("temperatures", {"vision": 0}, "calibration.temperatures.vision: Input should be greater"),
        ("temperatures", {"vision": 11.0}, "calibration.temperatures.vision: Input should be less"),
        ("temperatures", {"vision": "0.1"}, "calibration.temperatures.vision: .* valid number"),
        ("temperatures", {"smell": 0.1}, "calibration.temperatures.smell"),
        ("temperatures", [0.1], "calibration.temperatures: "),
        ("none_below", {"audio": 1.5}, "calibration.none_below.audio: Input should be less"),
        ("none_below", {"imu": 0.5}, "none_below: expected temperatures of imu too"),
    ],
)
def test_a_calibration_that_cannot_be_is_one_line(
    tmp_path: Path, key: str, value: Any, message: str
) -> None:
    said = {**CALIBRATION, key: value}
    refused(save_packed(tmp_path / "a.safetensors", NO_STATE, calibration=said), message)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("key", ["temperatures", "none_below"])
def test_a_calibration_is_finite(tmp_path: Path, key: str, number: str) -> None:
    text = json.dumps({**CALIBRATION, key: {"audio": 0.5}}).replace("0.5", number)
    refused(save_packed(tmp_path / "a.safetensors", NO_STATE, calibration=text), "calibration")


@pytest.mark.parametrize("key", ["set", "temperatures"])
def test_a_calibration_is_whole(tmp_path: Path, key: str) -> None:
    said = {k: v for k, v in CALIBRATION.items() if k != key}
    message = f"calibration.{key}: Field required"
    refused(save_packed(tmp_path / "a.safetensors", NO_STATE, calibration=said), message)


def test_what_a_later_version_adds_is_passed_over(tmp_path: Path) -> None:
    said = {**CALIBRATION, "error": 0.03}
    path = save_packed(tmp_path / "a.safetensors", NO_STATE, calibration=said)
    assert read_header(path).calibration is not None


@given(
    model=st.text(max_size=40)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*ModelConfig.model_fields, "x"]), inner, max_size=4)
        ),
        max_leaves=8,
    ).map(json.dumps)
)
@settings(max_examples=100, deadline=None)
def test_any_text_is_sizes_or_the_declared_error(
    tmp_path_factory: pytest.TempPathFactory, model: str
) -> None:
    path = save_packed(tmp_path_factory.getbasetemp() / "any.safetensors", NO_STATE, model=model)
    try:
        sizes = ModelConfig.model_validate_json(model, strict=True)
    except ValidationError:
        refused(path, "model")
        return
    numbers = sizes.model_dump(mode="json", exclude={"vocab_size"})
    deep = max(number for name, number in numbers.items() if name.endswith("_num_blocks"))
    wide = max(max(n) if isinstance(n, list) else n for n in numbers.values())
    if deep > 256 or wide > 8192:
        refused(path, "model")  # valid, but building it would cost too much
    else:
        assert read_header(path).sizes == sizes


def refused(path: Path, message: str) -> None:
    with pytest.raises(EncoderFailed, match=message) as caught:
        read_header(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
