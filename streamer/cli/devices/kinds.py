"""The kinds of devices, and who knows them: the one place where listers are named."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """`lister` is "module:function": () -> list of `name`, `what`, `yaml`.

    `needs` is what to install where its library is missing: an extra of this package.
    """

    name: str
    lister: str
    needs: str | None = None


KINDS = (
    Kind("camera", "sources.v4l2:list_devices"),
    Kind("microphone", "sources.microphone:list_devices", "microphone"),
    Kind("realsense", "sources.realsense:list_devices", "realsense"),
    Kind("serial", "sources.imu:list_serial_ports", "serial"),
    Kind("iio", "sources.imu:list_iio_devices"),
)
