"""Cameras in a tree like that of Linux. The build machines have no V4L2: the tree is made here.

Devices that every Linux has stand for those of cameras.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.v4l2 import find, list_devices, nodes
from streamer.errors import SourceLost

BRIO, C920 = "Logitech BRIO", "HD Pro Webcam C920"
BY_ID = "usb-046d_HD_Pro_Webcam_C920_A1B2-video-index0"


def entry(root: Path, number: int) -> Path:
    """What the kernel says of a node."""
    return root / "sys/class/video4linux" / f"video{number}"


def plug(
    root: Path, number: int, name: str, index: int = 0, device: str = "", node: str = "/dev/null"
) -> None:
    behind = root / "sys/devices" / (device or f"usb{number}")
    behind.mkdir(parents=True, exist_ok=True)
    told = entry(root, number)
    told.mkdir(parents=True)
    (told / "name").write_text(f"{name}\n")
    (told / "index").write_text(f"{index}\n")
    (told / "device").symlink_to(behind)
    (root / "dev").mkdir(exist_ok=True)
    (root / f"dev/video{number}").symlink_to(node)


def link(root: Path, kind: str, name: str, number: int) -> Path:
    path = root / "dev/v4l" / kind / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(f"../../video{number}")
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two cameras, each with a second node, for its metadata."""
    plug(tmp_path, 0, BRIO, 0, "usb1")
    plug(tmp_path, 1, BRIO, 1, "usb1")
    plug(tmp_path, 2, C920, 0, "usb2", "/dev/zero")
    plug(tmp_path, 3, C920, 1, "usb2", "/dev/full")
    link(tmp_path, "by-id", BY_ID, 2)
    return tmp_path


def test_the_nodes_that_give_pictures_in_the_order_of_their_numbers(root: Path) -> None:
    plug(root, 10, "Tenth")
    found = [(node.path.name, node.name) for node in nodes(root)]
    assert found == [("video0", BRIO), ("video2", C920), ("video10", "Tenth")]
    assert nodes(root / "nowhere") == []


def test_by_name_whole_or_in_part(root: Path) -> None:
    assert find("c920", root).path == root / "dev" / "video2"
    assert find(BRIO, root).name == BRIO
    # A whole name wins over a part of another.
    plug(root, 4, "Logitech BRIO 4K")
    assert find(BRIO, root).path == root / "dev" / "video0"


def test_by_name_a_node_for_metadata_is_passed_over_though_its_number_is_lower(
    tmp_path: Path,
) -> None:
    plug(tmp_path, 10, "PureThermal (fw:v1.3.0)")
    plug(tmp_path, 2, "Integrated Camera")
    plug(tmp_path, 9, "PureThermal (fw:v1.3.0)", 1)
    assert find("purethermal", tmp_path).path == tmp_path / "dev/video10"
    with pytest.raises(SourceLost, match=r"'Integrated Camera', 'PureThermal \(fw:v1.3.0\)'$"):
        find("boson", tmp_path)


def test_a_shift_of_numbers_is_nothing_to_a_name(root: Path) -> None:
    plug(root, 6, "Thermal")
    first = find("Thermal", root).path
    entry(root, 6).rename(root / "gone")
    (root / "dev" / "video6").unlink()
    plug(root, 5, "Thermal")
    assert (first.name, find("Thermal", root).path.name) == ("video6", "video5")


def test_by_number_and_by_path_with_the_name_where_it_is_known(root: Path) -> None:
    by_number = find(2, root)
    assert (by_number.path, by_number.name) == (Path("/dev/zero"), C920)
    by_path = find(str(root / "dev/v4l/by-id" / BY_ID), root)
    assert by_path == by_number
    assert by_path.present
    # Who says the path of a node for metadata gets it.
    assert (find(3, root).path, find(3, root).index) == (Path("/dev/full"), 1)
    unknown = find("/dev/random", root)
    assert (unknown.path, unknown.name) == (Path("/dev/random"), "")


@pytest.mark.parametrize(
    ("device", "why"),
    [
        (7, "No such file or directory"),
        ("/dev/v4l/by-id/nothing", "No such file or directory"),
        ("/etc/hostname", "expected a video device, this is none"),
        ("Arducam", f"expected a camera named 'Arducam', there is '{BRIO}', '{C920}'"),
    ],
)
def test_what_is_not_there_is_told(root: Path, device: int | str, why: str) -> None:
    with pytest.raises(SourceLost, match=why):
        find(device, root)


def test_links_in_a_circle_are_told(root: Path) -> None:
    circle = root / "dev/v4l/by-id/circle"
    circle.symlink_to(circle)
    with pytest.raises(SourceLost, match="circle: Too many levels of symbolic links"):
        find(str(circle), root)


def test_what_is_found_by_name_has_to_be_a_device_too(root: Path) -> None:
    node = root / "dev" / "video2"
    node.unlink()  # the kernel knows it, but /dev does not: a container
    with pytest.raises(SourceLost, match="video2: No such file or directory"):
        find(C920, root)
    node.touch()
    with pytest.raises(SourceLost, match="video2: expected a video device, this is none"):
        find(C920, root)


