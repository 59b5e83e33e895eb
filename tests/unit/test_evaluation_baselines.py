"""Baselines: thumbnails tile by tile, centroids that find what is there to find."""

import numpy as np
import pytest
from numpy.typing import NDArray

from encoders.binding.evaluate.baselines import (
    Measured,
    baselines,
    best,
    measure,
    nearest_centroid,
    thumbnail,
)
from streamer.types import (
    AudioBlock,
    Data,
    ImuBlock,
    Modality,
    Moment,
    Quality,
    Sample,
    Span,
    Window,
)

S = 1_000_000_000


def window(modality: Modality, data: Data, seconds: int = 2) -> Window:
    sample = Sample(modality, modality, 0, seconds * S, data)
    return Window(modality, modality, Span(0, seconds * S), (sample,), Quality(1.0))


def moment(seed: int = 0) -> Moment:
    rng = np.random.default_rng(seed)
    t_ns = np.arange(1000, dtype=np.int64) * (5 * S // 1000)
    depth = rng.uniform(1, 5, (48, 64)).astype(np.float32)
    depth[:10] = 0
    return Moment(
        windows={
            "vision": window("vision", rng.integers(0, 255, (48, 64, 3), np.uint8)),
            "audio": window(
                "audio", AudioBlock(rng.normal(size=32_000).astype(np.float32), 16_000)
            ),
            "depth": window("depth", depth),
            "thermal": window("thermal", rng.uniform(10, 40, (24, 32)).astype(np.float32)),
            "imu": window("imu", ImuBlock(t_ns, rng.normal(size=(1000, 6)).astype(np.float32)), 5),
        },
        present={"vision": ("a",)},
    )


def test_thumbnail_is_the_mean_of_each_tile_of_the_middle_square() -> None:
    rng = np.random.default_rng(0)
    picture, valid = rng.normal(size=(50, 84, 3)), rng.random((50, 84)) < 0.5
    valid[1:7, 18:24] = False
    found = thumbnail(picture, valid).reshape(8, 8, 3)
    # 48 of 50 rows from 1 on, 48 of 84 columns from 18 on.
    for row in range(8):
        for column in range(8):
            cut = slice(1 + 6 * row, 7 + 6 * row), slice(18 + 6 * column, 24 + 6 * column)
            inside = picture[cut][valid[cut]]
            if (row, column) == (0, 0):
                inside = picture[1:49, 18:66][valid[1:49, 18:66]]
            assert found[row, column] == pytest.approx(inside.mean(axis=0))


def test_what_is_measured_of_a_moment() -> None:
    one = moment()
    features = measure(one).features
    shapes = {(m, name): x.shape for m, each in features.items() for name, x in each.items()}
    assert shapes == {
        ("vision", "8x8 colour"): (192,),
        ("audio", "mean spectrum"): (128,),
        ("depth", "mean depth"): (1,),
        ("depth", "8x8 depth"): (64,),
        ("thermal", "mean heat"): (1,),
        ("thermal", "8x8 heat"): (64,),
        ("imu", "variance"): (6,),
    }
    depth = one.windows["depth"].samples[0].data
    assert isinstance(depth, np.ndarray)
    assert features["depth"]["mean depth"] == pytest.approx(depth[10:].mean(dtype=np.float64))
    values = one.windows["imu"].samples[0].data
    assert isinstance(values, ImuBlock)
    by_hand = (values.values.astype(np.float64) ** 2).mean(axis=0)
    by_hand -= values.values.mean(axis=0, dtype=np.float64) ** 2
    assert features["imu"]["variance"] == pytest.approx(by_hand)


def test_nearest_centroid_by_distance() -> None:
    rng = np.random.default_rng(1)
    x, y, asked = rng.normal(size=(40, 5)), rng.integers(0, 4, 40), rng.normal(size=(30, 5))
    centroids = [x[y == c].mean(axis=0) for c in range(4)]
    expected = [int(np.argmin([np.linalg.norm(a - c) for c in centroids])) for a in asked]
    assert nearest_centroid(x, y, asked).tolist() == expected


def shaking(scale: dict[str, float], n: int, seed: int) -> list[Measured]:
    """Scenes whose IMU variance is that of their concept, times a random factor around 1."""
    rng = np.random.default_rng(seed)

    def variance(name: str) -> NDArray[np.float64]:
        return scale[name] * np.exp(rng.normal(size=6))

    return [
        Measured({"imu": {"variance": variance(name)}}, {"vision": (name,), "imu": (name,)})
        for _ in range(n)
        for name in scale
    ]


def test_the_best_scaling_counts() -> None:
    scale = {"still": 0.001, "rolling": 0.03, "bumping": 1.0}
    found = baselines(shaking(scale, 60, 0), shaking(scale, 60, 1), {"imu": list(scale)})
    by_scaling = {each.scaling: each.accuracy.value for each in found}
    assert by_scaling["log, standardised"] > 0.95 > by_scaling["as it is"]
    winner = best(found, "imu")
    assert winner is not None
    assert (winner.scaling, winner.accuracy.n) == ("log, standardised", 180)
    assert winner.chance == pytest.approx(1 / 3)
    assert best(found, "audio") is None


def test_only_scenes_of_one_concept_that_shows_are_counted() -> None:
    scale = {"a": 1.0, "b": 9.0}
    known = shaking(scale, 30, 0)
    features = known[0].features
    others = [
        Measured(features, {"vision": ("a", "b"), "imu": ("a",)}),
        Measured(features, {"vision": ("c",), "imu": ("c",)}),
        Measured(features, {"vision": ("a",), "imu": ()}),
        Measured({}, {"vision": ("a",), "imu": ("a",)}),
    ]
    found = baselines(known, [*shaking(scale, 10, 1), *others], {"imu": ["a", "b"]})
    assert {each.accuracy.n for each in found} == {20}
