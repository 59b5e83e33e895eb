"""What real sensors make of a perfect view: noise, holes, blur, limits.

Everything is a function of the scene and the frame's number, so a frame looks the same whenever
it is asked for.
"""

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from sources.world.view import View

Key: TypeAlias = tuple[int, int]
"""Scene seed and frame number."""

# An active stereo camera of the RealSense class: blind below 0.2 m, useless beyond 8 m, its error
# grows with the square of the distance, and it loses the far side of edges.
NEAREST_M, FARTHEST_M = 0.2, 8.0
ERROR_PER_M2 = 0.004
# A microbolometer of the Lepton class: 60 mK from frame to frame, half a degree of drift.
NOISE_C, DRIFT_C = 0.06, 0.5


def camera(view: View, key: Key) -> NDArray[np.uint8]:
    """RGB uint8 (H, W, 3): a little blur and the noise of a small sensor in a dim room.

    How noisy, 0.6 to 2.6 % of the range (1.5 to 6.6 levels), is the scene's; white clips.
    """
    rng = np.random.default_rng([*key, 0xCA])
    strength = 0.006 + 0.02 * float(np.random.default_rng([key[0], 0xCA]).random())
    noise = rng.standard_normal(view.colour.shape, dtype=np.float32)
    blurred = cv2.GaussianBlur(view.colour, (3, 3), 0.6)
    # Rounded to the nearest level, and clipped.
    levels = cv2.addWeighted(noise, 255 * strength, blurred, 255, 0, dtype=cv2.CV_8U)
    return np.asarray(levels, np.uint8)


def depth(view: View, key: Key) -> NDArray[np.float32]:
    """Metres float32 (H, W) along the optical axis, 0 where nothing came back.

    Nothing comes back from out of range, from the edges of things and from up to four blots.
    """
    rng = np.random.default_rng([*key, 0xDE])
    metres = view.metres
    error = rng.standard_normal(metres.shape, dtype=np.float32)
    noisy = np.asarray(metres + np.float32(ERROR_PER_M2) * metres * metres * error, np.float32)
    # Stereo sees the edge of a near thing from one side only.
    step = np.abs(metres[:, 1:] - metres[:, :-1]) > 0.08 * metres[:, 1:]
    lost = np.zeros(metres.shape, np.bool_)
    lost[:, 1:] = step
    lost[:, :-1] |= step
    for x, y, size in rng.random((int(rng.integers(0, 5)), 3)):
        # Glare and black cloth: blots without a return.
        centre = int(x * metres.shape[1]), int(y * metres.shape[0])
        blot = np.zeros(metres.shape, np.uint8)
        cv2.circle(blot, centre, int(2 + 0.05 * size * metres.shape[0]), 1, -1)
        lost |= blot.astype(np.bool_)
    lost |= (noisy < NEAREST_M) | (noisy > FARTHEST_M)
    noisy[lost] = 0
    return noisy


def thermal(view: View, key: Key, width: int, height: int) -> NDArray[np.float32]:
    """Degrees Celsius float32 (height, width), from a view at least as large.

    All of a scene is off by the same drift.
    """
    rng = np.random.default_rng([*key, 0x7E])
    drift = DRIFT_C * float(np.random.default_rng([key[0], 0x7E]).uniform(-1, 1))
    small = cv2.resize(view.celsius, (width, height), interpolation=cv2.INTER_AREA)
    blurred = np.asarray(cv2.GaussianBlur(small, (5, 5), 0.8), np.float32)
    noise = rng.standard_normal(blurred.shape, dtype=np.float32)
    return np.asarray(blurred + np.float32(NOISE_C) * noise + np.float32(drift), np.float32)
