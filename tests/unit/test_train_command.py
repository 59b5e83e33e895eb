"""`streamer train`: configurations and one-line errors."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from configs.load import load_training
from encoders.imagebind.config import ModelConfig
from streamer.cli.main import app
from streamer.errors import ConfigError


def test_the_built_in_configuration_is_the_built_in_model() -> None:
    config = load_training("builtin")
    assert (config.model.out_embed_dim, config.model.image_size) == (256, 112)
    assert set(config.stages.recipes) == {"vision", "audio", "depth", "thermal", "imu"}


def test_its_later_rounds_have_the_same_sizes_and_go_on_from_each_other(tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    weights.touch()
    first = load_training("builtin")
    second, third = (
        load_training(f"builtin_{name}", [f"start={weights}"]) for name in ("second", "third")
    )
    assert first.model == second.model == third.model
    assert first.cache == second.cache == third.cache
    assert first.data != second.data == third.data
    assert set(third.stages.recipes) == {"vision"}
    assert third.locked_image


def test_imagebind_huge_is_adapted_from_its_weights() -> None:
    config = load_training(
        "builtin",
        [
            "model=imagebind_huge",
            "base={weights: huge.pth, change: heads}",
            "stages={audio: {samples: 100, batch: 2, temperature: 0.05}}",
        ],
    )
    assert config.model == ModelConfig()
    assert set(config.stages.recipes) == {"audio"}


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("stages.vision.rate=-1", "stages.vision.rate: Input should be greater than 0"),
        ("stages.smell={samples: 1}", "stages.smell: Extra inputs are not permitted"),
        ("base={weights: huge.pth}", "stages.vision: expected none, since base brings image"),
        ("start=none.safetensors", "start: none.safetensors: no such file"),
        ("locked_image=true", "locked_image: expected a start"),
        ("stages={}", "stages: expected at least one"),
    ],
)
def test_a_mistake_is_one_line(override: str, line: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_training("builtin", [override])
    assert line in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_only_a_stage_of_the_configuration() -> None:
    result = CliRunner().invoke(app, ["train", "builtin", "--only", "text", "--json"])
    assert result.exit_code == 2
    assert "--only text: expected a stage of the configuration: vision, audio" in result.stdout
