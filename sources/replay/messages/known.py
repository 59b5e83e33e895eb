"""Definitions of the messages that samples are made of, for logs that came without any.

ROS 2 bags as SQLite have none, and some writers of MCAP leave them empty.
"""

from sources.replay.messages.definition import Struct, parse

_HEADER_1 = "MSG: std_msgs/Header\nuint32 seq\ntime stamp\nstring frame_id"
_HEADER_2 = "MSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\nstring frame_id"

_RULE = "\n" + "=" * 80 + "\n"
_QUATERNION = "MSG: geometry_msgs/Quaternion\nfloat64 x\nfloat64 y\nfloat64 z\nfloat64 w"
_VECTOR = "MSG: geometry_msgs/Vector3\nfloat64 x\nfloat64 y\nfloat64 z"
_SOUND = "MSG: audio_common_msgs/AudioData\nuint8[] data"

_IMAGE = """std_msgs/Header header
uint32 height
uint32 width
string encoding
uint8 is_bigendian
uint32 step
uint8[] data"""
_IMU = """std_msgs/Header header
geometry_msgs/Quaternion orientation
float64[9] orientation_covariance
geometry_msgs/Vector3 angular_velocity
float64[9] angular_velocity_covariance
geometry_msgs/Vector3 linear_acceleration
float64[9] linear_acceleration_covariance"""
_INFO = """uint8 channels
uint32 sample_rate
string sample_format
uint32 bitrate
string coding_format"""

_TEXTS: dict[str, tuple[str, ...]] = {
    "sensor_msgs/Image": (_IMAGE,),
    "sensor_msgs/CompressedImage": ("std_msgs/Header header\nstring format\nuint8[] data",),
    "sensor_msgs/Imu": (_IMU, _QUATERNION, _VECTOR),
    "audio_common_msgs/AudioData": ("uint8[] data",),
    "audio_common_msgs/AudioDataStamped": ("std_msgs/Header header\nAudioData audio", _SOUND),
    "audio_common_msgs/AudioInfo": (_INFO,),
}


def layout(name: str, *, cdr: bool) -> Struct | None:
    """Of `package/Type` or `package/msg/Type`; None where it is none of these."""
    package, _, rest = name.partition("/")
    texts = _TEXTS.get(f"{package}/{rest.rpartition('/')[-1]}")
    if texts is None:
        return None
    return parse(name, _RULE.join([*texts, _HEADER_2 if cdr else _HEADER_1]))
