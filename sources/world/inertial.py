"""What the robot's IMU reads: a MEMS accelerometer and gyroscope at the body's origin.

The path is a spline, so its derivatives are exact and nothing is differenced.

Errors are those of a good MEMS part (Bosch BMI088, data sheet, typical): a zero offset of 20 mg,
noise 175 ug/sqrt(Hz) and 0.014 deg/s/sqrt(Hz), cross-axis sensitivity 0.5 and 1 percent. Of the
gyroscope's 1 deg/s a third is left, as after the usual averaging at rest when a robot starts.
Offsets and misalignment are drawn with these as standard deviations; the noise is that of a
bandwidth of 145 Hz, the part's at 400 readings a second.
"""

import numpy as np
from numpy.typing import NDArray

from sources.world.motion import PITCH, ROLL, YAW, Motion

STANDARD_GRAVITY = 9.80665
BANDWIDTH_HZ = 145.0
ACCELERATION_OFFSET = 0.020 * STANDARD_GRAVITY
RATE_OFFSET = np.deg2rad(0.3)
ACCELERATION_NOISE = 175e-6 * STANDARD_GRAVITY * BANDWIDTH_HZ**0.5
RATE_NOISE = np.deg2rad(0.014) * BANDWIDTH_HZ**0.5
ACCELERATION_CROSS = 0.005
RATE_CROSS = 0.010


def ideal(motion: Motion, t_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without errors of the sensor: t (n,) -> (n, 6) float64, in body axes x y z.

    Specific force in m/s^2 (the motion less gravity: +9.80665 on z at rest), then the body's rates
    in rad/s. The vibration of the motors is added here, because no camera sees it.
    """
    acceleration = motion.at(t_s, 2)[:, :3]
    path, rate = motion.at(t_s), motion.at(t_s, 1)
    sine, cosine = np.sin(path[:, YAW:]), np.cos(path[:, YAW:])
    (sy, sp, sr), (cy, cp, cr) = sine.T, cosine.T
    out = np.empty((t_s.size, 6))
    # The world's vector turned back by yaw, then pitch, then roll: R transposed.
    fx, fy = acceleration[:, 0], acceleration[:, 1]
    fz = acceleration[:, 2] + STANDARD_GRAVITY
    fx, fy = cy * fx + sy * fy, cy * fy - sy * fx
    fx, fz = cp * fx - sp * fz, sp * fx + cp * fz
    out[:, 0], out[:, 1], out[:, 2] = fx, cr * fy + sr * fz, cr * fz - sr * fy
    yaw, pitch, roll = rate[:, YAW], rate[:, PITCH], rate[:, ROLL]
    out[:, 3] = roll - yaw * sp
    out[:, 4] = pitch * cr + yaw * sr * cp
    out[:, 5] = yaw * cr * cp - pitch * sr
    shake = motion.vibration
    angle = 2 * np.pi * shake.hz * t_s
    # sin(a + b) by the addition theorem: two tones instead of six.
    out += np.sin(angle)[:, None] * (shake.amplitude * np.cos(shake.phase))
    out += np.cos(angle)[:, None] * (shake.amplitude * np.sin(shake.phase))
    return out


def readings(motion: Motion, t_s: NDArray[np.float64], seed: int) -> NDArray[np.float32]:
    """With the errors of the sensor `seed`: t (n,) -> (n, 6) float32, as `ideal`.

    A pure function of each time alone, however the times are cut into blocks.
    """
    rng = np.random.default_rng(seed)
    offset = rng.standard_normal(6) * np.repeat([ACCELERATION_OFFSET, RATE_OFFSET], 3)
    skew = rng.standard_normal((6, 3)) * np.repeat([ACCELERATION_CROSS, RATE_CROSS], 3)[:, None]
    true = ideal(motion, t_s)
    values = true + offset + _noise(t_s, seed) * np.repeat([ACCELERATION_NOISE, RATE_NOISE], 3)
    # Sums by hand: a matrix product may round differently for blocks of another length.
    for axis in range(6):
        for other in range(3):
            values[:, axis] += skew[axis, other] * true[:, axis // 3 * 3 + other]
    return values.astype(np.float32)


def _noise(t_s: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """White, of unit variance, (n, 6): a hash of the microsecond and the axis.

    SplitMix64 (Steele, Lea and Flood 2014); the sum of its four 16-bit words is nearly Gaussian.
    """
    micros = np.rint(t_s * 1e6).astype(np.int64).astype(np.uint64)
    key = np.uint64(seed % 2**64)
    with np.errstate(over="ignore"):
        x = (micros[:, None] * np.uint64(6) + np.arange(6, dtype=np.uint64)) ^ (
            key * np.uint64(0xD1342543DE82EF95)
        )
        x = (x + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    words = x.view(np.uint16).reshape(-1, 6, 4)
    total = words.sum(axis=2, dtype=np.float64)
    # Four uniform words: mean 4 * 65535 / 2, variance 4 * (65536^2 - 1) / 12.
    return (total - 131070.0) / np.sqrt((65536.0**2 - 1) / 3)
