"""The six towers agree with the published implementation."""

import torch

from encoders.imagebind.config import TOWERS
from encoders.imagebind.model import ImageBindModel
from tests import golden


def test_a_small_model_gives_the_reference_numbers_for_every_case():
    small = golden.manifest("small")
    model = ImageBindModel(**small["config"]).eval()
    state = model.state_dict()
    assert {name: list(tensor.shape) for name, tensor in state.items()} == small["state_dict"]
    recipe = golden.recipe()
    recipe.fill(state)
    want = golden.outputs("small")
    cases = recipe.inputs()
    assert cases.keys() == want.keys()
    with torch.no_grad():
        for case, (tower, x) in cases.items():
            got = model({tower: x})[tower].numpy()
            assert golden.error(got, want[case]) <= 2e-5, case


def test_the_default_is_imagebind_huge():
    with torch.device("meta"):
        model = ImageBindModel()
    names = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    assert names == golden.manifest("huge")["state_dict"]
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 1) == 1200.8


def test_each_tower_alone_has_its_share_of_the_reference_names():
    small = golden.manifest("small")
    seen: list[str] = []
    for tower in TOWERS:
        with torch.device("meta"):
            seen += ImageBindModel([tower], **small["config"]).state_dict()
    assert sorted(seen) == sorted(small["state_dict"])