@pytest.mark.parametrize("device", [4, "Closed"])
def test_a_device_that_this_user_may_not_open_is_told(root: Path, device: int | str) -> None:
    master, slave = os.openpty()
    user = os.getuid()
    try:
        terminal = os.ttyname(slave)
        Path(terminal).chmod(0)
        plug(root, 4, "Closed", node=terminal)
        if user == 0:
            # Root may all; what may be done goes by the real user, the rest by the effective one.
            os.setreuid(65534, -1)
        with pytest.raises(SourceLost, match="video4: no permission: add this user to the group"):
            find(device, root)
        assert "may not open it: add it to the group video" in str(list_devices(root)[2]["what"])
    finally:
        os.setreuid(user, -1)
        os.close(master)
        os.close(slave)


def test_two_of_one_name_are_told_apart_by_their_paths(root: Path) -> None:
    plug(root, 4, C920)
    with pytest.raises(SourceLost, match=r"video2, .*video4: take a path of /dev/v4l/by-id"):
        find(C920, root)


def test_no_camera_at_all(tmp_path: Path) -> None:
    with pytest.raises(SourceLost, match="expected a camera named 'C920', there is none"):
        find("C920", tmp_path)


def test_an_endless_name_is_cut(root: Path) -> None:
    (entry(root, 0) / "name").write_bytes(b"\xff" * 100_000)
    assert len(nodes(root)[0].name) == 200


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_a_name_is_printable_and_whoever_repeats_it_finds_the_camera(name: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        plug(tree, 0, "")
        (entry(tree, 0) / "name").write_bytes(name)
        (node,) = nodes(tree)
        assert not node.name or (node.name.isprintable() and len(node.name) <= 200)
        assert list_devices(tree)[0]["name"] == (node.name or "video0")
        if node.name and not node.name.startswith("/"):
            assert find(node.name, tree) == node


def test_an_unplugged_camera_is_not_present(root: Path) -> None:
    node = nodes(root)[0]
    assert node.present
    (root / "dev" / "video0").unlink()
    assert not node.present


def device(found: dict[str, Any]) -> str:
    return found["yaml"]["device"]


def test_a_machine_without_cameras_lists_none(tmp_path: Path) -> None:
    assert list_devices(tmp_path) == []


def test_a_camera_is_listed_by_what_lasts_and_its_nodes_for_data_are_passed_over(
    tmp_path: Path,
) -> None:
    plug(tmp_path, 10, C920, 0, "usb1")
    plug(tmp_path, 11, C920, 1, "usb1")
    link(tmp_path, "by-path", "pci-0000:00:14.0-usb-0:1:1.0-video-index0", 10)
    link(tmp_path, "by-id", BY_ID, 10)
    link(tmp_path, "by-id", "usb-046d_HD_Pro_Webcam_C920_A1B2-video-index1", 11)
    (found,) = list_devices(tmp_path)
    assert found["name"] == C920
    assert found["what"] == "/dev/video10; also /dev/video11"
    assert found["yaml"] == {
        "kind": "camera",
        "stream": "camera",
        "device": f"/dev/v4l/by-id/{BY_ID}",
    }


def test_two_cameras_of_one_serial_number_are_listed_by_their_places(tmp_path: Path) -> None:
    """Cheap ones all carry the same number: only one of them gets the link."""
    for number in (2, 0):
        plug(tmp_path, number, "USB 2.0 Camera")
        link(tmp_path, "by-path", f"pci-usb-0:{number}:1.0-video-index0", number)
    link(tmp_path, "by-id", "usb-Sonix_USB_2.0_Camera_SN0001-video-index0", 2)
    (tmp_path / "dev/v4l/by-id/no-link").touch()
    assert [device(found) for found in list_devices(tmp_path)] == [
        "/dev/v4l/by-path/pci-usb-0:0:1.0-video-index0",
        "/dev/v4l/by-id/usb-Sonix_USB_2.0_Camera_SN0001-video-index0",
    ]


def test_without_links_the_number_has_to_do(tmp_path: Path) -> None:
    plug(tmp_path, 3, "loopback")
    (found,) = list_devices(tmp_path)
    assert device(found) == "/dev/video3"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Intel(R) RealSense(TM) Depth Camera 435", "kind: realsense"),
        ("PureThermal (fw:v1.3.0)", "kind: thermal"),
        ("vi-output, imx219 9-0010", "GStreamer"),
        (C920, ""),
    ],
)
def test_what_is_better_read_otherwise_is_said(tmp_path: Path, name: str, hint: str) -> None:
    plug(tmp_path, 0, name)
    (found,) = list_devices(tmp_path)
    assert hint in str(found["what"])
    assert bool(hint) == (";" in str(found["what"]))


def test_a_damaged_tree_and_hostile_names_break_nothing(tmp_path: Path) -> None:
    plug(tmp_path, 0, "x\x1b[2Jy" + "z" * 10_000)
    entry(tmp_path, 1).mkdir()  # no name, no index, no node in /dev
    (tmp_path / "sys/class/video4linux/videocard").mkdir()
    (entry(tmp_path, 0) / "index").write_bytes(b"\xff\xfe")
    first, second = list_devices(tmp_path)
    assert str(first["name"]).startswith("x[2Jyz")
    assert len(str(first["name"])) <= 200
    assert second["name"] == "video1"
    assert "may not open it" in str(second["what"])
    with pytest.raises(SourceLost, match=r"there is 'x\[2Jyz+', /.*/dev/video1$"):
        find("Arducam", tmp_path)
