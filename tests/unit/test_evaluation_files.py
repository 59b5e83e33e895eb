"""Tables of labelled files: what is read, and the one line that says what is wrong."""

from pathlib import Path

import numpy as np
import pytest

from configs.load import label_set, load
from encoders.zeroshot import TEMPLATES, LabelSet
from sources.encodings import Depth, SunDepth
from streamer.cli.eval.encoding import picture_encoding
from streamer.cli.eval.files import Labelled, by_class, evaluate_files, labelled
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


def test_a_modality_may_be_named_for_a_file(tmp_path: Path) -> None:
    text = "file,label,modality\nlabels.csv,warm,thermal\nlabels.csv,dog,\nlabels.csv,cat\n"
    found = labelled(table(tmp_path, text))
    assert [item.modality for item in found] == ["thermal", None, None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\nno.wav,dog\n", "labels.csv:2: .*no.wav: no such file"),
        ("file,label\nlabels.csv,\n", "labels.csv:2: expected a file and a label"),
        ("file,label\nlabels.csv\n", "labels.csv:2: expected a file and a label"),
        ("file,label,modality\nlabels.csv,a,smell\n", "csv:2: expected a modality of .*'smell'"),
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


def test_labels_may_count_as_one_class(tmp_path: Path) -> None:
    table(tmp_path, "file,label,counts_as\nlabels.csv,wine_cellar,rare_rooms\nlabels.csv,hall,\n")
    assert [(item.label, item.counts_as) for item in labelled(tmp_path)] == [
        ("wine cellar", "rare rooms"),
        ("hall", ""),
    ]


def test_a_class_scores_as_its_best_name() -> None:
    #                     hall  attic  cellar, of which attic and cellar are rare rooms
    cosines = np.array([[0.2, 0.1, 0.3], [0.5, 0.4, 0.1]])
    assert by_class(cosines, [0, 1, 1]).tolist() == [[0.2, 0.3], [0.5, 0.4]]
    assert by_class(cosines, [0, 1, 2]).tolist() == cosines.tolist()


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([("hall", "")], 'hall.png: expected a label of rooms, got "hall"'),
        (
            [("attic", "rare"), ("attic", "")],
            'attic.png: expected "attic" to count as "rare" again, got "attic"',
        ),
    ],
)
def test_a_table_that_contradicts_itself_or_the_label_set(
    items: list[tuple[str, str]], message: str
) -> None:
    config = load("demo", ["encoder={kind: noop}"])
    given = LabelSet("rooms", ("attic", "cellar"))
    with pytest.raises(ConfigError, match=message):
        evaluate_files(
            config, [Labelled(Path(f"{a}.png"), a, b) for a, b in items], None, given=given
        )


def test_a_text_of_templates_alone_keeps_the_labels(tmp_path: Path) -> None:
    templates, both = tmp_path / "templates.txt", tmp_path / "both.txt"
    templates.write_text("the sound of {}.\n")
    both.write_text("an attic\n")
    found = label_set(str(templates), {"hall", "attic"})
    assert (found.labels, found.templates) == (("attic", "hall"), ("the sound of {}.",))
    found = label_set(str(both), {"hall"})
    assert (found.labels, found.templates) == (("an attic",), TEMPLATES)


def test_an_encoding_is_a_kind_or_yaml() -> None:
    assert picture_encoding("sun") == SunDepth()
    assert picture_encoding("{kind: depth, metres_per_unit: 0.0002}") == Depth(metres_per_unit=2e-4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("thermal_counts", "--encoding: thermal_counts.scale: Field required"),
        ("heat", "--encoding: Input tag 'heat' found"),
        ("{kind: [", "not YAML"),
        ("3", "--encoding: "),
    ],
)
def test_an_encoding_that_is_none_is_one_line(given: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        picture_encoding(given)
    assert "\n" not in str(error.value)
