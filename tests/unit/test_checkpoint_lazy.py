"""Loading one tower reads one tower."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from encoders.imagebind.checkpoint import load_towers
from encoders.imagebind.model import ImageBindModel
from encoders.imagebind.weights import random_weights
from tests.tiny import TINY

# Audio: 12 MB in float32. Text: 123 MB, most of it in one table.
BIG: dict[str, Any] = {
    **TINY,
    "vocab_size": 300_000,
    "text_embed_dim": 102,
    "audio_embed_dim": 288,
    "audio_num_blocks": 3,
}
MB = 1_000_000


@pytest.fixture(params=[".pth", ".safetensors"])
def big_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with torch.device("meta"):
        model = ImageBindModel(["text", "audio"], **BIG)
    random_weights(model, 0)
    path = tmp_path / f"big{request.param}"
    if path.suffix == ".pth":
        torch.save(model.state_dict(), path)
    else:
        save_file(model.state_dict(), path)
    assert path.stat().st_size > 130 * MB
    return path


def read_bytes() -> int:
    """What this process has read with system calls."""
    words = Path("/proc/self/io").read_text().split()
    return int(words[words.index("rchar:") + 1])


def mapped_bytes(path: Path) -> int | None:
    """How much of the file's mappings is resident in this process. None: it is not mapped."""
    resident: list[int] = []
    ours = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first, *rest = line.split(maxsplit=5)
        if not first.endswith(":"):
            ours = rest[-1] == str(path)
        elif ours and first == "Rss:":
            resident.append(1024 * int(rest[0]))
    return sum(resident) if resident else None


def empty_audio() -> ImageBindModel:
    with torch.device("meta"):
        return ImageBindModel(["audio"], **BIG)


def test_weights_that_need_no_change_are_the_file_itself_and_read_on_use(big_file: Path):
    model = empty_audio()
    before = read_bytes()
    load_towers(model, big_file)
    assert read_bytes() - before < 1 * MB
    mapped = mapped_bytes(big_file)
    assert mapped is not None
    assert mapped < 4 * MB
    size = sum(p.nbytes for p in model.parameters())
    assert size > 12 * MB
    assert all(p.detach().sum().isfinite() for p in model.parameters())
    used = mapped_bytes(big_file)
    assert used is not None
    assert size < used + 1 * MB
    assert used < size + 4 * MB


def test_a_conversion_reads_its_tower_alone_and_lets_the_file_go(big_file: Path):
    model = empty_audio()
    before = read_bytes()
    load_towers(model, big_file, dtype=torch.bfloat16)
    assert read_bytes() - before < 1 * MB
    assert mapped_bytes(big_file) is None
    with big_file.open("r+b") as file:
        file.truncate(0)  # whoever still looked into the file would now die of SIGBUS
    assert all(p.detach().sum().isfinite() for p in model.parameters())
