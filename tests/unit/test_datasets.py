"""Tables of published data sets, from trees with their layout."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import datasets
from benchmarks.llvip import Box, elsewhere
from streamer.cli.eval.files import labelled
from tests import published_trees as trees

Rows = Callable[..., list[tuple[str, str, str]]]


@pytest.fixture
def rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Rows:
    """Runs the command; the rows that it prints, with paths below `tmp_path`."""

    def run(*arguments: str | Path) -> list[tuple[str, str, str]]:
        datasets.main([str(a) for a in arguments])
        said = capsys.readouterr()
        table = tmp_path / "table.csv"
        table.write_text(said.out)
        assert labelled(table), "what eval takes"
        found = [
            (str(Path(r["file"]).relative_to(tmp_path)), r["label"], r["counts_as"])
            for r in csv.DictReader(io.StringIO(said.out))
        ]
        assert said.err == f"{len(found)} files\n"
        return found

    return run


def test_esc50(rows: Rows, tmp_path: Path) -> None:
    assert rows("esc50", trees.esc50(tmp_path / "ESC-50")) == [
        ("ESC-50/audio/1-100032-A-0.wav", "dog", "dog"),
        ("ESC-50/audio/5-9032-A-36.wav", "vacuum_cleaner", "vacuum_cleaner"),
    ]


def test_kinetics_finds_both_kinds_of_names_and_passes_over_what_is_gone(
    rows: Rows, tmp_path: Path
) -> None:
    root = trees.kinetics(tmp_path / "k400")
    assert rows("kinetics", root / "val", root / "val.csv") == [
        ("k400/val/-0ab_x9_000010_000020.mp4", "abseiling", "abseiling"),
        ("k400/val/juggling balls/QQ_1234567z.mp4", "juggling balls", "juggling balls"),
    ]


def test_vggsound_takes_the_test_split(rows: Rows, tmp_path: Path) -> None:
    root = trees.vggsound(tmp_path / "vgg")
    assert rows("vggsound", root / "video", root / "vggsound.csv") == [
        ("vgg/video/---g-f_I2yQ_000001.wav", "people marching", "people marching"),
        ("vgg/video/--0PQM4-hqg_000030.wav", "wind noise, gust", "wind noise, gust"),
    ]


def test_a_folder_a_class_with_and_without_names(rows: Rows, tmp_path: Path) -> None:
    root = trees.imagenet(tmp_path / "in1k")
    plain = rows("folder", root / "val")
    assert [label for _, label, _ in plain] == ["n01440764", "n01443537"]
    named = rows("folder", root / "val", "--names", root / "LOC_synset_mapping.txt")
    assert [label for _, label, _ in named] == ["tench", "goldfish"]


def test_sun_takes_the_scenes_of_the_benchmark_and_of_the_list(rows: Rows, tmp_path: Path) -> None:
    root = trees.sunrgbd(tmp_path / "SUNRGBD")
    assert {label for _, label, _ in rows("sun", root)} == {"kitchen", "office", "study_space"}
    assert rows("sun", root, "--only", tmp_path / "sun_test.txt") == [
        ("SUNRGBD/kv1/NYUdata/NYU0001/depth_bfx/0.png", "kitchen", "kitchen"),
        (
            "SUNRGBD/kv2/align_kv2/2014-12-18_11-34-09_260595134347/depth_bfx/0.png",
            "study_space",
            "study_space",
        ),
    ]


def test_nyu_counts_rare_scenes_as_others(rows: Rows, tmp_path: Path) -> None:
    root = trees.sunrgbd(tmp_path / "SUNRGBD")
    folder = "SUNRGBD/kv1/NYUdata"
    assert rows("nyu", root, "--only", tmp_path / "nyu_test.txt") == [
        (f"{folder}/NYU0001/depth_bfx/0.png", "kitchen", "kitchen"),
        (f"{folder}/NYU0002/depth_bfx/0.png", "basement", "others"),
    ]
    assert len(rows("nyu", root)) == 3


def test_llvip_crops_people_and_places_without_any(rows: Rows, tmp_path: Path) -> None:
    root = trees.llvip(tmp_path / "LLVIP")
    assert rows("llvip", root, tmp_path / "crops") == [
        ("crops/person/190001_0.png", "person", "person"),
        ("crops/background/190001_0.png", "background", "background"),
    ]
    person, place = (
        cv2.imread(str(tmp_path / "crops" / label / "190001_0.png"), cv2.IMREAD_UNCHANGED)
        for label in ("person", "background")
    )
    assert person is not None
    assert place is not None
    assert person.shape == place.shape == (40, 12)
    assert np.median(person) > 200
    assert np.median(place) < 60


corner = st.integers(0, 90)


@settings(deadline=None)
@given(boxes=st.lists(st.tuples(corner, corner), min_size=1, max_size=5), seed=st.integers(0, 9))
def test_a_place_without_people_is_inside_and_meets_none(
    boxes: list[tuple[int, int]], seed: int
) -> None:
    people = [Box(left, top, left + 10, top + 10) for left, top in boxes]
    place = elsewhere(people[0], people, (100, 100), np.random.default_rng(seed))
    assert place is not None, "five boxes of a hundredth leave room"
    taken = np.zeros((100, 100), bool)
    for person in people:
        taken[person.top : person.bottom, person.left : person.right] = True
    cut = taken[place.top : place.bottom, place.left : place.right]
    assert cut.shape == (10, 10)
    assert not cut.any()


def test_a_picture_full_of_people_has_no_other_place() -> None:
    full = Box(0, 0, 80, 64)
    assert elsewhere(full, [full], (64, 80), np.random.default_rng(0)) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["folder", "nowhere"], "nowhere: expected a folder"),
        (["esc50", "nowhere"], "No such file"),
        (["kinetics", ".", "bad.csv"], "bad.csv: expected the columns label, youtube_id"),
        (["kinetics", ".", "worse.csv"], "worse.csv: expected a whole number, got 'soon'"),
        (["folder", "empty"], "expected files of this data set there, found none"),
        (["llvip", ".", "crops"], "expected pictures, found none"),
    ],
)
def test_what_cannot_work_is_one_line(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    (tmp_path / "worse.csv").write_text("label,youtube_id,time_start,time_end\na,b,soon,2\n")
    with pytest.raises(SystemExit, match=message) as error:
        datasets.main(arguments)
    assert "\n" not in str(error.value)
