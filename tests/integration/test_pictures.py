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


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2"])
@pytest.mark.parametrize("by_column", [False, True])
def test_an_array_of_metres(tmp_path: Path, dtype: str, by_column: bool) -> None:
    metres = np.array([[0.5, 1, 1.5], [2, 0, 4]])
    stored = metres.astype(dtype)
    np.save(tmp_path / "one.npy", np.asfortranarray(stored) if by_column else stored)
    sample = read(pictures(tmp_path / "one.npy", {"kind": "depth"}))[0]
    np.testing.assert_array_equal(pixels(sample), metres)
    assert pixels(sample).dtype == np.float32


def test_an_array_of_millimetres_of_the_other_byte_order(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.array([[1500, 0]], ">u2"))
    sample = read(pictures(tmp_path / "one.npy", MILLIMETRES))[0]
    np.testing.assert_allclose(pixels(sample), [[1.5, 0]])


class Code:
    """Would run when unpickled."""

    def __reduce__(self) -> Any:
        return print, ("this must not be run",)


def header(shape: str, descr: str = "'<f4'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a .npy file, or damaged"),
        (b"\x93NUMPY\x09\x00", "not a .npy file, or damaged"),
        (header("(2, 3)") + bytes(20), "not a .npy file, or damaged"),
        (header("(1000000000, 1000000000)") + bytes(20), "not a .npy file, or damaged"),
        (header("(-1, 5)") + bytes(20), "an array of numbers"),
        (header("(0, 5)"), "an array of numbers"),
        (header("(5,)") + bytes(20), "an array of numbers"),
        (header("(1, 5)", "'<c8'") + bytes(40), "an array of numbers"),
        (header("__import__('os').getpid()") + bytes(20), "not a .npy file, or damaged"),
    ],
)
def test_a_damaged_array_is_one_line(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "one.npy"
    path.write_bytes(data)
    with pytest.raises(SourceLost, match=message) as error:
        read(pictures(path, {"kind": "depth"}))
    assert "\n" not in str(error.value)


def test_an_array_of_objects_runs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "one.npy", np.array([[Code()]], object), allow_pickle=True)
    with pytest.raises(SourceLost, match="an array of numbers"):
        read(pictures(tmp_path / "one.npy", {"kind": "depth"}))
    assert "must not be run" not in capsys.readouterr().out
