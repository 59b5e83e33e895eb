"""Depth, colour and motion of one RealSense camera, or of a recording of one."""

from sources.realsense.devices import list_devices
from sources.realsense.source import RealSense

__all__ = ["RealSense", "list_devices"]
