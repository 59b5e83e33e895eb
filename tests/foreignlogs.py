"""Logs as other programs write them, by the plain libraries of MCAP, ROS and Foxglove."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from mcap.writer import CompressionType, Writer
from mcap_protobuf.schema import build_file_descriptor_set
from numpy.typing import NDArray
from rosbags.typesys import Stores, get_typestore

T0_NS = 1_700_000_000_000_000_000
"""When these logs begin."""


class ForeignWriter:
    """Channels are made as they are met."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._channels: dict[tuple[str, str], int] = {}
        self._ros1 = get_typestore(Stores.ROS1_NOETIC)
        self._ros2 = get_typestore(Stores.ROS2_HUMBLE)

    def raw(
        self,
        topic: str,
        encoding: str,
        schema: tuple[str, str, bytes] | None,
        log_ns: int,
        payload: bytes,
    ) -> None:
        key = topic, encoding
        if key not in self._channels:
            number = self._writer.register_schema(*schema) if schema else 0
            self._channels[key] = self._writer.register_channel(topic, encoding, number)
        self._writer.add_message(self._channels[key], log_ns, payload, log_ns)

    def protobuf(self, topic: str, log_ns: int, message: Any, stamp_ns: int | None = None) -> None:
        stamp = message.timestamp
        stamp.seconds, stamp.nanos = divmod(log_ns if stamp_ns is None else stamp_ns, 10**9)
        definition = build_file_descriptor_set(type(message)).SerializeToString()
        schema = message.DESCRIPTOR.full_name, "protobuf", definition
        self.raw(topic, "protobuf", schema, log_ns, message.SerializeToString())

    def json(self, topic: str, log_ns: int, name: str, fields: dict[str, Any]) -> None:
        schema = name, "jsonschema", b'{"type": "object"}'
        self.raw(topic, "json", schema, log_ns, json.dumps(fields).encode())

    def ros(
        self,
        topic: str,
        log_ns: int,
        name: str,
        fields: dict[str, Any],
        *,
        version: int = 2,
        stamp_ns: int | None = None,
        trailing: bytes = b"",
    ) -> None:
        """`name` as in ROS 2. The header is made here."""
        store = self._ros2 if version == 2 else self._ros1
        stamp = divmod(log_ns if stamp_ns is None else stamp_ns, 10**9)
        time = store.types["builtin_interfaces/msg/Time"](*stamp)
        header_type = store.types["std_msgs/msg/Header"]
        header = header_type(time, "here") if version == 2 else header_type(7, time, "here")
        message = store.types[name](header=header, **fields)
        definition, _ = store.generate_msgdef(name, ros_version=version)
        if version == 2:
            payload, encoding, told = bytes(store.serialize_cdr(message, name)), "cdr", name
        else:
            payload, encoding = bytes(store.serialize_ros1(message, name)), "ros1"
            told = name.replace("/msg/", "/")
        schema = told, f"ros{version}msg", definition.encode()
        self.raw(topic, encoding, schema, log_ns, payload + trailing)

    def image(
        self,
        topic: str,
        log_ns: int,
        encoding: str,
        pixels: NDArray[Any],
        **how: Any,
    ) -> None:
        """`sensor_msgs/Image` of an array (H, W) or (H, W, C)."""
        fields = {
            "height": pixels.shape[0],
            "width": pixels.shape[1],
            "encoding": encoding,
            "is_bigendian": int(pixels.dtype.byteorder == ">"),
            "step": pixels.strides[0],
            "data": np.frombuffer(pixels.tobytes(), np.uint8),
        }
        self.ros(topic, log_ns, "sensor_msgs/msg/Image", fields, **how)

    def imu(
        self,
        topic: str,
        log_ns: int,
        values: tuple[float, ...],
        unknown: tuple[str, ...] = (),
        **how: Any,
    ) -> None:
        """`sensor_msgs/Imu`: acceleration x y z, rate x y z."""
        types = (self._ros2 if how.get("version", 2) == 2 else self._ros1).types
        vector = types["geometry_msgs/msg/Vector3"]
        fields = {
            "orientation": types["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0),
            "orientation_covariance": np.zeros(9),
            "linear_acceleration": vector(*values[:3]),
            "linear_acceleration_covariance": np.zeros(9),
            "angular_velocity": vector(*values[3:]),
            "angular_velocity_covariance": np.zeros(9),
        }
        for name in unknown:
            fields[f"{name}_covariance"] = np.array([-1.0] + [0.0] * 8)
        self.ros(topic, log_ns, "sensor_msgs/msg/Imu", fields, **how)


@contextmanager
def foreign(path: Path, **how: Any) -> Generator[ForeignWriter, None, None]:
    """An MCAP of the plain library, LZ4 unless told otherwise."""
    settings: dict[str, Any] = {"compression": CompressionType.LZ4, "chunk_size": 4096, **how}
    with path.open("wb") as file:
        writer = Writer(file, **settings)
        writer.start(profile="", library="tests")
        yield ForeignWriter(writer)
        writer.finish()
