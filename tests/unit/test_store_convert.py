"""One file a tower: the same numbers, rounded once, for the encoder and for the library."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from encoders.imagebind.checkpoint import load_towers, tower_of
from encoders.imagebind.config import TOWERS
from encoders.imagebind.header import read_header
from encoders.imagebind.model import ImageBindModel
from encoders.imagebind.runtime import ImageBindEncoder
from encoders.store.convert import Precision, convert
from streamer.errors import EncoderFailed
from tests.needs import ROOT
from tests.packed import SPEAKING, SPOKEN, packed_state, save_packed
from tests.tiny import TINY, tiny_model

CALIBRATION = {"set": "0" * 16, "temperatures": {"vision": 0.02}, "none_below": {}}
DTYPES: dict[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


def quiet(what: str, done: int, total: int) -> None:
    pass


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    state = dict(tiny_model().state_dict())
    return save_packed(tmp_path / "tiny.safetensors", state, calibration=CALIBRATION)


@pytest.mark.parametrize("precision", DTYPES)
def test_every_number_is_there_once_and_the_headers_say_whose(
    whole: Path, tmp_path: Path, precision: Precision
) -> None:
    dtype = DTYPES[precision]
    heard: dict[str, tuple[int, int]] = {}

    def hear(what: str, done: int, total: int) -> None:
        heard[what] = done, total

    files = convert(whole, tmp_path / "out", precision, hear)
    assert [file.name for file in files] == [f"{tower}.safetensors" for tower in TOWERS]
    assert sorted(files) == sorted((tmp_path / "out").iterdir())
    assert all(done == total > 0 for done, total in heard.values())
    before = load_file(whole)
    after = {file.stem: load_file(file) for file in files}
    assert sum(map(len, after.values())) == len(before)
    for tower, state in after.items():
        for name, tensor in state.items():
            assert tower_of(name) == tower
            kept = torch.float32 if name.endswith("log_logit_scale") else dtype
            assert tensor.dtype == kept
            assert torch.equal(tensor, before[name].to(kept)), name
    for file in files:
        with safe_open(file, framework="pt") as opened:
            said = opened.metadata()
        sizes = json.loads(said["model"])
        assert {key: sizes[key] for key in TINY} == TINY
        assert json.loads(said["calibration"]) == CALIBRATION
    assert read_header(tmp_path / "out") == read_header(whole)


def test_a_converted_folder_loads_as_the_file_does(whole: Path, tmp_path: Path) -> None:
    convert(whole, tmp_path / "out", "bf16", quiet)
    with torch.device("meta"):
        one, other = ImageBindModel(**TINY), ImageBindModel(**TINY)
    load_towers(one, whole, dtype=torch.bfloat16)
    load_towers(other, tmp_path / "out", dtype=torch.bfloat16)
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


def test_the_encoder_takes_a_folder_where_it_takes_a_file(tmp_path: Path) -> None:
    path = save_packed(
        tmp_path / "a.safetensors", packed_state(SPEAKING, SPOKEN), model=SPEAKING,
        calibration=CALIBRATION,
    )  # fmt: skip
    convert(path, tmp_path / "out", "fp16", quiet)
    (tmp_path / "out" / "imu.safetensors").unlink()
    answers: list[NDArray[np.float32]] = []
    for weights in (path, tmp_path / "out"):
        settings = ImageBindEncoder(weights=str(weights), device="cpu", precision="fp32")
        settings.preflight()
        with settings.open(["vision"], text=True) as opened:
            answers.append(opened.text(["a dog", "a kettle boiling"]))
            assert opened.calibration is not None
            assert opened.calibration.temperatures == {"vision": 0.02}
    np.testing.assert_array_equal(answers[0], answers[1])
    settings = ImageBindEncoder(weights=str(tmp_path / "out"), device="cpu", precision="fp32")
    with pytest.raises(
        EncoderFailed, match=r"out: expected imu.safetensors, got vision, text, aud"
    ):
        settings.open(["imu"], text=False).__enter__()


def test_files_of_different_models_are_no_folder(whole: Path, tmp_path: Path) -> None:
    convert(whole, tmp_path / "out", "fp32", quiet)
    state = load_file(tmp_path / "out" / "imu.safetensors")
    save_file(state, tmp_path / "out" / "imu.safetensors")
    with pytest.raises(EncoderFailed, match=r"imu.safetensors: expected the model and calibration"):
        read_header(tmp_path / "out")


def test_a_folder_converts_too_and_packed_words_stay_packed(tmp_path: Path) -> None:
    state = packed_state()
    path = save_packed(tmp_path / "a.safetensors", state)
    convert(path, tmp_path / "one", "fp32", quiet)
    convert(tmp_path / "one", tmp_path / "two", "fp16", quiet)
    again = load_file(tmp_path / "two" / "text.safetensors")
    assert set(again) == {name for name in state if tower_of(name) == "text"}
    for name, tensor in again.items():
        assert torch.equal(tensor, state[name]), name


def test_nothing_is_overwritten_and_nothing_half_done_is_left(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(EncoderFailed, match="out: expected a new folder, got one that exists"):
        convert(whole, tmp_path / "out", "fp16", quiet)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(EncoderFailed, match="expected a new folder"):
        convert(whole, tmp_path / "dangling", "fp16", quiet)
    state = dict(tiny_model().state_dict())
    state["modality_heads.imu.3.weight"][0, 0] = 70_000
    path = save_packed(tmp_path / "big.safetensors", state)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(EncoderFailed, match=r"tower imu: .*weight: expected finite numbers"):
        convert(path, tmp_path / "new", "fp16", quiet)
    assert sorted(tmp_path.iterdir()) == before
    convert(path, tmp_path / "new", "bf16", quiet)


def test_ctrl_c_leaves_nothing(whole: Path, tmp_path: Path) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if what == "depth":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(whole, tmp_path / "out", "fp16", stop)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.safetensors"]


def test_a_disk_that_fills_up_leaves_nothing(whole: Path, tmp_path: Path) -> None:
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from encoders.store.convert import convert\n"
        "from streamer.errors import EncoderFailed\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "try: convert(Path(sys.argv[1]), Path(sys.argv[2]), 'fp32', lambda *_: None)\n"
        "except EncoderFailed as error: print(error)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(whole), str(tmp_path / "out")],
        capture_output=True, text=True, timeout=100, check=True, cwd=ROOT,
    ).stdout  # fmt: skip
    assert said == f"{tmp_path / 'out'}: File too large: nothing was written\n"
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.safetensors"]
