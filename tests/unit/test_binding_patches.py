"""Steps that look at a part of the patches, and calibrations written into a finished file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from encoders.binding.augment import patches
from encoders.binding.export import stamp
from encoders.binding.recipe import Recipe, left_out_at
from encoders.calibration import Calibration
from encoders.imagebind.config import ModelConfig, Tower
from encoders.imagebind.header import read_header
from encoders.imagebind.model import ImageBindModel
from tests.packed import save_packed
from tests.toy import SIZES

CONFIG = ModelConfig.model_validate(SIZES)


def test_the_last_fifth_of_the_steps_sees_everything() -> None:
    recipe = Recipe(samples=6400, batch=64, left_out=0.5)
    shares = [left_out_at(step, recipe) for step in range(recipe.steps)]
    assert shares == [0.5] * 80 + [0.0] * 20


@given(st.integers(1, 9), st.floats(0.01, 0.9), st.sampled_from(["vision", "audio", "imu"]))
def test_every_input_keeps_as_many_patches_none_twice(n: int, share: float, tower: Tower) -> None:
    total = int(np.prod(CONFIG.grid(tower)))
    kept = patches(n, CONFIG, tower, share, np.random.default_rng(n))
    assert kept is not None
    assert kept.shape == (n, max(1, round((1 - share) * total)))
    for row in kept.tolist():
        assert len(set(row)) == len(row)
        assert set(row) <= set(range(total))


def test_inputs_of_a_batch_keep_different_patches() -> None:
    kept = patches(8, CONFIG, "imu", 0.5, np.random.default_rng(0))
    assert kept is not None
    assert len({tuple(sorted(row)) for row in kept.tolist()}) == 8


def test_nothing_left_out_is_no_choice() -> None:
    assert patches(8, CONFIG, "vision", 0.0, np.random.default_rng(0)) is None


@pytest.fixture
def vision() -> ImageBindModel:
    torch.manual_seed(0)
    return ImageBindModel(["vision"], **SIZES).double().eval()


def test_all_patches_in_any_order_give_what_no_choice_gives(vision: ImageBindModel) -> None:
    x = torch.randn(2, 3, 2, 32, 32, dtype=torch.float64)
    order = torch.randperm(16).repeat(2, 1)
    torch.testing.assert_close(vision.pooled("vision", x, order), vision.pooled("vision", x))


def test_what_is_left_out_is_not_looked_at_and_what_is_kept_is(vision: ImageBindModel) -> None:
    x = torch.randn(1, 3, 2, 32, 32, dtype=torch.float64)
    kept = torch.arange(8).unsqueeze(0)  # of 4 x 4 patches of 8 pixels, the upper two rows
    before = vision.pooled("vision", x, kept)
    below, above = x.clone(), x.clone()
    below[..., 16:, :] += 1
    above[..., :16, :] += 1
    torch.testing.assert_close(vision.pooled("vision", below, kept), before, rtol=0, atol=0)
    assert (vision.pooled("vision", above, kept) - before).abs().max() > 1e-3


def test_a_stamped_file_has_its_calibration_and_is_otherwise_the_same(tmp_path: Path) -> None:
    path = save_packed(tmp_path / "a.safetensors", {"x": torch.arange(6.0)}, model=dict(SIZES))
    calibration = Calibration(
        set="0123456789abcdef", temperatures={"audio": 0.07}, none_below={"audio": 0.4}
    )
    stamp(path, calibration)
    assert read_header(path).calibration == calibration
    assert read_header(path).sizes == CONFIG
    assert torch.equal(load_file(path)["x"], torch.arange(6.0))
    assert not list(tmp_path.glob("*.tmp"))


def test_a_second_stamp_replaces_the_first(tmp_path: Path) -> None:
    path = save_packed(tmp_path / "a.safetensors", {"x": torch.zeros(1)})
    for temperature in (0.1, 0.2):
        stamp(path, Calibration(set="0123456789abcdef", temperatures={"imu": temperature}))
    found = read_header(path).calibration
    assert found is not None
    assert found.temperatures == {"imu": 0.2}
