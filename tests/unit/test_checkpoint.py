"""Towers from files: the right ones, all of them, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from encoders.imagebind.checkpoint import load_towers
from encoders.imagebind.config import TOWERS, Tower
from encoders.imagebind.model import ImageBindModel
from streamer.errors import EncoderFailed
from tests.tiny import TINY, inputs, tiny_model

State = dict[str, Tensor]
SCALE = "modality_postprocessors.audio.1.log_logit_scale"
FC1 = "modality_trunks.audio.blocks.0.mlp.fc1.weight"


def write(state: State, path: Path) -> Path:
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return path


def empty(*towers: Tower) -> ImageBindModel:
    with torch.device("meta"):
        return ImageBindModel(towers or TOWERS, **TINY).eval()


@pytest.fixture(params=[".pth", ".safetensors"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"model{request.param}"


def test_a_model_loads_what_was_saved(path: Path):
    saved = tiny_model()
    write(saved.state_dict(), path)
    model = empty()
    load_towers(model, path)
    assert model.state_dict().keys() == saved.state_dict().keys()
    for tower in TOWERS:
        x = inputs(tower, 2)
        assert torch.equal(model.embed(tower, x), saved.embed(tower, x)), tower


def test_towers_come_from_one_file_each(path: Path):
    old, new = tiny_model(seed=1), tiny_model("audio", seed=2)
    old_path = write(old.state_dict(), path)
    new_path = write(new.state_dict(), path.with_stem("audio"))  # holds no other tower
    model = empty("vision", "audio")
    load_towers(model, old_path, ["vision"])
    load_towers(model, new_path, ["audio"])
    sources: dict[Tower, ImageBindModel] = {"vision": old, "audio": new}
    for tower, source in sources.items():
        x = inputs(tower, 2)
        assert torch.equal(model.embed(tower, x), source.embed(tower, x)), tower


def test_half_precision_is_the_file_rounded_but_scales_are_not(path: Path):
    saved = tiny_model("audio").state_dict()
    write(saved, path)
    model = empty("audio")
    load_towers(model, path, dtype=torch.bfloat16)
    for name, tensor in model.state_dict().items():
        want = saved[name] if name == SCALE else saved[name].bfloat16()
        assert torch.equal(tensor, want), name
    assert all(p.requires_grad for p in model.parameters())


def test_a_half_precision_file_loads_as_float32(path: Path):
    saved = tiny_model("imu", dtype=torch.float16)
    write(saved.state_dict(), path)
    model = empty("imu")
    load_towers(model, path)
    assert {t.dtype for t in model.state_dict().values()} == {torch.float32}
    assert torch.allclose(
        model.embed("imu", inputs("imu", 2)), saved.embed("imu", inputs("imu", 2)), atol=0.01
    )


def without(state: State) -> None:
    del state[FC1]


def extra_in_tower(state: State) -> None:
    state["modality_trunks.audio.blocks.2.norm_1.bias"] = torch.zeros(24)


def extra_of_no_tower(state: State) -> None:
    state["decoder.weight"] = torch.zeros(2)


def narrower(state: State) -> None:
    state[FC1] = state[FC1][:, :20].contiguous()


def transposed(state: State) -> None:
    state[FC1] = state[FC1].T.contiguous()


def integers(state: State) -> None:
    state[FC1] = state[FC1].to(torch.int64)


def other_model(state: State) -> None:
    state.clear()
    state["visual.proj"] = torch.zeros(3, 3)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without, rf"tower audio: {FC1}: expected shape \(96, 24\), got no such name"),
        (extra_in_tower, r"tower audio: .* got also 'modality_trunks.audio.blocks.2.norm_1.bias'"),
        (extra_of_no_tower, r"got also 'decoder.weight'"),
        (narrower, rf"tower audio: {FC1}: expected shape \(96, 24\), got \(96, 20\)"),
        (transposed, rf"{FC1}: expected shape \(96, 24\), got \(24, 96\)"),
        (integers, rf"{FC1}: expected floating point, got torch.int64"),
        (other_model, r"got also 'visual.proj'"),
    ],
)
def test_another_model_is_one_line_that_names_the_difference(
    path: Path, damage: Callable[[State], None], message: str
):
    state = dict(tiny_model("audio", "imu").state_dict())
    damage(state)
    write(state, path)
    with pytest.raises(EncoderFailed, match=message) as caught:
        load_towers(empty("audio"), path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_fault_in_another_tower_does_not_concern_this_one(path: Path):
    state = dict(tiny_model("audio", "imu").state_dict())
    without(state)
    write(state, path)
    load_towers(empty("imu"), path)


def test_asking_for_a_tower_that_was_not_built_is_a_bug(tmp_path: Path):
    with pytest.raises(ValueError, match=r"towers: expected some of \('audio',\)"):
        load_towers(empty("audio"), tmp_path / "x.pth", ["imu"])
