"""Messages of ROS, read by the definitions that come with them, against what `rosbags` writes."""

import struct
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.typesys import Stores, get_typestore

from sources.replay.messages import known
from sources.replay.messages.definition import Struct, parse
from sources.replay.messages.ros import read
from sources.replay.messages.stamps import stamp_of

STORES = {1: get_typestore(Stores.ROS1_NOETIC), 2: get_typestore(Stores.ROS2_HUMBLE)}


def written(name: str, version: int, fields: dict[str, Any], order: str = "little") -> bytes:
    store = STORES[version]
    stamp = store.types["builtin_interfaces/msg/Time"](12, 34)
    head = store.types["std_msgs/msg/Header"]
    header = head(7, stamp, "abc") if version == 1 else head(stamp, "abc")
    message = store.types[name](header=header, **fields)
    if version == 1:
        return bytes(store.serialize_ros1(message, name))
    return bytes(store.serialize_cdr(message, name, little_endian=order == "little"))


def layout(name: str, version: int) -> Struct:
    definition, _ = STORES[version].generate_msgdef(name, ros_version=version)
    return parse(name, definition)


IMAGE = {
    "height": 2,
    "width": 3,
    "encoding": "mono8",
    "is_bigendian": 0,
    "step": 3,
    "data": np.arange(6, dtype=np.uint8),
}


@pytest.mark.parametrize("version", [1, 2])
def test_an_image_is_read_as_it_was_written(version: int) -> None:
    payload = written("sensor_msgs/msg/Image", version, IMAGE)
    fields, trailing = read(payload, layout("sensor_msgs/msg/Image", version), cdr=version == 2)
    assert trailing == 0
    assert bytes(fields["data"]) == bytes(range(6))
    assert (fields["height"], fields["width"], fields["encoding"]) == (2, 3, "mono8")
    assert stamp_of(fields) == 12 * 10**9 + 34


@pytest.mark.parametrize("version", [1, 2])
def test_what_is_known_of_an_image_is_what_its_definition_says(version: int) -> None:
    payload = written("sensor_msgs/msg/Image", version, IMAGE)
    told = known.layout("sensor_msgs/msg/Image", cdr=version == 2)
    assert told is not None
    own, _ = read(payload, told, cdr=version == 2)
    theirs, _ = read(payload, layout("sensor_msgs/msg/Image", version), cdr=version == 2)
    assert own == theirs


def test_the_pixels_are_a_view_of_the_message() -> None:
    payload = written("sensor_msgs/msg/Image", 2, IMAGE)
    fields, _ = read(payload, layout("sensor_msgs/msg/Image", 2), cdr=True)
    assert isinstance(fields["data"], memoryview)
    assert fields["data"].obj is payload


@pytest.mark.parametrize("order", ["little", "big"])
def test_numbers_lie_at_multiples_of_their_size_in_both_byte_orders(order: str) -> None:
    types = STORES[2].types
    vector = types["geometry_msgs/msg/Vector3"]
    fields = {
        "orientation": types["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0),
        "orientation_covariance": np.arange(9.0),
        "angular_velocity": vector(1.0, 2.0, 3.0),
        "angular_velocity_covariance": np.zeros(9),
        "linear_acceleration": vector(4.0, 5.0, 9.81),
        "linear_acceleration_covariance": np.zeros(9),
    }
    payload = written("sensor_msgs/msg/Imu", 2, fields, order)
    told, trailing = read(payload, layout("sensor_msgs/msg/Imu", 2), cdr=True)
    assert trailing == 0
    assert told["linear_acceleration"] == {"x": 4.0, "y": 5.0, "z": 9.81}
    np.testing.assert_array_equal(told["orientation_covariance"], np.arange(9.0))


def test_bytes_behind_a_message_are_counted_and_do_no_harm() -> None:
    payload = written("sensor_msgs/msg/Image", 1, IMAGE)
    fields, trailing = read(payload + b"\0\0\0\0", layout("sensor_msgs/msg/Image", 1), cdr=False)
    assert trailing == 4
    assert bytes(fields["data"]) == bytes(range(6))


@settings(deadline=None)
@given(cut=st.integers(0, 70), version=st.sampled_from([1, 2]))
def test_a_message_that_is_cut_off_is_an_error_and_never_a_shorter_message(
    cut: int, version: int
) -> None:
    payload = written("sensor_msgs/msg/Image", version, IMAGE)
    with pytest.raises(ValueError, match=r"cut off|left|CDR"):
        read(payload[: min(cut, len(payload) - 1)], layout("sensor_msgs/msg/Image", version),
             cdr=version == 2)  # fmt: skip


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from([1, 2]))
def test_any_bytes_are_a_message_or_a_value_error(payload: bytes, version: int) -> None:
    with suppress(ValueError):
        read(payload, layout("sensor_msgs/msg/Image", version), cdr=version == 2)


def test_a_length_that_is_not_there_is_not_believed() -> None:
    told = parse("p/Many", "uint8[] data\nfloat64[] numbers\nstring[] texts")
    with pytest.raises(ValueError, match="left"):
        read(struct.pack("<I", 0xFFFFFFF0), told, cdr=False)
    with pytest.raises(ValueError, match="elements"):
        read(struct.pack("<III", 0, 0, 0xFFFFFFF0), told, cdr=False)


def test_definitions_have_constants_comments_bounds_and_defaults() -> None:
    text = """# a comment
uint8 KIND=3  # a constant
string NAME = "a#b"
string<=10 name "nobody"
uint8[<=4] few
float64[2] pair [0.0, 1.0]   # a default
Part part
duration long
=======
MSG: pkg/Part
int16 x 5
"""
    payload = (
        struct.pack("<I", 2) + b"ab" + struct.pack("<I", 1) + b"\x07"
        + struct.pack("<ddh", 1.5, 2.5, -3) + struct.pack("<II", 1, 2)
    )  # fmt: skip
    fields, trailing = read(payload, parse("pkg/msg/Whole", text), cdr=False)
    assert trailing == 0
    assert fields["name"] == "ab"
    assert bytes(fields["few"]) == b"\x07"
    assert fields["pair"].tolist() == [1.5, 2.5]
    assert fields["part"] == {"x": -3}
    assert fields["long"] == 10**9 + 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Other other", "without Other"),
        ("uint8 a\n===\nnobody", "begins with 'nobody'"),
        ("what is this?!", "without what"),
        ("=1", "reads '=1'"),
        ("Me me", "levels"),
    ],
    ids=["unknown type", "unknown section", "no type", "no field", "of itself"],
)
def test_a_definition_that_cannot_be_used_says_why(text: str, said: str) -> None:
    sections = f"{text}\n====\nMSG: p/Me\nMe me" if "Me" in text else text
    with pytest.raises(ValueError, match=said):
        parse("p/Root", sections)
