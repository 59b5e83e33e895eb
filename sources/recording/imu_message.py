"""`sensor_msgs/msg/Imu` in CDR, one reading a message: axes of REP 103, m/s^2 and rad/s.

All messages of a channel have the same layout, so a block of them is read with one look.
"""

import struct
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from streamer.types import NS_PER_S, ImuBlock

FRAME_ID = b"imu"
SCHEMA_NAME = "sensor_msgs/msg/Imu"
SCHEMA = b"""std_msgs/Header header
geometry_msgs/Quaternion orientation
float64[9] orientation_covariance
geometry_msgs/Vector3 angular_velocity
float64[9] angular_velocity_covariance
geometry_msgs/Vector3 linear_acceleration
float64[9] linear_acceleration_covariance
================================================================================
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
================================================================================
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
================================================================================
MSG: geometry_msgs/Quaternion
float64 x 0
float64 y 0
float64 z 0
float64 w 1
================================================================================
MSG: geometry_msgs/Vector3
float64 x
float64 y
float64 z
"""

# Behind the four bytes that say "CDR, little-endian": stamp, text with its length and its zero,
# filled up to a multiple of eight, then numbers.
_HEAD = struct.Struct(f"<4siII{len(FRAME_ID) + 1}s")
_LITTLE_ENDIAN = b"\x00\x01\x00\x00"
_NUMBERS = 4 + 9 + 3 + 9 + 3 + 9
SIZE = _HEAD.size + 8 * _NUMBERS
_UNKNOWN = np.array([-1.0] + [0.0] * 8)
_LATEST_S = 2**31 - 1


def encode(block: ImuBlock) -> Iterator[bytes]:
    """A message for each reading. The orientation is marked as unknown, as the message defines."""
    numbers = np.zeros((len(block.t_ns), _NUMBERS))
    numbers[:, 3] = 1
    numbers[:, 4:13] = _UNKNOWN
    numbers[:, 13:16] = block.values[:, 3:]
    numbers[:, 25:28] = block.values[:, :3]
    for t_ns, row in zip(block.t_ns.tolist(), numbers, strict=True):
        # The header ends in 2038; the log's own stamps do not.
        seconds = min(t_ns // NS_PER_S, _LATEST_S)
        head = _HEAD.pack(
            _LITTLE_ENDIAN, seconds, t_ns % NS_PER_S, len(FRAME_ID) + 1, FRAME_ID + b"\0"
        )
        yield head + row.tobytes()


def decode(payloads: Sequence[bytes]) -> NDArray[np.float32]:
    """(n, 6): acceleration, then angular rate. Raises ValueError for any other size of message."""
    if any(len(payload) != SIZE for payload in payloads):
        raise ValueError(f"expected messages of {SIZE} bytes")
    rows = np.frombuffer(b"".join(payloads), np.uint8).reshape(len(payloads), SIZE)
    numbers = np.ascontiguousarray(rows[:, _HEAD.size :]).view("<f8")
    with np.errstate(all="ignore"):  # a log may hold anything
        return np.concatenate([numbers[:, 25:28], numbers[:, 13:16]], axis=1).astype(np.float32)
