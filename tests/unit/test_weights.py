"""Random weights."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor

from encoders.imagebind.config import TOWERS, Tower
from encoders.imagebind.towers import causal_mask
from tests.tiny import inputs, tiny_model


def test_weights_depend_on_seed_and_name_and_not_on_the_towers_built():
    every, audio = tiny_model().state_dict(), tiny_model("audio").state_dict()
    assert audio
    assert all(torch.equal(tensor, every[name]) for name, tensor in audio.items())
    other = tiny_model("audio", seed=1).state_dict()
    name = "modality_trunks.audio.blocks.1.mlp.fc1.weight"
    assert not torch.equal(other[name], audio[name])
    assert not torch.equal(audio[name], audio[name.replace("blocks.1", "blocks.0")])


def test_half_precision_is_float32_rounded():
    whole = tiny_model("vision", "imu").state_dict()
    half = tiny_model("vision", "imu", dtype=torch.bfloat16).state_dict()
    assert half.keys() == whole.keys()
    for name, tensor in half.items():
        keeps = name.endswith("log_logit_scale")
        assert torch.equal(tensor, whole[name] if keeps else whole[name].bfloat16()), name


def test_the_mask_is_causal_and_the_scales_are_those_of_training():
    state = tiny_model().state_dict()
    assert torch.equal(state["modality_preprocessors.text.mask"], causal_mask(9))
    scales = {n: t.exp().item() for n, t in state.items() if n.endswith("log_logit_scale")}
    assert sorted(scales.values()) == pytest.approx([5, 5, 10, 1 / 0.07, 20])


def like_a_sensor(tower: Tower) -> Tensor:
    """Inputs with what makes random towers collapse: a large common mean, small differences."""
    noise = inputs(tower, 4)
    match tower:
        case "depth" | "thermal":
            return 0.5 + 0.1 * noise
        case "imu":
            noise[:, 2] += 9.81
            return noise
        case _:
            return noise


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("tower", TOWERS)
def test_random_towers_tell_inputs_apart(tower: Tower, dtype: torch.dtype):
    vectors = tiny_model(tower, dtype=dtype).embed(tower, like_a_sensor(tower))
    cosines = (vectors @ vectors.T)[~torch.eye(4, dtype=torch.bool)]
    assert cosines.max() < 0.98


def test_building_a_bf16_model_takes_hardly_more_memory_than_its_weights():
    # In a process of its own: a peak cannot be reset. Audio of imagebind_huge is 164 MiB in bf16.
    program = (
        "import pathlib, torch\n"
        "from encoders.imagebind.model import ImageBindModel\n"
        "from encoders.imagebind.weights import random_weights\n"
        "def peak():\n"
        "    status = pathlib.Path('/proc/self/status').read_text()\n"
        "    return 1024 * int(status.split('VmHWM:')[1].split()[0])\n"
        "torch.empty(1 << 20).uniform_()\n"
        "before = peak()\n"
        "with torch.device('meta'): model = ImageBindModel(['audio'])\n"
        "random_weights(model, 0, dtype=torch.bfloat16)\n"
        "weights = sum(p.nbytes for p in model.parameters())\n"
        "print((peak() - before) / weights)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert 0.9 < float(done.stdout) < 1.3
