"""The built-in model tells how its motion was read in training from how it was not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from encoders.choosing import LENGTH, choose_imu, decided
from encoders.imagebind.preprocess.imu import ImuInput
from encoders.imagebind.runtime import ImageBindEncoder
from sources.world.concepts import MOTIONS
from sources.world.moments import moment
from sources.world.scene import draw

TRAINED = {
    "order": "accelerometer gyroscope",
    "acceleration": "m/s^2",
    "rotation": "rad/s",
    "gravity": "keep",
    "axes": "x y z",
}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_readings_of_training_are_found_among_all_others() -> None:
    names = [MOTIONS[i % len(MOTIONS)] for i in range(96)]
    settings = ImageBindEncoder(weights="builtin", device="cpu", precision="fp32")
    with settings.open(["vision", "imu"], text=False) as model:
        windows = [
            moment(draw(7_000_000 + i, (name,)), ("vision", "imu"), ()).windows
            for i, name in enumerate(names)
        ]
        both = [each for each in windows if "vision" in each and "imu" in each]
        pictures = model.encode([each["vision"] for each in both])

        def read(imu: ImuInput, length_s: float) -> NDArray[np.float32]:
            assert length_s == 5
            return model.reading(imu=imu).encode([each["imu"] for each in both])

        groups = np.arange(len(both), dtype=np.intp)
        found = choose_imu(pictures, read, groups, ImuInput(), [5.0], 0)
        # What is known is not varied.
        known = ImuInput(axes="x y z", order="accelerometer gyroscope")
        (fewer,) = choose_imu(pictures, read, groups, known, [5.0], 0)
    assert decided(found) == TRAINED
    first, turned = found
    assert (len(first.candidates), len(turned.candidates)) == (16, 24)
    assert first.matched.by_chance < 0.01
    assert {c[LENGTH] for c in first.candidates} == {"5.0"}
    assert len(fewer.candidates) == 8
    assert {c["order"] for c in fewer.candidates} == {"accelerometer gyroscope"}
