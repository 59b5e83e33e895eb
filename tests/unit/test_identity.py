"""Which model it is: by what the weights are, without reading them at every start."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from encoders.cache_folder import CacheFolder
from encoders.imagebind.identity import file_sha256
from encoders.imagebind.runtime import ImageBindEncoder
from streamer.types import Modality
from tests.packed import packed_state, save_packed
from tests.tiny import TINY
from tests.unit.test_checkpoint_lazy import read_bytes

CONTENTS = bytes(range(256)) * 20_000  # 5 MB


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pth"
    path.write_bytes(CONTENTS)
    return path


@pytest.fixture
def cache(tmp_path: Path) -> CacheFolder:
    return CacheFolder(tmp_path / "cache")


def test_a_file_is_read_once_and_then_remembered(file: Path, cache: CacheFolder):
    expected = hashlib.sha256(CONTENTS).hexdigest()
    before = read_bytes()
    assert file_sha256(file, cache) == expected
    first = read_bytes() - before
    assert first > len(CONTENTS)
    assert file_sha256(file, cache) == expected
    assert read_bytes() - before - first < 100_000


def test_a_change_is_seen_though_size_and_date_are_as_before(file: Path, cache: CacheFolder):
    before, was = file.stat(), file_sha256(file, cache)
    changed = b"!" + CONTENTS[1:]
    file.write_bytes(changed)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    assert file_sha256(file, cache) == hashlib.sha256(changed).hexdigest() != was


@pytest.mark.parametrize("damage", ["cut", "other", "long"])
def test_a_damaged_entry_is_made_again(
    damage: str, file: Path, cache: CacheFolder, caplog: pytest.LogCaptureFixture
):
    was = file_sha256(file, cache)
    (entry,) = (cache.path / "files").iterdir()
    good = entry.read_bytes()
    bad = {"cut": good[:-1], "other": bytes([good[0] ^ 1]) + good[1:], "long": good + b"more"}
    entry.write_bytes(bad[damage])
    assert file_sha256(file, cache) == was
    assert "made again" in caplog.text
    assert entry.read_bytes() == good


def hash_of(path: Path, **settings: Any) -> str:
    encoder = ImageBindEncoder.model_validate({"weights": str(path), "device": "cpu"} | settings)
    with encoder.open(["imu"], text=False) as opened:
        return opened.hash


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    return save_packed(tmp_path / "packed.safetensors", packed_state())


def test_the_same_weights_have_one_hash_wherever_and_however_they_are_used(
    packed: Path, tmp_path: Path
):
    encoder = ImageBindEncoder(weights=str(packed), device="cpu", precision="fp32")
    hashes = {hash_of(packed, precision=precision) for precision in ("fp32", "bf16")}
    runs: list[tuple[list[Modality], bool]] = [
        (["audio"], False),
        (["audio", "depth"], True),
        ([], True),
    ]
    for modalities, text in runs:
        with encoder.open(modalities, text=text) as opened:
            hashes.add(opened.hash)
    (tmp_path / "elsewhere").mkdir()
    hashes.add(hash_of(Path(shutil.copy(packed, tmp_path / "elsewhere" / "named.safetensors"))))
    assert len(hashes) == 1
    (only,) = hashes
    assert len(only) == 64
    assert set(only) <= set("0123456789abcdef")


def test_one_number_of_any_tower_or_another_number_of_heads_is_another_model(
    packed: Path, tmp_path: Path
):
    was = hash_of(packed)
    state = load_file(packed)
    with torch.no_grad():
        state["modality_heads.audio.0.bias"][-1] += 0.01  # of a tower that is not opened
    changed = save_packed(tmp_path / "changed.safetensors", state)
    heads = {**TINY, "imu_num_heads": 4}  # which show in no shape
    assert len({was, hash_of(changed), hash_of(packed, model=heads)}) == 3


def test_random_weights_are_known_by_their_seed_and_sizes():
    def of(seed: int, sizes: dict[str, Any]) -> str:
        random = ImageBindEncoder(weights="random", seed=seed, model=sizes, device="cpu")
        with random.open(["imu"], text=False) as opened:
            return opened.hash

    assert of(0, TINY) == of(0, TINY)
    assert len({of(0, TINY), of(1, TINY), of(0, {**TINY, "imu_num_heads": 4})}) == 3
