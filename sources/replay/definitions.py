"""The text of ROS 2 message types, for bags that do not carry it."""

from collections import Counter
from importlib import import_module
from typing import Any

from sources.replay.messages.known import layout

NEWEST = "LATEST"


def definition(name: str, distro: str, problems: Counter[str]) -> str:
    """Of the named distribution, else of the newest; "" where nobody knows the type.

    `name` as in "sensor_msgs/msg/Image". Counts what it would take, unless the type is one of
    those that are read without a definition.
    """
    try:
        # Without stubs for its tables of types, and an extra of its own.
        types: Any = import_module("rosbags.typesys")
    except ImportError:
        if layout(name, cdr=True) is None:
            problems["types without a definition: install imagebind-streamer[ros]"] += 1
        return ""
    for store in (f"ROS2_{distro.upper()}", NEWEST):
        if store not in types.Stores.__members__:
            continue
        known = types.get_typestore(types.Stores[store])
        if name in known.types:
            return str(known.generate_msgdef(name, ros_version=2)[0])
    return ""
