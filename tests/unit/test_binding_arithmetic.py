"""The ways of computing that training takes, against those of live runs."""

import pytest
import torch
from torch.nn import functional

from encoders.binding.draws import Batches
from encoders.binding.start import FLOOR, whiten_stem
from encoders.imagebind import attention
from encoders.imagebind.attention import fused, step_by_step
from encoders.imagebind.config import Tower
from encoders.imagebind.towers import ImuStem, Stem, causal_mask, patch_weight, patches_of
from tests.tiny import inputs, tiny_model


@pytest.mark.parametrize("masked", [False, True])
def test_attention_by_hand_is_the_fused_one(masked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v = torch.randn(3, 7, 2, 9, 4, dtype=torch.float64, requires_grad=True).unbind()
    mask = causal_mask(9).double() if masked else None
    expected = fused(q, k, v, mask)
    torch.testing.assert_close(step_by_step(q, k, v, mask), expected, rtol=1e-12, atol=1e-14)
    # 2 items' scores at a time, and the last one alone.
    monkeypatch.setattr(attention, "_SCORES", 2 * 2 * 9 * 9)
    torch.testing.assert_close(step_by_step(q, k, v, mask), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("tower", ["vision", "audio", "depth", "thermal", "imu"])
def test_training_and_live_runs_compute_the_same(tower: Tower) -> None:
    """With gradients a CPU takes other ways: attention by hand, convolutions as products."""
    model = tiny_model(tower, dtype=torch.float64)
    x = inputs(tower, 3).double()
    with_gradients = model.pooled(tower, x)
    with torch.no_grad():
        without = model.pooled(tower, x)
    assert with_gradients.requires_grad
    torch.testing.assert_close(with_gradients.detach(), without, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("tower", ["vision", "audio"])
def test_left_out_patches_are_not_looked_at(tower: Tower) -> None:
    model = tiny_model(tower, dtype=torch.float64)
    x = inputs(tower, 2).double()
    count = model.get_submodule(f"modality_preprocessors.{tower}")(x).shape[1] - 1
    kept = torch.arange(count)[None].repeat(2, 1)
    with torch.no_grad():
        whole = model.pooled(tower, x)
        torch.testing.assert_close(model.pooled(tower, x, kept.flip(1)), whole)
        part = model.pooled(tower, x, kept[:, 1:])
        changed = x.clone()
        changed[..., :2, :2] += 1  # inside the first patch alone
        torch.testing.assert_close(model.pooled(tower, changed, kept[:, 1:]), part)
    assert not torch.allclose(part, whole)


@pytest.mark.parametrize("tower", list(FLOOR))
def test_a_whitened_stem_gives_every_direction_the_same_weight(tower: Tower) -> None:
    torch.manual_seed(0)
    model = tiny_model(tower, dtype=torch.float64)
    x = inputs(tower, 200).double()
    if tower == "imu":
        x = x * torch.tensor([0.1, 0.1, 0.1, 0.05, 0.05, 0.05]).double()[:, None]
        x[:, 2] += 9.8
    whiten_stem(model, tower, x)
    stem = next(m for m in model.modules() if isinstance(m, Stem | ImuStem))
    rows = functional.linear(patches_of(stem, x), patch_weight(stem)).flatten(0, 1)
    moment = rows.T @ rows / len(rows)
    # Orthogonal rows of unit length, or fewer axes than rows; nothing near the floor in this noise.
    values = torch.linalg.eigvalsh(moment)
    assert FLOOR[tower] <= 1e-3
    nonzero = values[values > 1e-9]
    assert len(nonzero) == min(patch_weight(stem).shape)
    torch.testing.assert_close(nonzero, torch.ones_like(nonzero), rtol=0.02, atol=0)


def test_an_epoch_shows_every_item_once_in_an_order_of_its_own() -> None:
    batches = Batches(20, 5, seed=1)
    epochs = [[int(i) for step in range(4 * e, 4 * e + 4) for i in batches[step]] for e in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(20))
    assert epochs[0] != epochs[1]
    assert Batches(20, 5, seed=1)[6].tolist() == batches[6].tolist()
    assert Batches(20, 5, seed=2)[0].tolist() != batches[0].tolist()
    with pytest.raises(ValueError, match="at least one batch of 5"):
        Batches(4, 5, seed=0)
