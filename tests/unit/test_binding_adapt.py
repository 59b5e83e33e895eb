"""Little of a tower is trained, the rest stays, and what comes out loads like any other weights."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import normalize

from encoders.binding.adapt import add_lora, heads_only, merge_lora
from encoders.binding.loss import symmetric_info_nce
from encoders.imagebind.checkpoint import load_towers
from encoders.imagebind.config import TOWERS, Tower
from encoders.imagebind.model import ImageBindModel
from encoders.imagebind.weights import random_weights
from tests.tiny import TINY, inputs, tiny_model

Shapes = dict[str, tuple[int, ...]]


def state(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def shapes(model: nn.Module) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def numbers(parameters: list[nn.Parameter]) -> int:
    return sum(parameter.numel() for parameter in parameters)


def train(model: ImageBindModel, tower: Tower, parameters: list[nn.Parameter]) -> None:
    """A few large steps towards fixed vectors, with all gradients that there are."""
    optimiser = torch.optim.AdamW(parameters, lr=0.02, weight_decay=0.1)
    x = inputs(tower, 6)
    targets = normalize(torch.randn(6, 16, generator=torch.Generator().manual_seed(5)), dim=-1)
    for _ in range(3):
        optimiser.zero_grad()
        vectors = normalize(model.pooled(tower, x), dim=-1)
        symmetric_info_nce(targets, vectors, 0.1).backward()
        optimiser.step()


def changed(before: dict[str, Tensor], model: nn.Module) -> set[str]:
    after = model.state_dict()
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("tower", TOWERS)
def test_the_head_alone_is_trained(tower: Tower):
    model = tiny_model()
    before = state(model)
    trained = heads_only(model, tower)
    assert numbers(trained) == 2 * 24 + 24 * 16  # LayerNorm and a linear map without bias
    assert {id(p) for p in model.parameters() if p.requires_grad} == {id(p) for p in trained}
    train(model, tower, trained)
    moved = changed(before, model)
    assert len(moved) == 3
    assert all(name.startswith(f"modality_heads.{tower}.") for name in moved)
    assert all(p.grad is None for p in model.parameters() if not p.requires_grad)


@pytest.mark.parametrize("tower", TOWERS)
def test_adapters_start_as_the_identity_and_train_alone(tower: Tower):
    model = tiny_model()
    before, x = state(model), inputs(tower, 3)
    want = model.embed(tower, x)
    trained = add_lora(model, tower, rank=2)
    assert torch.equal(model.embed(tower, x), want)
    # Queries, keys, values and the output: four squares a block, each with 2 x rank x width.
    assert numbers(trained) == 2 * 4 * (2 * 2 * 24) + 2 * 24 + 24 * 16
    assert {id(p) for p in model.parameters() if p.requires_grad} == {id(p) for p in trained}
    started = [parameter.detach().clone() for parameter in trained]
    train(model, tower, trained)
    assert not any(torch.equal(p, start) for p, start in zip(trained, started, strict=True))
    assert (model.embed(tower, x) - want).abs().max() > 1e-2
    # What was there before is there, under another name where it is adapted, and has not moved.
    kept = {n.replace("parametrizations.", "").replace(".original", ""): n for n in shapes(model)}
    after = model.state_dict()
    for name, tensor in before.items():
        if not name.startswith(f"modality_heads.{tower}."):
            assert torch.equal(after[kept[name]], tensor), name


@pytest.mark.parametrize("tower", TOWERS)
def test_merged_adapters_do_the_same_under_the_published_names(tower: Tower):
    model = tiny_model()
    before = state(model)
    train(model, tower, add_lora(model, tower, rank=3, alpha=6))
    x = inputs(tower, 3)
    want = model.embed(tower, x)
    merge_lora(model, tower)
    torch.testing.assert_close(model.embed(tower, x), want, rtol=1e-5, atol=1e-6)
    assert shapes(model) == {name: tuple(tensor.shape) for name, tensor in before.items()}
    moved = changed(before, model)
    assert {n for n in moved if "heads" not in n} == {
        f"modality_trunks.{tower}.blocks.{block}.attn.{name}"
        for block in range(2)
        for name in ("in_proj_weight", "out_proj.weight")
    }
    adapted = [p for n, p in model.named_parameters() if n in moved and "heads" not in n]
    assert all(type(p) is nn.Parameter and not p.requires_grad for p in adapted)


def test_adapters_are_a_low_rank_change_of_each_square():
    model = tiny_model("depth", dtype=torch.float64)
    name = "modality_trunks.depth.blocks.1.attn.in_proj_weight"
    before = state(model)[name]
    trained = add_lora(model, "depth", rank=2, alpha=5)
    module = model.get_submodule("modality_trunks.depth.blocks.1.attn")
    with torch.no_grad():
        for number, parameter in enumerate(trained):
            parameter.normal_(generator=torch.Generator().manual_seed(number))
    lora = dict(module.named_parameters())
    down, up = (lora[f"parametrizations.in_proj_weight.0.{part}"] for part in ("down", "up"))
    squares = [up[part] @ down[part] * 5 / 2 for part in range(3)]
    merge_lora(model, "depth")
    change = state(model)[name] - before
    torch.testing.assert_close(change, torch.cat(squares).detach(), rtol=1e-10, atol=1e-12)
    assert [int(torch.linalg.matrix_rank(square)) for square in change.chunk(3)] == [2, 2, 2]
    assert int(torch.linalg.matrix_rank(change)) > 2  # each square has its own pair


def test_a_loaded_model_is_adapted_saved_and_loaded_again(tmp_path: Path):
    save_file(state(tiny_model("vision", "imu")), tmp_path / "before.safetensors")
    untouched = (tmp_path / "before.safetensors").read_bytes()
    with torch.device("meta"):
        model = ImageBindModel(["vision", "imu"], **TINY).eval()
        again = ImageBindModel(["vision", "imu"], **TINY).eval()
    load_towers(model, tmp_path / "before.safetensors")
    train(model, "imu", add_lora(model, "imu"))
    x = inputs("imu", 4)
    want = model.embed("imu", x)
    merge_lora(model, "imu")
    # Weights are the mapped file until they change, and the file does not change with them.
    assert (tmp_path / "before.safetensors").read_bytes() == untouched
    save_file(state(model), tmp_path / "after.safetensors")
    load_towers(again, tmp_path / "after.safetensors")
    torch.testing.assert_close(again.embed("imu", x), want, rtol=1e-5, atol=1e-6)
    pictures = inputs("vision", 2)
    assert torch.equal(again.embed("vision", pictures), model.embed("vision", pictures))
    add_lora(again, "imu")  # and may be adapted once more


def test_adapters_go_on_from_their_own_state_dict():
    model, resumed = tiny_model("audio"), tiny_model("audio", seed=1)
    train(model, "audio", add_lora(model, "audio"))
    add_lora(resumed, "audio")
    resumed.load_state_dict(model.state_dict())
    x = inputs("audio", 3)
    assert torch.equal(resumed.embed("audio", x), model.embed("audio", x))


@pytest.mark.parametrize(("tower", "width", "blocks"), [("depth", 384, 12), ("imu", 512, 6)])
def test_the_sizes_of_imagebind_huge(tower: Tower, width: int, blocks: int):
    with torch.device("meta"):
        model = ImageBindModel([tower]).eval()
    published = shapes(model)
    random_weights(model, 0)
    trained = add_lora(model, tower)
    head = 2 * width + width * 1024
    assert numbers(trained) == head + blocks * 4 * (2 * 4 * width)
    assert sum(p.numel() for p in model.parameters()) > 30 * (numbers(trained) - head)
    x = torch.ones(1, *model.config.item_shapes(tower)[0])
    want = model.embed(tower, x)
    merge_lora(model, tower)
    assert torch.equal(model.embed(tower, x), want)
    assert shapes(model) == published


def test_what_cannot_be_adapted_is_refused_and_left_as_it_was():
    with torch.device("meta"):
        empty = ImageBindModel(["imu"], **TINY)
    half = tiny_model("imu", dtype=torch.float16)
    for model, got in ((empty, "torch.float32 on meta"), (half, "torch.float16 on cpu")):
        for adapt in (heads_only, add_lora):
            with pytest.raises(ValueError, match=f"imu: expected loaded .*float32, got {got}"):
                adapt(model, "imu")
        assert all(parameter.requires_grad for parameter in model.parameters())
    model = tiny_model("imu")
    for adapt in (heads_only, add_lora, merge_lora):
        with pytest.raises(ValueError, match=r"audio: expected one of the towers \('imu',\)"):
            adapt(model, "audio")
    with pytest.raises(ValueError, match="rank: expected at least 1, got 0"):
        add_lora(model, "imu", rank=0)
    with pytest.raises(ValueError, match="imu: expected a tower with adapters"):
        merge_lora(model, "imu")
    assert all(parameter.requires_grad for parameter in model.parameters())
    add_lora(model, "imu")
    with pytest.raises(ValueError, match="imu: expected a tower without adapters"):
        add_lora(model, "imu")
