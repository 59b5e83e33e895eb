"""The kinds of devices, and who knows them: the one place where listers are named."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """`lister` is "module:function": () -> a list of `name`, `what` it is, `yaml` of its source.

    `needs` is what to install where its library is missing: an extra of this package.
    """

    name: str
    lister: str
    needs: str | None = None


KINDS = (
    Kind("camera", "sources.v4l2:list_devices"),
    Kind("microphone", "sources.microphone:list_devices", "microphone"),
    Kind("realsense", "sources.realsense:list_devices", "realsense"),
    Kind("serial", "sources.imu.serial_lines:list_devices", "serial"),
    Kind("iio", "sources.imu.iio:list_devices"),
)
