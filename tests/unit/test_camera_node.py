"""Which video device is meant, in a tree like the kernel's. /dev/null stands for a device."""

from pathlib import Path

import pytest

from sources.camera.node import find, nodes
from streamer.errors import SourceLost

BRIO, C920 = "Logitech BRIO", "HD Pro Webcam C920"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "dev" / "v4l" / "by-id").mkdir(parents=True)
    # Each camera has a second node, for its metadata.
    for number, name in enumerate([BRIO, BRIO, C920, C920]):
        plug(tmp_path, number, name, number % 2)
    by_id = tmp_path / "dev" / "v4l" / "by-id" / "usb-046d_HD_Pro_Webcam_C920_A1B2-video-index0"
    by_id.symlink_to("../../video2")
    return tmp_path


def plug(root: Path, number: int, name: str, index: int = 0) -> None:
    entry = root / "sys" / "class" / "video4linux" / f"video{number}"
    entry.mkdir(parents=True)
    (entry / "name").write_text(name + "\n")
    (entry / "index").write_text(f"{index}\n")
    (root / "dev" / f"video{number}").symlink_to("/dev/null")


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


def test_a_shift_of_numbers_is_nothing_to_a_name(root: Path) -> None:
    plug(root, 6, "Thermal")
    first = find("Thermal", root).path
    (root / "sys" / "class" / "video4linux" / "video6").rename(root / "gone")
    (root / "dev" / "video6").unlink()
    plug(root, 5, "Thermal")
    assert (first.name, find("Thermal", root).path.name) == ("video6", "video5")


def test_by_number_and_by_path(root: Path) -> None:
    assert find(0, root).path == Path("/dev/null")
    link = root / "dev" / "v4l" / "by-id" / "usb-046d_HD_Pro_Webcam_C920_A1B2-video-index0"
    assert find(str(link), root).present


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


def test_two_of_one_name_are_told_apart_by_their_paths(root: Path) -> None:
    plug(root, 4, C920)
    with pytest.raises(SourceLost, match=r"video2, .*video4: take a path of /dev/v4l/by-id"):
        find(C920, root)


def test_no_camera_at_all(tmp_path: Path) -> None:
    with pytest.raises(SourceLost, match="expected a camera named 'C920', there is none"):
        find("C920", tmp_path)


def test_an_endless_name_is_cut(root: Path) -> None:
    (root / "sys" / "class" / "video4linux" / "video0" / "name").write_bytes(b"\xff" * 100_000)
    assert len(nodes(root)[0].name) <= 200


def test_an_unplugged_camera_is_not_present(root: Path) -> None:
    node = nodes(root)[0]
    assert node.present
    (root / "dev" / "video0").unlink()
    assert not node.present
