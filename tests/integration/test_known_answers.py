"""The released weights answer as their authors printed; and the comparison can tell."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from encoders.imagebind.config import Tower
from encoders.imagebind.model import ImageBindModel
from encoders.imagebind.weights import random_weights
from tests.known_answers import KNOWN, TEXTS, THINGS, answers, differences, inputs
from tests.needs import released_assets, released_weights, shared
from tests.packed import SPEAKING, save_packed
from tests.published_trees import sound

Matrices = dict[str, NDArray[np.float64]]


@pytest.mark.weights
@pytest.mark.timeout(1200)
def test_the_released_weights_answer_as_their_authors_printed() -> None:
    weights, assets = released_weights(), released_assets()
    assert differences(answers(weights, assets)) == []


def known() -> Matrices:
    return {name: np.array(rows, np.float64) for name, rows in KNOWN.items()}


def sharpened(matrix: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """The shares that the same cosines give at another scale."""
    powers = np.maximum(matrix, 1e-30) ** factor
    return powers / powers.sum(axis=1, keepdims=True)


def test_the_printed_numbers_and_what_rounds_to_them_are_right() -> None:
    assert differences(known()) == []
    assert differences({name: sharpened(m, 1.03) for name, m in known().items()}) == []


def mixed_up(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return matrix[[1, 0, 2]]


def even(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.full_like(matrix, 1 / 3)


def not_finite(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.full_like(matrix, np.nan)


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("spoil", [mixed_up, even, not_finite])
def test_another_answer_is_wrong(
    name: str, spoil: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> None:
    got = known()
    got[name] = spoil(got[name])
    wrong = differences(got)
    assert wrong
    assert all(line.startswith(name) for line in wrong)


def test_another_scale_is_wrong_where_the_best_label_is_the_same() -> None:
    for name in ("vision x text", "vision x audio"):
        got = known()
        got[name] = sharpened(got[name], 0.5)
        assert differences(got)
        assert (got[name].argmax(axis=1) == range(3)).all()


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    """Pictures and sounds with the names of the reference's, made up."""
    folder = tmp_path / "assets"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number, thing in enumerate(THINGS):
        noise = rng.integers(0, 255, (60, 90, 3), np.uint8)
        cv2.imwrite(str(folder / f"{thing}_image.jpg"), noise)
        sound(folder / f"{thing}_audio.wav", 300 * (number + 1), 3, rate=44_100)
    return folder


def test_a_made_up_model_goes_the_same_way_and_is_found_out(tmp_path: Path, assets: Path) -> None:
    with torch.device("meta"):
        model = ImageBindModel(**SPEAKING).eval()
    random_weights(model, 0)
    path = save_packed(tmp_path / "made_up.safetensors", dict(model.state_dict()), model=SPEAKING)
    got = answers(path, assets)
    towers: tuple[Tower, ...] = ("vision", "text", "audio")
    with torch.inference_mode():
        vectors = model({tower: inputs(tower, model, assets) for tower in towers})
    raw = {str(tower): vector for tower, vector in vectors.items()}
    assert len(TEXTS) == len(THINGS) == 3
    for name, matrix in got.items():
        row, column = name.split(" x ")
        products = raw[row].double() @ raw[column].double().T
        assert matrix == pytest.approx(products.softmax(dim=1).numpy(), abs=1e-6), name
    assert differences(got), "random weights know no dog"


def test_the_table_is_that_of_the_facts() -> None:
    facts = json.loads(shared("facts/known_answers.json").read_text())
    assert list(TEXTS) == facts["texts"]
    for name, rows in KNOWN.items():
        assert [list(row) for row in rows] == facts[name.replace(" ", "_")]
