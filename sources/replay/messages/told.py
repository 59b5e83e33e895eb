"""What the messages of a channel say, whatever they are encoded in: fields by name."""

import json
from collections.abc import Callable
from typing import Any, TypeAlias, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from sources.replay.messages import known, ros
from sources.replay.messages.definition import parse
from sources.replay.messages.ros import Fields
from streamer.logfile import ChannelSpec, Schema

Teller: TypeAlias = Callable[[bytes], tuple[Fields, int]]
"""The fields of a message, and how many bytes follow its end. Raises ValueError."""

_DEEPEST = 4
_LARGEST_JSON = 64 << 20


def teller(spec: ChannelSpec) -> tuple[Teller, frozenset[str] | None]:
    """How to read the channel, and which fields there will be; None: the messages will tell.

    Raises ValueError for what cannot be read, naming it.
    """
    schema = spec.schema
    if spec.encoding in ("ros1", "cdr"):
        if schema is None:
            raise ValueError("messages without a type")
        return _ros(schema, cdr=spec.encoding == "cdr")
    if spec.encoding == "protobuf":
        if schema is None or schema.encoding != "protobuf":
            raise ValueError("messages without a type")
        return _protobuf(schema)
    if spec.encoding == "json":
        return _json, None
    raise ValueError(f"unknown encoding {spec.encoding[:20]!r}")


def _ros(schema: Schema, *, cdr: bool) -> tuple[Teller, frozenset[str]]:
    layout = None
    if schema.data.strip() and schema.encoding in ("ros1msg", "ros2msg"):
        layout = parse(schema.name, schema.data.decode(errors="replace"))
    else:
        layout = known.layout(schema.name, cdr=cdr)
    if layout is None:
        raise ValueError(f"no definition of {schema.name[:60]}")
    names = frozenset(field.name for field in layout)
    return lambda payload: ros.read(payload, layout, cdr=cdr), names


def _protobuf(schema: Schema) -> tuple[Teller, frozenset[str]]:
    try:
        pool = DescriptorPool()
        waiting = list(FileDescriptorSet.FromString(schema.data).file)
        here = {file.name for file in waiting}
        done: set[str] = set()
        while waiting:
            ready = [f for f in waiting if all(d in done or d not in here for d in f.dependency)]
            if not ready:
                raise ValueError("files that need each other")
            for file in ready:
                pool.Add(file)  # pyright: ignore[reportUnknownMemberType]
                done.add(file.name)
            waiting = [file for file in waiting if file.name not in done]
        kind = GetMessageClass(pool.FindMessageTypeByName(schema.name))
    except (DecodeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"no usable definition of {schema.name[:60]}: {_short(error)}") from None

    def tell(payload: bytes) -> tuple[Fields, int]:
        try:
            return _fields(kind.FromString(payload), 0), 0
        except DecodeError as error:
            raise ValueError(f"not a {schema.name[:60]}: {_short(error)}") from None

    return tell, frozenset(kind.DESCRIPTOR.fields_by_name)


def _fields(message: Message, depth: int) -> Fields:
    found: Fields = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.type == FieldDescriptor.TYPE_MESSAGE and isinstance(value, Message):
            if depth < _DEEPEST and message.HasField(field.name):
                found[field.name] = _fields(value, depth + 1)
            continue
        found[field.name] = value
    return found


def _json(payload: bytes) -> tuple[Fields, int]:
    if len(payload) > _LARGEST_JSON:
        raise ValueError(f"JSON of {len(payload)} bytes")
    try:
        found: Any = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {_short(error)}") from None
    if not isinstance(found, dict):
        raise ValueError("JSON that is no object")
    return cast("Fields", found), 0


def _short(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:80]
