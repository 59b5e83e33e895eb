"""The windows of a moment: shapes, units, spans and stamps, and what the sensors give at those."""

from itertools import chain

import numpy as np
import pytest

from sources.world import inertial, sensors
from sources.world.moments import (
    LENGTH_S,
    RENDERED,
    THERMAL,
    WorldMoments,
    frame_key,
    truth,
)
from sources.world.sound import soundtrack
from sources.world.view import look
from streamer.types import (
    MODALITIES,
    NS_PER_S,
    AudioBlock,
    ImuBlock,
    Modality,
    Moment,
    pixels,
)
from tests.scenes import mixture

FRAME_NS = round(NS_PER_S / 30)


@pytest.fixture(scope="module")
def full() -> Moment:
    """A moment in which every sense perceives something."""
    index = next(i for i, s in enumerate(mixture()) if all(truth(s).values()))
    return WorldMoments(5, 48)[index]


def test_what_is_in_the_windows_is_what_the_sensors_give_at_their_stamps(full: Moment) -> None:
    scene = next(s for s in mixture() if all(truth(s).values()))
    for sample in chain.from_iterable(window.samples for window in full.windows.values()):
        t_s = sample.t_ns / NS_PER_S
        match sample.data:
            case AudioBlock(samples):
                heard = soundtrack(scene.voices, scene.ambience, t_s, samples.size)
                np.testing.assert_array_equal(samples, heard)
            case ImuBlock(t_ns, values):
                felt = inertial.readings(scene.motion, t_ns / NS_PER_S, scene.seed)
                np.testing.assert_allclose(values, felt, rtol=1e-5, atol=1e-5)
            case _:
                view, key = look(scene, t_s, *RENDERED), frame_key(scene, t_s)
                expected = {
                    "vision": sensors.camera(view, key),
                    "depth": sensors.depth(view, key),
                    "thermal": sensors.thermal(view, key, *THERMAL),
                }[sample.modality]
                # A nanosecond of rounding in the stamp, not more.
                away = np.abs(pixels(sample).astype(float) - expected)
                assert np.mean(away > 1e-3) < 0.001


@pytest.mark.parametrize("modality", MODALITIES)
def test_windows_end_together_and_are_filled(full: Moment, modality: Modality) -> None:
    window = full.windows[modality]
    ends = {each.span.end_ns for each in full.windows.values()}

    assert len(ends) == 1
    assert window.span.length_ns == LENGTH_S[modality] * NS_PER_S
    assert window.span.length_ns == (5 if modality == "imu" else 2) * NS_PER_S
    assert window.modality == window.stream == modality
    assert window.quality.coverage == 1
    for sample in window.samples:
        assert (sample.stream, sample.modality) == (modality, modality)
        assert window.span.start_ns <= sample.t_ns < sample.end_ns <= window.span.end_ns


@pytest.mark.parametrize(
    ("modality", "shape", "dtype", "low", "high"),
    [
        ("vision", (192, 256, 3), np.uint8, 0, 255),
        ("depth", (192, 256), np.float32, 0, 8),
        ("thermal", (120, 160), np.float32, -12, 330),
    ],
)
def test_pictures(
    full: Moment, modality: Modality, shape: tuple[int, ...], dtype: type, low: float, high: float
) -> None:
    window = full.windows[modality]
    last_ns = window.span.end_ns - FRAME_NS
    stamps = [window.span.start_ns, last_ns] if modality == "vision" else [last_ns]

    assert [sample.t_ns for sample in window.samples] == stamps
    for sample in window.samples:
        picture = pixels(sample)
        assert sample.duration_ns == FRAME_NS
        assert (picture.shape, picture.dtype) == (shape, dtype)
        assert low <= picture.min() < picture.max() <= high
        assert picture.std() > 0.3


def test_sound(full: Moment) -> None:
    (sample,) = full.windows["audio"].samples

    assert isinstance(sample.data, AudioBlock)
    assert (sample.t_ns, sample.end_ns) == (
        full.windows["audio"].span.start_ns, full.windows["audio"].span.end_ns,
    )  # fmt: skip
    assert sample.data.rate_hz == 16000
    assert (sample.data.samples.shape, sample.data.samples.dtype) == ((32000,), np.float32)
    assert 1e-3 < np.abs(sample.data.samples).max() <= 1


def test_inertial_readings(full: Moment) -> None:
    (sample,) = full.windows["imu"].samples
    block = sample.data

    assert isinstance(block, ImuBlock)
    assert (block.values.shape, block.values.dtype) == ((1000, 6), np.float32)
    np.testing.assert_array_equal(block.t_ns, sample.t_ns + np.arange(1000) * 5_000_000)
    assert sample.end_ns == full.windows["imu"].span.end_ns
    # It feels its weight, whatever it does.
    weight = np.linalg.norm(block.values[:, :3].astype(np.float64).mean(axis=0))
    assert weight == pytest.approx(9.81, abs=0.5)
