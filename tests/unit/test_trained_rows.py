"""A token embedding of which a file holds the trained rows alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from encoders.imagebind.checkpoint import load_towers
from encoders.imagebind.config import Tower
from encoders.imagebind.model import ImageBindModel
from encoders.imagebind.trained_rows import IDS, LARGEST, WEIGHT, check_shapes, expand
from streamer.errors import EncoderFailed
from tests.packed import TRAINED, packed_state
from tests.tiny import TINY, inputs, tiny_model

State = dict[str, Tensor]


def empty(*towers: Tower) -> ImageBindModel:
    with torch.device("meta"):
        return ImageBindModel(towers, **TINY).eval()


@given(
    ids=st.sets(st.integers(0, 39), min_size=1).map(sorted),
    kind=st.sampled_from([torch.int32, torch.int64]),
    half=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_trained_rows_stay_and_all_others_are_their_mean(
    ids: list[int], kind: torch.dtype, half: bool, seed: int
) -> None:
    numbers = np.random.default_rng(seed).normal(size=(len(ids), 7))
    rows = torch.from_numpy(numbers).to(torch.float16 if half else torch.float32)
    table = expand(rows, torch.tensor(ids, dtype=kind), 40, torch.float32)
    assert table.shape == (40, 7)
    assert table.dtype == torch.float32
    assert torch.equal(table[ids], rows.float())
    others = sorted(set(range(40)) - set(ids))
    mean = rows.double().numpy().mean(axis=0)
    np.testing.assert_allclose(table[others].numpy(), np.tile(mean, (len(others), 1)), atol=1e-6)


def test_the_mean_of_many_half_precision_rows_is_exact_enough() -> None:
    # 70,000 ones are more than float16 can count, or hold.
    rows = torch.ones(70_000, 2, dtype=torch.float16)
    table = expand(rows, torch.arange(70_000), 70_001, torch.float16)
    assert table[-1].tolist() == [1, 1]


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_model_loads_from_a_file_with_a_few_of_its_words(
    tmp_path: Path, suffix: str, dtype: torch.dtype
) -> None:
    path = tmp_path / f"few{suffix}"
    if suffix == ".pth":
        torch.save(packed_state(), path)
    else:
        save_file(packed_state(), path)
    model = empty("text", "audio")
    load_towers(model, path, dtype=dtype)
    whole = tiny_model("text", "audio", dtype=torch.float16).state_dict()
    for name, tensor in model.state_dict().items():
        if name != WEIGHT:
            assert torch.equal(tensor, whole[name].to(tensor.dtype)), name
    table = model.state_dict()[WEIGHT]
    assert table.dtype == dtype
    assert torch.equal(table[list(TRAINED)], whole[WEIGHT][list(TRAINED)].to(dtype))
    mean = whole[WEIGHT][list(TRAINED)].double().mean(dim=0)
    assert torch.allclose(table[1].double(), mean, atol=1e-3)
    assert model.embed("text", inputs("text", 2)).isfinite().all()


def descending(state: State) -> None:
    state[IDS] = state[IDS].flip(0).contiguous()


def twice(state: State) -> None:
    state[IDS][1] = state[IDS][0]


def negative(state: State) -> None:
    state[IDS][0] = -1


def beyond(state: State) -> None:
    state[IDS][-1] = 60


def too_few(state: State) -> None:
    state[IDS] = state[IDS][:-1].contiguous()


def none_at_all(state: State) -> None:
    state[IDS], state[WEIGHT] = state[IDS][:0].contiguous(), state[WEIGHT][:0].contiguous()


def floats(state: State) -> None:
    state[IDS] = state[IDS].float()


def bytes_of_them(state: State) -> None:
    state[IDS] = state[IDS].to(torch.uint8)


def flat(state: State) -> None:
    state[WEIGHT] = state[WEIGHT].flatten().contiguous()


def wider(state: State) -> None:
    state[WEIGHT] = torch.zeros(len(TRAINED), 25, dtype=torch.float16)


def no_weight(state: State) -> None:
    del state[WEIGHT]


def a_column(state: State) -> None:
    state[IDS] = state[IDS][:, None].contiguous()


def integers(state: State) -> None:
    state[WEIGHT] = state[WEIGHT].to(torch.int32)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (descending, "ids: expected ascending ids, each once"),
        (twice, "ids: expected ascending ids, each once"),
        (negative, "ids: expected ids of 0 to 59, got -1 to 59"),
        (beyond, "ids: expected ids of 0 to 59, got 0 to 60"),
        (too_few, r"ids: expected one row of 24 for each of 4 ids, got \(5, 24\)"),
        (none_at_all, r"ids: expected shape \(n,\) with n of 1 to 60, got \(0,\)"),
        (floats, "ids: expected int32 or int64, got torch.float32"),
        (bytes_of_them, "ids: expected int32 or int64, got torch.uint8"),
        (flat, r"ids: expected one row of 24 for each of 5 ids, got \(120,\)"),
        (wider, r"ids: expected one row of 24 for each of 5 ids, got \(5, 25\)"),
        (no_weight, r"ids: expected one row of 24 for each of 5 ids, got \(\)"),
        (a_column, r"ids: expected shape \(n,\) with n of 1 to 60, got \(5, 1\)"),
        (integers, "weight: expected floating point, got torch.int32"),
    ],
)
def test_what_does_not_fit_is_one_line(
    tmp_path: Path, damage: Callable[[State], None], message: str
) -> None:
    state = packed_state()
    damage(state)
    path = tmp_path / "bad.safetensors"
    save_file(state, path)
    model = empty("text")
    with pytest.raises(EncoderFailed, match=message) as caught:
        load_towers(model, path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert all(p.is_meta for p in model.parameters())


def test_a_fault_in_the_words_does_not_concern_other_towers(tmp_path: Path) -> None:
    state = packed_state()
    beyond(state)
    save_file(state, tmp_path / "a.safetensors")
    load_towers(empty("imu"), tmp_path / "a.safetensors")


def test_ids_beside_a_whole_table_are_refused(tmp_path: Path) -> None:
    state = packed_state()
    state[WEIGHT] = tiny_model("text").state_dict()[WEIGHT]
    save_file(state, tmp_path / "a.safetensors")
    with pytest.raises(EncoderFailed, match="expected one row of 24 for each of 5 ids"):
        load_towers(empty("text"), tmp_path / "a.safetensors")


def test_one_row_cannot_ask_for_a_table_of_gigabytes() -> None:
    check_shapes((1,), (1, 1024), (LARGEST // 1024, 1024))
    with pytest.raises(ValueError, match="expected a table of at most"):
        check_shapes((1,), (1, 1024), (LARGEST // 1024 + 1, 1024))
