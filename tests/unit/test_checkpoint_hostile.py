"""Checkpoints are untrusted: damaged, foreign and hostile files are errors and run nothing."""

import io
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import Tensor

from encoders.imagebind.checkpoint import load_towers
from encoders.imagebind.model import ImageBindModel
from streamer.errors import EncoderFailed
from tests.tiny import TINY, tiny_model


def refused(path: Path, message: str = "") -> None:
    with torch.device("meta"):
        model = ImageBindModel(["audio"], **TINY)
    with pytest.raises(EncoderFailed, match=message) as caught:
        load_towers(model, path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    assert all(p.is_meta for p in model.parameters())


def pth(content: object = None) -> bytes:
    buffer = io.BytesIO()
    torch.save(tiny_model("audio").state_dict() if content is None else content, buffer)
    return buffer.getvalue()


def repacked(source: bytes, path: Path, member: str, content: bytes, method: int = 0) -> Path:
    """The archive `source` with one member replaced."""
    with zipfile.ZipFile(io.BytesIO(source)) as old, zipfile.ZipFile(path, "w") as new:
        for info in old.infolist():
            here = info.filename.endswith(member)
            data = content if here else old.read(info)
            new.writestr(info.filename, data, compress_type=method if here else 0)
    return path


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_truncated_file(tmp_path: Path, suffix: str, share: float):
    whole = pth() if suffix == ".pth" else save(tiny_model("audio").state_dict())
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(whole[: int(share * len(whole))])
    refused(path, f"expected a {suffix} state dict")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    "content",
    [
        b"\x00" * 4096,
        b"\xff" * 4096,
        b"version https://git-lfs.github.com/spec/v1\n",
        b"PK\x03\x04",
    ],
    ids=["zeros", "ones", "pointer", "archive"],
)
def test_a_foreign_file(tmp_path: Path, suffix: str, content: bytes):
    path = tmp_path / f"foreign{suffix}"
    path.write_bytes(content)
    refused(path, f"expected a {suffix} state dict")


def test_one_format_under_the_name_of_the_other(tmp_path: Path):
    (tmp_path / "a.safetensors").write_bytes(pth())
    refused(tmp_path / "a.safetensors", "expected a .safetensors state dict")
    (tmp_path / "b.pth").write_bytes(save(tiny_model("audio").state_dict()))
    refused(tmp_path / "b.pth", "expected a .pth state dict")


def test_no_file_a_folder_and_another_ending(tmp_path: Path):
    refused(tmp_path / "absent.pth", "No such file")
    refused(tmp_path / "absent.safetensors", "No such file")
    (tmp_path / "folder.pth").mkdir()
    refused(tmp_path / "folder.pth", "expected a TOWER.safetensors for each tower, got none")
    refused(tmp_path / "model.onnx", r"expected a .pth or .safetensors file, got '.onnx'")


def test_code_in_a_pickle_is_not_run(tmp_path: Path):
    marker = tmp_path / "ran"
    code = f"cos\nsystem\n(S'touch {marker}'\ntR.".encode()
    path = repacked(pth(), tmp_path / "code.pth", "/data.pkl", code)
    refused(path, "expected a .pth state dict")
    assert not marker.exists()
    # The same file does run code where a loader trusts it, so the check above can fail.
    torch.load(path, weights_only=False)
    assert marker.exists()


def test_a_member_that_inflates(tmp_path: Path):
    bomb = b"\x00" * 3_000_000
    path = repacked(pth(), tmp_path / "a.pth", "/data.pkl", bomb, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 200_000
    refused(path, "expected uncompressed members .* got '.*data.pkl' of 3000000")


def test_a_description_out_of_proportion(tmp_path: Path):
    path = repacked(pth(), tmp_path / "a.pth", "/data.pkl", b"\x00" * 5_000_000)
    refused(path, "of at most 4194304 bytes, got '.*data.pkl' of 5000000")


def test_more_members_than_any_model_has(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        for index in range(20_000):
            archive.writestr(f"a/data/{index}", b"")
    refused(tmp_path / "a.pth", "expected at most 16384 members, got 20000")


def test_a_tensor_longer_than_its_bytes(tmp_path: Path):
    # Its numbers would be taken from whatever follows in the file.
    path = repacked(pth(), tmp_path / "a.pth", "/data/0", b"\x00" * 8)
    refused(path, "bytes of numbers, got")


@pytest.mark.parametrize(
    "content",
    [
        [torch.zeros(1)],
        {"state_dict": tiny_model("audio").state_dict()},
        {1: torch.zeros(1)},
        {"modality_trunks.audio.x": 3},
        {"x": torch.eye(3).to_sparse()},
        {"x": torch.empty(1 << 40, device="meta")},
        torch.zeros(3),
    ],
    ids=["list", "nested", "number", "value", "sparse", "meta", "tensor"],
)
def test_what_is_not_a_plain_state_dict(tmp_path: Path, content: object):
    (tmp_path / "a.pth").write_bytes(pth(content))
    refused(tmp_path / "a.pth", "expected (a state dict|tensors under names), got")


def test_a_tensor_that_pretends_to_be_large_is_refused_by_its_shape(tmp_path: Path):
    state: dict[str, Tensor] = dict(tiny_model("audio").state_dict())
    state["modality_heads.audio.2.weight"] = torch.zeros(1).expand(1 << 20, 1 << 20)
    (tmp_path / "a.pth").write_bytes(pth(state))
    refused(tmp_path / "a.pth", r"expected shape \(16, 24\), got \(1048576, 1048576\)")
