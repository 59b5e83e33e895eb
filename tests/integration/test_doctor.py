"""The checks together, on configurations that run and on those that cannot."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from configs.schema import RunConfig
from encoders.cache_folder import cache_folder
from encoders.imagebind.device import place
from encoders.imagebind.product import time_product, widest
from encoders.imagebind.runtime import ImageBindEncoder
from encoders.imagebind.trial import attempt
from streamer.cli.doctor.command import examine
from streamer.cli.doctor.finding import Finding
from streamer.cli.doctor.rounds import Rounds
from streamer.errors import EncoderFailed
from streamer.types import NS_PER_S
from tests.packed import SPEAKING, SPOKEN, packed_state, save_packed

MIC = {"kind": "synthetic", "stream": "mic", "modality": "audio", "rate_hz": 16_000, "block": 320}
BASE = {"kind": "synthetic", "stream": "base", "modality": "imu", "rate_hz": 400, "block": 10}
CPU = {"kind": "imagebind", "device": "cpu", "precision": "fp32"}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed") / "small.safetensors"
    return save_packed(path, packed_state(SPEAKING, SPOKEN), model=SPEAKING)


def examined(encoder: dict[str, Any], **more: Any) -> dict[str, Finding]:
    """What is found, by name; every name once."""
    base = {"sources": [MIC, BASE], "sinks": [{"kind": "memory"}]}
    config = RunConfig.model_validate({**base, "encoder": {**CPU, **encoder}, **more})
    rounds = Rounds(lambda finding: None, lambda name: nullcontext())
    examine(config, rounds)
    assert rounds.left_behind == []
    found = {finding.name: finding for finding in rounds.findings}
    assert len(found) == len(rounds.findings)
    return found


def failed(found: dict[str, Finding]) -> list[str]:
    return [name for name, finding in found.items() if finding.state == "fail"]


def test_a_configuration_that_runs_has_no_failure(packed: Path) -> None:
    found = examined({"weights": str(packed)})
    assert failed(found) == [], found
    assert list(found) == [
        *("versions", "processor", "clock", f"disk {cache_folder()}", "labels indoor"),
        *("sensor mic", "sensor base", "device", "memory", "weights", "pace"),
    ]
    assert found["sensor mic"].said == "16000 a second; 16000 Hz, blocks of 320"
    assert "audio " in found["weights"].said
    assert "a text " in found["weights"].said


def test_labels_and_weights_that_are_not_there_fail_with_their_remedy(tmp_path: Path) -> None:
    found = examined(
        {"weights": str(tmp_path / "none.safetensors"), "model": SPEAKING},
        labels={"set": str(tmp_path / "none.txt")},
    )
    assert failed(found) == [f"labels {tmp_path}/none.txt", "weights"], found
    assert "none.safetensors: no such file" in found["weights"].said
    assert "set encoder.weights to the file" in found["weights"].remedy
    assert "labels.set" in found[f"labels {tmp_path}/none.txt"].remedy
    assert found["memory"].state == "warn"
    assert "sizes are guessed" in found["memory"].said


def test_weights_that_are_damaged_fail_and_the_rest_is_looked_at(
    packed: Path, tmp_path: Path
) -> None:
    whole = packed.read_bytes()
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(whole[: len(whole) // 2])
    found = examined({"weights": str(cut), "model": SPEAKING})
    assert failed(found) == ["weights"]
    assert "cut.safetensors" in found["weights"].said
    assert "get the file again" in found["weights"].remedy


def test_a_model_that_does_not_fit_is_not_tried() -> None:
    # 1000 blocks of 16380 channels: 13 TB in fp32.
    found = examined(
        {"weights": "random", "model": {"audio_embed_dim": 16_380, "audio_num_blocks": 1000}}
    )
    assert failed(found) == ["memory"], found
    assert "TB needed" in found["memory"].said
    assert "encoder.precision" in found["memory"].remedy
    assert found["weights"].state == "warn"
    assert "not tried" in found["weights"].said


def test_a_gpu_that_is_not_there_fails(packed: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("a machine without a GPU is the case tested")
    found = examined({"weights": str(packed), "device": "cuda"})
    assert failed(found) == ["device", "weights"]
    assert "expected cuda" in found["device"].said
    assert "encoder.device" in found["device"].remedy


@pytest.mark.parametrize(("value", "said"), [(0.0, "unit vector"), (float("nan"), "finite")])
def test_weights_whose_numbers_are_lost_are_noticed(
    tmp_path: Path, value: float, said: str
) -> None:
    state = packed_state(SPEAKING, SPOKEN)
    head = next(name for name in state if "heads.imu" in name and state[name].ndim == 2)
    state[head] = torch.full_like(state[head], value)
    path = save_packed(tmp_path / "lost.safetensors", state, model=SPEAKING)
    encoder = ImageBindEncoder.model_validate({**CPU, "weights": str(path)})
    with pytest.raises(EncoderFailed, match=f"imu: expected .*{said}"):
        attempt(encoder, {"imu": 5 * NS_PER_S}, text=False)


def test_a_tower_that_is_blind_to_its_input_is_noticed(tmp_path: Path) -> None:
    state = packed_state(SPEAKING, SPOKEN)
    for name in state:
        if "preprocessors.audio" in name and "stem" in name:
            state[name] = torch.zeros_like(state[name])
    path = save_packed(tmp_path / "blind.safetensors", state, model=SPEAKING)
    encoder = ImageBindEncoder.model_validate({**CPU, "weights": str(path)})
    with pytest.raises(EncoderFailed, match="audio: expected different inputs to differ"):
        attempt(encoder, {"audio": 2 * NS_PER_S}, text=False)


@pytest.mark.parametrize(("precision", "within"), [("fp32", 1e-5), ("bf16", 2e-2)])
def test_a_product_is_really_made_in_the_precision_asked_for(precision: Any, within: float) -> None:
    shape = (64, 256, 128)
    product = time_product(place("cpu", precision), shape)
    # bf16 has eight bits: an error that small would be another precision's.
    assert within / 1e4 < product.error < within
    if precision == "bf16":
        assert product.error > 1e-4
    assert min(product.asked_s, product.fp32_s, product.cpu_s) > 0
    assert product.gflops == pytest.approx(2 * 64 * 256 * 128 / product.asked_s / 1e9)


def test_the_product_is_the_widest_of_the_towers_in_use() -> None:
    huge = ImageBindEncoder(weights="random").sizes()
    assert widest(huge, "audio", "vision", "text") == (257, 1280, 5120)
    assert widest(huge, "imu") == (251, 512, 2048)
    wide = ImageBindEncoder(weights="random", model={"audio_embed_dim": 999_996})
    assert widest(wide.sizes(), "audio") == (229, 1280, 5120)
