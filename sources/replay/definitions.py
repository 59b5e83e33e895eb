"""The text of ROS 2 message types, for bags that do not carry it."""

from collections import Counter
from importlib import import_module
from typing import Any

NEWEST = "LATEST"


def definition(name: str, distro: str, problems: Counter[str]) -> str:
    """Of the named distribution, as far as `rosbags` ships it; "" if nobody knows the type.

    `name` as in "sensor_msgs/msg/Image". What was missing is counted.
    """
    try:
        # Without stubs for its tables of types, and an extra of its own.
        types: Any = import_module("rosbags.typesys")
    except ImportError:
        problems["definitions are missing: install imagebind-streamer[ros]"] += 1
        return ""
    stores = [f"ROS2_{distro.upper()}", NEWEST]
    for store in stores:
        if store not in types.Stores.__members__:
            continue
        known = types.get_typestore(types.Stores[store])
        if name in known.types:
            return str(known.generate_msgdef(name, ros_version=2)[0])
    problems[f"definition of {name[:60]} is missing"] += 1
    return ""
