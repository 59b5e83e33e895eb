"""Which RealSense cameras are plugged in."""

from typing import Any

from sources.realsense.intake import KINDS, Kind
from sources.realsense.library import library
from streamer.errors import SourceLost


def list_devices() -> list[dict[str, object]]:
    """Each with `name`, `yaml` (the configuration to paste) and `what` (to tell people).

    Loads the library, which looks at USB: call it where that may take a second. Raises SourceLost
    without the library, or where it cannot look.
    """
    rs = library()
    try:
        return [listed(rs, device) for device in rs.context().query_devices()]
    except RuntimeError as error:
        raise SourceLost(f"RealSense: devices cannot be listed: {error}") from None


def find(rs: Any, context: Any, serial: str | None) -> Any:
    """The device of this serial number, or the only one. Raises SourceLost."""
    devices = list(context.query_devices())
    wanted = [device for device in devices if serial in {None, _info(rs, device, "serial_number")}]
    if len(wanted) == 1:
        return wanted[0]
    found = ", ".join(described(rs, device) for device in devices)
    if wanted:
        raise SourceLost(f"expected one RealSense device or its serial number, got {found}")
    which = "" if serial is None else f" with serial number {serial}"
    raise SourceLost(f"no RealSense device{which}: found {found or 'none on USB'}")


def described(rs: Any, device: Any) -> str:
    """Intel RealSense D435 233522074606, USB 3.2"""
    name = _info(rs, device, "name") or "RealSense"
    usb = _info(rs, device, "usb_type_descriptor")
    serial = _info(rs, device, "serial_number") or "without serial number"
    return f"{name} {serial}" + (f", USB {usb}" if usb else "")


def kinds_of(device: Any) -> set[Kind]:
    """What the sensors of a device can say."""
    return {
        KINDS[name]
        for sensor in device.query_sensors()
        for profile in sensor.get_stream_profiles()
        if (name := profile.stream_type().name) in KINDS
    }


def listed(rs: Any, device: Any) -> dict[str, object]:
    """One device as `list_devices` tells it."""
    kinds = kinds_of(device)
    serial = _info(rs, device, "serial_number")
    absent: dict[str, object] = {
        **({} if "depth" in kinds else {"depth": None}),
        **({} if "colour" in kinds else {"colour": None}),
        **({} if {"gyro", "accel"} <= kinds else {"imu": None}),
    }
    return {
        "name": described(rs, device),
        "yaml": {"kind": "realsense", "serial": serial, **absent},
        "what": ", ".join(sorted(kinds)) or "no stream that is known here",
    }


def _info(rs: Any, device: Any, name: str) -> str | None:
    what = getattr(rs.camera_info, name)
    return str(device.get_info(what)) if device.supports(what) else None
