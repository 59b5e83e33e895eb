"""The reference's numbers, and the recipe that says what they were computed from."""

import importlib.util
import json
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.needs import shared


def recipe() -> ModuleType:
    """`fill(state_dict)` and `inputs()`, from the folder of the golden files."""
    spec = importlib.util.spec_from_file_location("recipe", shared("golden/recipe.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def manifest(size: str) -> dict[str, Any]:
    return json.loads(shared(f"golden/{size}_manifest.json").read_text())


def outputs(size: str) -> dict[str, NDArray[np.float32]]:
    with np.load(shared(f"golden/{size}_outputs.npz")) as file:
        return {case: file[case] for case in file.files}


def error(got: NDArray[np.float32], want: NDArray[np.float32]) -> float:
    """Worst absolute difference over largest absolute value."""
    assert got.shape == want.shape
    return float(np.abs(got - want).max() / np.abs(want).max())
