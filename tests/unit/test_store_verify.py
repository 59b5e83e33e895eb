"""What `weights verify` finds, and what it keeps."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from encoders.store.fingerprint import compute, stored
from encoders.store.listing import entries
from encoders.store.verify import verify
from streamer.errors import EncoderFailed
from tests.packed import packed_state, save_packed
from tests.tiny import TINY, tiny_model

NOON, LATER = "2026-05-01T12:00:00+00:00", "2026-05-02T12:00:00+00:00"


def quiet(what: str, done: int, total: int) -> None:
    pass


def whole_state() -> dict[str, Tensor]:
    return dict(tiny_model().state_dict())


def saved(tmp_path: Path, state: dict[str, Tensor]) -> Path:
    return save_packed(tmp_path / "tiny.safetensors", state)


def refused(path: Path, message: str, **how: Any) -> None:
    with pytest.raises(EncoderFailed, match=message) as caught:
        verify(path, now=NOON, heard=quiet, **how)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("packed", [False, True])
def test_good_weights_tower_by_tower_and_their_hash(tmp_path: Path, packed: bool) -> None:
    path = saved(tmp_path, packed_state() if packed else whole_state())
    heard: dict[str, tuple[int, int]] = {}

    def hear(what: str, done: int, total: int) -> None:
        heard[what] = done, total

    found = verify(path, now=NOON, heard=hear, whole=True)
    towers = ["vision", "text", "audio", "depth", "thermal", "imu"]
    assert [each.tower for each in found.towers] == towers
    assert {str(each.dtype) for each in found.towers} == {
        "torch.float16" if packed else "torch.float32"
    }
    assert set(heard) == {*towers, "sha256"}
    assert all(done == total > 0 for done, total in heard.values())
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.verdict == "stored for the first time"
    assert sum(each.bytes for each in found.towers) < path.stat().st_size


def test_a_hash_is_compared_with_the_one_of_before(tmp_path: Path) -> None:
    path = saved(tmp_path, whole_state())
    first = verify(path, now=NOON, heard=quiet).sha256
    again = verify(path, now=LATER, heard=quiet)
    assert (again.sha256, again.verdict) == (first, "as stored")
    known = stored(path)
    assert known is not None
    assert (known.sha256, known.checked) == (first, LATER)
    # One number, and still fine by itself.
    state = whole_state()
    state["modality_heads.audio.2.weight"][0, 0] += 1
    saved(tmp_path, state)
    refused(path, rf"sha256: expected {first} as stored beside it \({LATER[:10]}.*\), got ")
    changed, _ = compute(path, lambda done, total: None)
    assert changed != first, "what is computed is the file's, whatever is stored"
    kept = stored(path)
    assert kept is not None
    assert kept.sha256 == first
    refused(path, f"expected {first} as pinned, got {changed}", pin=first)
    assert verify(path, now=LATER, heard=quiet, pin=changed).verdict == "as pinned"
    assert verify(path, now=LATER, heard=quiet).verdict == "as stored"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_number_that_is_not_finite(tmp_path: Path, value: float, dtype: torch.dtype) -> None:
    state = {name: tensor.to(dtype) for name, tensor in whole_state().items()}
    name = "modality_trunks.depth.blocks.1.mlp.fc2.weight"
    state[name][-1, -1] = value
    path = saved(tmp_path, state)
    refused(path, f"tower depth: {name}: expected finite numbers, got others")
    assert stored(path) is None


def test_a_mask_that_is_not_causal_and_ids_that_are_no_rows(tmp_path: Path) -> None:
    state = whole_state()
    state["modality_preprocessors.text.mask"][0, 1] = 0
    refused(saved(tmp_path, state), "text.mask: expected minus infinity above the diagonal")
    packed = packed_state()
    ids = "modality_preprocessors.text.token_embedding.ids"
    packed[ids] = packed[ids].flip(0)
    refused(saved(tmp_path, packed), "expected ascending ids")


def test_names_shapes_and_towers(tmp_path: Path) -> None:
    state = whole_state()
    name = "modality_heads.audio.2.weight"
    good = state.pop(name)
    refused(saved(tmp_path, state), f"tower audio: {name}: expected shape .*, got no such name")
    state[name] = good[1:].clone()
    refused(saved(tmp_path, state), rf"{name}: expected shape \(16, 24\), got \(15, 24\)")
    state[name] = good.int()
    refused(saved(tmp_path, state), f"{name}: expected floating point, got torch.int32")
    state = {"visual.proj": torch.zeros(3)}
    refused(saved(tmp_path, state), "got also 'visual.proj'")
    refused(saved(tmp_path, {}), "expected some of the towers vision, text, .* got none")
    only = dict(tiny_model("audio").state_dict())
    assert len(verify(saved(tmp_path, only), now=NOON, heard=quiet).towers) == 1
    refused(saved(tmp_path, only), r"expected the towers vision, .* got \['audio'\]", whole=True)


def test_a_pth_is_held_against_imagebind_huge_and_runs_no_code(tmp_path: Path) -> None:
    torch.save(whole_state(), tmp_path / "tiny.pth")
    refused(tmp_path / "tiny.pth", r"expected shape \(1, 1, 1280\), got \(1, 1, 24\)")
    content = (tmp_path / "tiny.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(content[: len(content) // 2])
    refused(tmp_path / "cut.pth", "expected a .pth state dict")
    (tmp_path / "page.pth").write_text("<html>log in to this network</html>")
    refused(tmp_path / "page.pth", "expected a .pth state dict")


def test_a_folder_of_weights_is_listed(tmp_path: Path) -> None:
    assert entries(tmp_path / "absent") == []
    path = saved(tmp_path, packed_state())
    (tmp_path / "notes.txt").write_text("no weights")
    (tmp_path / "huge.pth.part").write_bytes(b"123")
    (tmp_path / "huge.pth.part.json").write_text("{}")
    (tmp_path / "broken.pth").write_bytes(b"no archive")
    (tmp_path / "cut").mkdir()
    (tmp_path / "parts").mkdir()
    save_file(dict(tiny_model("audio").state_dict()), tmp_path / "parts" / "audio.safetensors")
    verify(path, now=NOON, heard=quiet)
    found = {entry.name: entry for entry in entries(tmp_path)}
    assert set(found) == {"broken.pth", "huge.pth.part", "parts", "tiny.safetensors"}
    tiny = found["tiny.safetensors"]
    assert (tiny.format, tiny.bytes) == ("safetensors", path.stat().st_size)
    assert tiny.towers == ("vision", "text", "audio", "depth", "thermal", "imu")
    assert tiny.dtypes == ("float16",)
    assert (tiny.sha256, tiny.checked) == (compute(path, lambda done, total: None)[0], NOON)
    assert (found["huge.pth.part"].format, found["huge.pth.part"].bytes) == ("unfinished", 3)
    assert "expected a .pth state dict" in (found["broken.pth"].problem or "")
    assert "expected shape" in (found["parts"].problem or ""), "no sizes: imagebind_huge"
    assert TINY["audio_embed_dim"] != 768


def test_a_file_that_changed_has_no_hash_in_the_list_and_a_dead_link_is_named(
    tmp_path: Path,
) -> None:
    path = saved(tmp_path, whole_state())
    verify(path, now=NOON, heard=quiet)
    os.utime(path, ns=(0, 1))
    (tmp_path / "away.pth").symlink_to(tmp_path / "unplugged" / "away.pth")
    found = {entry.name: entry for entry in entries(tmp_path)}
    assert (found[path.name].sha256, found[path.name].checked) == (None, None)
    assert "No such file" in (found["away.pth"].problem or "")
