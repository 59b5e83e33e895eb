"""The arithmetic of a model's memory against models that were built, and published shapes."""

import math
from collections import Counter
from typing import Any

import pytest

from encoders.imagebind import footprint
from encoders.imagebind.checkpoint import tower_of
from encoders.imagebind.config import TOWERS, ModelConfig
from encoders.imagebind.model import ImageBindModel
from tests import golden
from tests.tiny import TINY, tiny_model
from tests.toy import SIZES

UNEVEN = {
    **TINY,
    **{f"{tower}_num_blocks": number for number, tower in enumerate(TOWERS, 1)},
    **{f"{tower}_embed_dim": 12 * number for number, tower in enumerate(TOWERS, 1)},
}


@pytest.mark.parametrize("sizes", [TINY, SIZES, UNEVEN], ids=["tiny", "toy", "uneven"])
def test_every_number_of_a_tower_is_counted(sizes: dict[str, Any]) -> None:
    config = ModelConfig.model_validate(sizes)
    for tower in TOWERS:
        state = ImageBindModel([tower], **sizes).state_dict()
        assert footprint.parameters(config, tower) == sum(t.numel() for t in state.values())


def test_imagebind_huge_has_the_numbers_that_were_published() -> None:
    shapes = golden.manifest("huge")["state_dict"]
    published: Counter[str] = Counter()
    for name, shape in shapes.items():
        published[str(tower_of(name))] += math.prod(shape)
    huge = ModelConfig()
    assert {tower: footprint.parameters(huge, tower) for tower in TOWERS} == published
    assert footprint.weights_bytes(huge, TOWERS, 4) == pytest.approx(4.8e9, rel=0.01)


def test_tokens_are_those_that_the_positions_are_for() -> None:
    config = ModelConfig.model_validate(TINY)
    for tower in TOWERS:
        state = tiny_model(tower).state_dict()
        (positions,) = (t for name, t in state.items() if name.endswith("pos_embed"))
        assert footprint.tokens(config, tower) == positions.shape[1]


def test_sizes_that_no_machine_holds_are_computed_in_no_time() -> None:
    config = ModelConfig(vision_embed_dim=1_000_000, vision_num_blocks=1_000_000)
    # Twelve times the width squared a block, in four bytes each: 48 exabytes.
    assert footprint.weights_bytes(config, ["vision"], 4) == pytest.approx(4.8e19, rel=1e-3)
