"""imagebind_huge agrees with the published implementation, one tower in memory at a time."""

import pytest
import torch

from encoders.imagebind.config import TOWERS, Tower
from encoders.imagebind.model import ImageBindModel
from tests import golden


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("tower", TOWERS)
def test_a_tower_of_imagebind_huge_gives_the_reference_numbers(tower: Tower):
    model = ImageBindModel([tower]).eval()
    recipe = golden.recipe()
    recipe.fill(model.state_dict())
    want = golden.outputs("huge")
    cases = {case: x for case, (of, x) in recipe.inputs().items() if of == tower}
    assert cases
    with torch.no_grad():
        for case, x in cases.items():
            got = model({tower: x})[tower].numpy()
            assert golden.error(got, want[case]) <= 2e-4, case
