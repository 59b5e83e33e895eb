"""Tables of labelled files: what is read, and the one line that says what is wrong."""

from pathlib import Path

import pytest

from streamer.cli.eval_files import labelled
from streamer.errors import ConfigError
from tests.needs import shared


def table(folder: Path, text: str, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("folder", "count", "labels"),
    [
        ("audio_esc10", 40, "dog bark"),
        ("audio_freesound", 2, "snoring"),
        ("imu", 5, "walking (foot-worn)"),
    ],
)
def test_tables_of_real_recordings(folder: str, count: int, labels: str) -> None:
    found = labelled(shared(f"recordings/{folder}"))
    assert len(found) == count
    assert labels in {item.label for item in found}
    assert all(item.path.is_file() for item in found)


def test_files_are_beside_the_table_and_underscores_are_spaces(tmp_path: Path) -> None:
    path = table(tmp_path, "filename,category\nlabels.csv,dog_bark \n")
    (found,) = labelled(path)
    assert (found.path, found.label) == (path, "dog bark")
    assert labelled(tmp_path) == [found]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\nno.wav,dog\n", "labels.csv:2: .*no.wav: no such file"),
        ("file,label\nlabels.csv,\n", "labels.csv:2: expected a file and a label"),
        ("file,label\nlabels.csv\n", "labels.csv:2: expected a file and a label"),
        ("file,label\n", "expected at least one row"),
        ("", "expected a column file or filename, got $"),
        ("colour,scene\na,b\n", "expected a column file or filename, got colour, scene"),
        ("file,scene\na,b\n", "expected a column label or category"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    table(tmp_path, text)
    with pytest.raises(ConfigError, match=message) as error:
        labelled(tmp_path)
    assert "\n" not in str(error.value)


def test_which_table_of_a_folder_is_meant(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected labels.csv, meta.csv or one CSV, found 0"):
        labelled(tmp_path)
    table(tmp_path, "file,label\nsome.csv,a\n", "some.csv")
    assert [item.label for item in labelled(tmp_path)] == ["a"]
    table(tmp_path, "file,label\nsome.csv,b\n", "more.csv")
    with pytest.raises(ConfigError, match="found 2"):
        labelled(tmp_path)
    table(tmp_path, "file,label\nsome.csv,c\n")
    assert [item.label for item in labelled(tmp_path)] == ["c"]
    with pytest.raises(ConfigError, match="No such file"):
        labelled(tmp_path / "nowhere.csv")
