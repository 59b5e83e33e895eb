"""Folders and single pictures."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sources.epoch import DEFAULT_START, to_ns
from sources.pictures import Pictures
from streamer.errors import SourceLost
from streamer.types import NS_PER_S, StreamInfo, pixels
from tests.needs import shared
from tests.reading import read

START_NS = to_ns(DEFAULT_START)
MILLIMETRES = {"kind": "depth", "metres_per_unit": 0.001}
TUM = {"kind": "depth", "metres_per_unit": 0.0002}
KITTI = {"kind": "depth", "metres_per_unit": 1 / 256}
EIGHTHS = {"kind": "depth", "metres_per_unit": 0.000125, "invalid": 65535}


def pictures(path: Path, encoding: dict[str, Any], **fields: Any) -> Pictures:
    return Pictures.model_validate(
        {"path": path, "stream": "pictures", "encoding": encoding, **fields}
    )


def write(path: Path, value: int, dtype: type[np.uint16 | np.uint8] = np.uint16) -> None:
    picture = np.full((4, 6), value).astype(dtype)
    assert cv2.imwrite(str(path), picture)


def test_a_folder_comes_once_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 9, 50, 1):
        write(tmp_path / f"depth{number}.png", number * 1000)
        write(tmp_path / f"colour{number}.png", 1, np.uint8)
    (tmp_path / "depth_notes.txt").write_text("not a picture")
    source = pictures(tmp_path, MILLIMETRES, pattern="depth*", rate_hz=30)

    samples = read(source)

    assert source.streams == (StreamInfo("pictures", "depth"),)
    assert [float(pixels(s)[0, 0]) for s in samples] == [1, 9, 10, 50]
    edges = [START_NS + n * NS_PER_S // 30 for n in range(5)]
    assert [(s.t_ns, s.end_ns) for s in samples] == list(pairwise(edges))


def test_a_single_picture_is_held(tmp_path: Path) -> None:
    write(tmp_path / "one.png", 29815)
    samples = read(pictures(tmp_path / "one.png", {"kind": "centikelvin"}, rate_hz=4, hold_s=2))

    assert len(samples) == 8
    assert samples[-1].end_ns == START_NS + 2 * NS_PER_S
    assert samples[0].modality == "thermal"
    np.testing.assert_allclose(pixels(samples[-1]), 25, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "encoding", "median_m"),
    [
        ("metric3d_nyu/sync_depth_00000.png", MILLIMETRES, 3.26),
        ("slambook2/ch5_depth_1.pgm", MILLIMETRES, 2.9),
        ("open3d/TUM_depth.png", TUM, 2.4),
        ("metric3d_kitti/depth_0000000005.png", KITTI, 13.8),
        ("tui/esanet_depth.png", EIGHTHS, 3.06),
        ("open3d/SUN_depth.png", {"kind": "sun"}, 2.7),
        # The same frame as the first, straight from the sensor: the two agree.
        ("open3d/NYU_depth.pgm", {"kind": "kinect_disparity"}, 3.26),
    ],
)
def test_the_six_encodings_of_real_rooms(
    name: str, encoding: dict[str, Any], median_m: float
) -> None:
    path = shared(f"recordings/rgbd/{name}")
    metres = pixels(read(pictures(path, encoding))[0])

    assert metres.dtype == np.float32
    assert metres.min() >= 0
    assert metres.max() < (90 if "kitti" in name else 10)
    assert np.median(metres[metres > 0]) == pytest.approx(median_m, rel=0.02)


def test_colour_and_infrared_of_a_real_street() -> None:
    folder = shared("recordings/thermal/llvip")
    thermal = read(pictures(folder, {"kind": "thermal_picture"}, pattern="*_ir.jpg"))
    vision = read(pictures(folder, {"kind": "colour"}, pattern="*_vi.jpg"))

    assert len(thermal) == len(vision) == 10
    assert (pixels(thermal[0]).shape, pixels(thermal[0]).dtype) == ((1024, 1280), np.uint8)
    assert pixels(vision[0]).shape == (1024, 1280, 3)
    assert {s.modality for s in vision} == {"vision"}


def test_what_is_wrong_is_told_with_the_file(tmp_path: Path) -> None:
    write(tmp_path / "grey.png", 7, np.uint8)
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder").mkdir()

    for name, why in (
        ("grey.png", "one channel of 16 bits was expected, uint8 4x6 came"),
        ("bad.png", "not a picture, or damaged"),
        ("empty.png", "not a picture, or damaged"),
        ("nowhere.png", r"cannot be read \(No such file or directory\)"),
        ("folder", r"no pictures named '\*' in this folder"),
    ):
        with pytest.raises(SourceLost, match=f"{name}: {why}"):
            read(pictures(tmp_path / name, MILLIMETRES))


def test_a_later_damaged_picture_is_named_when_it_is_looked_at(tmp_path: Path) -> None:
    write(tmp_path / "1.png", 1)
    (tmp_path / "2.png").write_bytes(b"?")
    samples = read(pictures(tmp_path, MILLIMETRES))

    with pytest.raises(SourceLost, match=r"2\.png: not a picture"):
        pixels(samples[1])
