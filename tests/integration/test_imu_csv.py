"""Inertial readings from text."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from sources.epoch import DEFAULT_START, to_ns
from sources.imu_csv import ImuCsv
from streamer.errors import SourceLost
from streamer.types import NS_PER_S, ImuBlock, Sample
from tests.needs import shared
from tests.reading import read

START_NS = to_ns(DEFAULT_START)
XIMU = {
    "stream": "imu",
    "accel": [f"Accelerometer {axis} (g)" for axis in "XYZ"],
    "gyro": [f"Gyroscope {axis} (deg/s)" for axis in "XYZ"],
    "accel_unit": "g",
    "gyro_unit": "deg/s",
}
PLAIN: dict[str, Any] = {
    "stream": "imu",
    "accel": [1, 2, 3],
    "gyro": [4, 5, 6],
    "time": 0,
    "time_unit": "s",
    "accel_unit": "m/s^2",
    "gyro_unit": "rad/s",
    "header": False,
}


def table(path: Path, **fields: Any) -> ImuCsv:
    return ImuCsv.model_validate({"path": path, **fields})


def joined(samples: list[Sample]) -> ImuBlock:
    blocks = [s.data for s in samples if isinstance(s.data, ImuBlock)]
    return ImuBlock(
        np.concatenate([b.t_ns for b in blocks]), np.concatenate([b.values for b in blocks])
    )


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("name", ["ximu3_short_walk_400Hz", "fusion_sensor_data_100Hz"])
def test_a_real_recording_with_duplicates_and_gaps(name: str) -> None:
    path = shared(f"recordings/imu/{name}.csv")
    samples = read(table(path, **XIMU, time="Time (s)", time_unit="s"))
    got = joined(samples)

    expected = np.loadtxt(path, delimiter=",", skiprows=1)  # columns: time, gyro, accel, ...
    np.testing.assert_array_equal(got.t_ns - START_NS, np.round(expected[:, 0] * 1e9))
    np.testing.assert_allclose(got.values[:, :3], expected[:, 4:7] * 9.80665, rtol=1e-6)
    np.testing.assert_allclose(got.values[:, 3:], np.deg2rad(expected[:, 1:4]), rtol=1e-6)
    # What is missing is no part of any block: a hole for each step of two periods or more.
    steps = np.diff(expected[:, 0])
    period = np.median(steps[steps > 0])
    holes = sum(b.t_ns > a.end_ns for a, b in pairwise(samples))
    assert holes == (steps > 1.5 * period).sum()
    assert max(s.duration_ns for s in samples) < 0.12 * NS_PER_S


def test_without_a_time_column_the_rate_makes_the_stamps() -> None:
    path = shared("recordings/imu/ximu_straightLine_walk_256Hz.csv")
    samples = read(table(path, **XIMU, rate_hz=256))
    got = joined(samples)

    np.testing.assert_array_equal(got.t_ns - START_NS, np.arange(len(got.t_ns)) * NS_PER_S // 256)
    assert samples[-1].end_ns - START_NS == pytest.approx(len(got.t_ns) * NS_PER_S / 256, abs=1)


@pytest.mark.parametrize(
    ("delimiter", "between"), [(",", ","), ("\t", "\t"), (";", "; "), (" ", "  \t ")]
)
def test_columns_by_number_comments_and_blank_lines(
    tmp_path: Path, delimiter: str, between: str
) -> None:
    rows = [["0.5", "1", "2", "3", "4", "5", "6"], ["0.51", "1e1", "-2", "+3", ".4", "5.", "6"]]
    lines = ["# made by hand", "", *(between.join(row) for row in rows), "  # the end"]
    got = joined(read(table(write(tmp_path / "t.txt", *lines), **PLAIN, delimiter=delimiter)))

    np.testing.assert_array_equal(got.t_ns - START_NS, [0, 10_000_000])
    np.testing.assert_allclose(got.values, [[1, 2, 3, 4, 5, 6], [10, -2, 3, 0.4, 5, 6]])


def test_stamps_of_this_century_are_exact(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.csv", "1750000000.123456789,0,0,0,0,0,0", "1750000000.123456790,0,0,0,0,0,0"
    )
    got = joined(read(table(path, **PLAIN, start="file")))

    np.testing.assert_array_equal(got.t_ns, [1750000000123456789, 1750000000123456790])


def test_a_quoted_header_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'\xef\xbb\xbf"t [ms]","a,x",ay,az,gx,gy,gz\r\n7,1,2,3,4,5,6\r\n')
    fields = PLAIN | {"time": "t [ms]", "time_unit": "ms", "accel": ["a,x", "ay", "az"]}
    got = joined(read(table(path, **fields | {"gyro": ["gx", "gy", "gz"], "header": True})))

    np.testing.assert_array_equal(got.values, [[1, 2, 3, 4, 5, 6]])


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["0,1,2,3,4,5,6", "1,1,2,x,4,5,6"], ":2: column 3: a number was expected, 'x' came"),
        (["0,1,2,3,4,,6"], ":1: column 5: a number was expected, '' came"),
        (["0,1,2,3,4,nan,6"], ":1: column 5: a number was expected, 'nan' came"),
        (["1e999999999,1,2,3,4,5,6"], ":1: column 0: a number was expected, '1e999999999' came"),
        (["0,1,2,3"], ":1: 4 columns where at least 7 were expected"),
        (["# nothing"], ": a table of readings was expected, there is no row"),
        (["x" * 70_000], ":1: not a table, the line has no end"),
    ],
)
def test_what_is_wrong_is_told_with_file_line_and_column(
    tmp_path: Path, lines: list[str], why: str
) -> None:
    path = write(tmp_path / "t.csv", *lines)
    with pytest.raises(SourceLost) as caught:
        read(table(path, **PLAIN))
    assert str(caught.value) == f"{path}{why}"


def test_files_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00\x01" * 100)
    with pytest.raises(SourceLost, match=r"t.csv:1: not a table of text"):
        read(table(tmp_path / "t.csv", **PLAIN))
    with pytest.raises(SourceLost, match="cannot be read"):
        read(table(tmp_path / "nowhere.csv", **PLAIN))
    with pytest.raises(SourceLost, match=r"no column 'ax'; the header has t, x"):
        read(
            table(
                write(tmp_path / "h.csv", "t,x"), **PLAIN | {"accel": ["ax", 2, 3], "header": True}
            )
        )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"time": None, "time_unit": None}, "rate_hz is needed"),
        ({"time_unit": None}, "belong together"),
        ({"accel": ["ax", 2, 3]}, "need a header"),
        ({"accel_unit": None}, "accel_unit"),
        ({"time": None, "time_unit": None, "rate_hz": 10, "start": "file"}, "time column"),
    ],
)
def test_a_configuration_that_leaves_something_to_guess(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        table(Path("t.csv"), **PLAIN | change)
