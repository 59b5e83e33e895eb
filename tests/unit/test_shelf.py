"""Where flight recordings go: their names, and how much of the disk they take."""

import os
from pathlib import Path

import pytest

from sinks.mcap.shelf import Shelf, names
from streamer.types import NS_PER_S

NOON_NS = 1_767_268_800 * NS_PER_S  # 2026-01-01 12:00:00 UTC
MB = 1_000_000


def shelf(folder: Path, name: str = "flight-%Y%m%d-%H%M%S.mcap", most: int = MB) -> Shelf:
    return Shelf(folder / name, most, 0)


def test_a_file_is_named_by_its_time_and_numbered_where_the_name_is_taken(tmp_path: Path) -> None:
    made = [shelf(tmp_path).begin(NOON_NS + n) for n in range(3)]
    for file in made:
        file.close()
    assert [file.path.name for file in made] == [
        "flight-20260101-120000.mcap",
        "flight-20260101-120000-1.mcap",
        "flight-20260101-120000-2.mcap",
    ]
    plain = shelf(tmp_path, "flight.mcap").begin(NOON_NS)
    plain.close()
    assert plain.path.name == "flight.mcap"


def test_what_its_name_could_have_made_counts_and_nothing_else(tmp_path: Path) -> None:
    for name in ("flight-20250101-000000.mcap", "flight-20250101-000000-7.mcap"):
        (tmp_path / name).write_bytes(bytes(1000))
    for name in ("other.mcap", "flight-20250101-000000.txt", "my-flight-1.mcap"):
        (tmp_path / name).write_bytes(bytes(5 * MB))
    assert shelf(tmp_path).room() == MB - 2000
    assert len(shelf(tmp_path).files()) == 2
    with pytest.raises(OSError, match="take 0 MB, and may take 0 MB: move some away"):
        shelf(tmp_path, most=2000).room()


def test_one_that_is_moved_away_meanwhile_takes_no_room(tmp_path: Path) -> None:
    (tmp_path / "flight-20250101-000000.mcap").write_bytes(bytes(1000))
    # Listed, and not there when it is looked at.
    (tmp_path / "flight-20250101-000001.mcap").symlink_to(tmp_path / "gone")
    assert shelf(tmp_path).room() == MB - 1000


def test_names_with_signs_are_taken_as_they_are(tmp_path: Path) -> None:
    for name in ("[ab].*.mcap", "ab.x.mcap", "[ab].*-1.mcap", "[ab].*-x.mcap"):
        (tmp_path / name).write_bytes(bytes(10))
    ours = shelf(tmp_path, "[ab].*.mcap").files()
    assert sorted(path.name for path in ours) == ["[ab].*-1.mcap", "[ab].*.mcap"]
    assert names(Path("%-d_100%%.mcap")).fullmatch("1_100%.mcap")


def test_a_disk_that_is_nearly_full_is_left_alone(tmp_path: Path) -> None:
    statistics = os.statvfs(tmp_path)
    size = statistics.f_blocks * statistics.f_frsize
    with pytest.raises(OSError, match="of the disk are free"):
        Shelf(tmp_path / "x.mcap", MB, 2 * size).room()
    assert Shelf(tmp_path / "x.mcap", 2 * size, 0).room() <= size
    assert not Shelf(tmp_path / "x.mcap", MB, 2 * size).spare()
    assert Shelf(tmp_path / "x.mcap", MB, 0).spare()
