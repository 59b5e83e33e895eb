"""Cameras in a tree like that of Linux. The build machines have no V4L2: the tree is made here."""

from pathlib import Path
from typing import Any

import pytest

from sources.v4l2 import list_devices


def device(found: dict[str, Any]) -> str:
    return found["yaml"]["device"]


def camera(root: Path, number: int, name: str, device: str, index: int = 0) -> None:
    behind = root / "sys/devices" / device
    behind.mkdir(parents=True, exist_ok=True)
    node = root / "sys/class/video4linux" / f"video{number}"
    node.mkdir(parents=True)
    (node / "name").write_text(f"{name}\n")
    (node / "index").write_text(f"{index}\n")
    (node / "device").symlink_to(behind)
    (root / "dev").mkdir(exist_ok=True)
    (root / f"dev/video{number}").touch()


def link(root: Path, kind: str, name: str, number: int) -> None:
    folder = root / "dev/v4l" / kind
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).symlink_to(f"../../video{number}")


def test_a_machine_without_cameras_has_none(tmp_path: Path) -> None:
    assert list_devices(tmp_path) == []


def test_a_camera_is_named_by_what_lasts_and_its_nodes_for_data_are_passed_over(
    tmp_path: Path,
) -> None:
    camera(tmp_path, 10, "HD Pro Webcam C920", "usb1")
    camera(tmp_path, 11, "HD Pro Webcam C920", "usb1", index=1)
    link(tmp_path, "by-path", "pci-0000:00:14.0-usb-0:1:1.0-video-index0", 10)
    link(tmp_path, "by-id", "usb-046d_HD_Pro_Webcam_C920_A1-video-index0", 10)
    link(tmp_path, "by-id", "usb-046d_HD_Pro_Webcam_C920_A1-video-index1", 11)
    (found,) = list_devices(tmp_path)
    assert found["name"] == "HD Pro Webcam C920"
    assert found["what"] == "/dev/video10; also /dev/video11"
    assert found["yaml"] == {
        "kind": "camera",
        "stream": "camera",
        "device": "/dev/v4l/by-id/usb-046d_HD_Pro_Webcam_C920_A1-video-index0",
    }


def test_two_cameras_of_one_serial_number_are_told_apart_by_their_places(tmp_path: Path) -> None:
    """Cheap ones all carry the same number: only one of them gets the link."""
    for number in (2, 0):
        camera(tmp_path, number, "USB 2.0 Camera", f"usb{number}")
        link(tmp_path, "by-path", f"pci-usb-0:{number}:1.0-video-index0", number)
    link(tmp_path, "by-id", "usb-Sonix_USB_2.0_Camera_SN0001-video-index0", 2)
    assert [device(found) for found in list_devices(tmp_path)] == [
        "/dev/v4l/by-path/pci-usb-0:0:1.0-video-index0",
        "/dev/v4l/by-id/usb-Sonix_USB_2.0_Camera_SN0001-video-index0",
    ]


def test_without_links_the_number_has_to_do(tmp_path: Path) -> None:
    camera(tmp_path, 3, "loopback", "virtual")
    (found,) = list_devices(tmp_path)
    assert device(found) == "/dev/video3"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Intel(R) RealSense(TM) Depth Camera 435", "kind: realsense"),
        ("PureThermal (fw:v1.3.0)", "kind: thermal"),
        ("vi-output, imx219 9-0010", "GStreamer"),
        ("HD Pro Webcam C920", ""),
    ],
)
def test_what_is_better_read_otherwise_is_said(tmp_path: Path, name: str, hint: str) -> None:
    camera(tmp_path, 0, name, "usb1")
    (found,) = list_devices(tmp_path)
    assert hint in str(found["what"])
    assert bool(hint) == (";" in str(found["what"]))


def test_a_damaged_tree_and_hostile_names_break_nothing(tmp_path: Path) -> None:
    camera(tmp_path, 0, "x\x1b[2Jy" + "z" * 10_000, "usb1")
    nodes = tmp_path / "sys/class/video4linux"
    (nodes / "video1").mkdir()  # no name, no index, no node in /dev
    (nodes / "videocard").mkdir()
    (nodes / "video0/index").write_bytes(b"\xff\xfe")
    first, second = list_devices(tmp_path)
    assert str(first["name"]).startswith("x[2Jyz")
    assert len(str(first["name"])) < 300
    assert second["name"] == "video1"
    assert "may not open it" in str(second["what"])
