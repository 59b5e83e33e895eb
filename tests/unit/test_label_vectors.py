"""Label vectors that are kept: the same to the bit, of this model and label set, or made again."""

import hashlib
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from encoders.cache_folder import CacheFolder
from encoders.label_vectors import LabelVectors
from encoders.zeroshot import LabelSet, class_vectors

DIM = 12
ANIMALS = LabelSet("animals", ("dog", "cat", "horse"))
MODEL = "ab" * 32

lines = st.text(st.characters(exclude_characters="{}", exclude_categories=["Cs"]), min_size=1)
words = lines.map(lambda line: line[:40]).filter(lambda line: bool(line.strip()))
label_sets = st.builds(
    LabelSet,
    st.just("set"),
    st.lists(words, min_size=1, max_size=5, unique=True).map(tuple),
    st.lists(words.map(lambda word: word + " {}"), min_size=1, max_size=3, unique=True).map(tuple),
)


class Speaker:
    """A text tower of its own kind, which counts the prompts that it was given."""

    def __init__(self) -> None:
        self.prompts = 0

    def __call__(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        self.prompts += len(prompts)
        rows = [hashlib.sha256(prompt.encode()).digest()[:DIM] for prompt in prompts]
        return np.array([list(row) for row in rows], np.float32) - 127


def kept(path: Path, model: str = MODEL, precision: str = "float32") -> LabelVectors:
    return LabelVectors(CacheFolder(path), model, precision, DIM)


@settings(max_examples=30, deadline=None)  # a disk may be slow
@given(label_sets)
def test_the_second_time_no_text_is_encoded_and_the_vectors_are_the_same_bits(of: LabelSet):
    speaker = Speaker()
    with TemporaryDirectory() as folder:
        first = kept(Path(folder)).of(speaker, of)
        assert speaker.prompts == len(of.labels) * len(of.templates)
        again = kept(Path(folder)).of(speaker, of)
        assert speaker.prompts == len(of.labels) * len(of.templates)
    assert first.tobytes() == again.tobytes() == class_vectors(Speaker(), of).tobytes()
    assert (again.dtype, again.shape) == (np.float32, (len(of.labels), DIM))


@pytest.mark.parametrize(
    ("other", "model", "precision"),
    [
        (replace(ANIMALS, labels=("dog", "cat", "cow")), MODEL, "float32"),
        (replace(ANIMALS, labels=("cat", "dog", "horse")), MODEL, "float32"),
        (replace(ANIMALS, templates=("{}",)), MODEL, "float32"),
        (replace(ANIMALS, templates=(*ANIMALS.templates[:2], "a sketch of {}.")), MODEL, "float32"),
        (ANIMALS, "ab" * 8 + "cd" * 24, "float32"),  # alike as far as the name of the entry goes
        (ANIMALS, "cd" * 32, "float32"),
        (ANIMALS, MODEL, "bfloat16"),
    ],
)
def test_another_label_template_model_or_precision_is_another_entry(
    other: LabelSet, model: str, precision: str, tmp_path: Path
):
    kept(tmp_path).of(Speaker(), ANIMALS)
    speaker = Speaker()
    vectors = kept(tmp_path, model, precision).of(speaker, other)
    assert speaker.prompts == len(other.labels) * len(other.templates)
    assert vectors.tobytes() == class_vectors(Speaker(), other).tobytes()


def test_the_name_of_a_label_set_is_not_part_of_it(tmp_path: Path):
    kept(tmp_path).of(Speaker(), ANIMALS)
    speaker = Speaker()
    kept(tmp_path).of(speaker, replace(ANIMALS, name="beasts"))
    assert speaker.prompts == 0


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_happens_to_an_entry_the_vectors_are_right(data: st.DataObject):
    right = class_vectors(Speaker(), ANIMALS)
    with TemporaryDirectory() as folder:
        kept(Path(folder)).of(Speaker(), ANIMALS)
        entry = Path(folder) / kept(Path(folder)).name(ANIMALS)
        good = entry.read_bytes()
        if data.draw(st.booleans()):
            bad = good[: data.draw(st.integers(0, len(good) - 1))]
        else:
            at, flip = data.draw(st.integers(0, len(good) - 1)), data.draw(st.integers(1, 255))
            bad = good[:at] + bytes([good[at] ^ flip]) + good[at + 1 :]
        entry.write_bytes(bad)
        assert kept(Path(folder)).of(Speaker(), ANIMALS).tobytes() == right.tobytes()


@pytest.mark.parametrize("damage", ["empty", "cut", "huge", "foreign"])
def test_a_damaged_entry_is_told_of_and_replaced(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    keeper = kept(tmp_path)
    keeper.of(Speaker(), ANIMALS)
    entry = tmp_path / keeper.name(ANIMALS)
    good = entry.read_bytes()
    other = kept(tmp_path, "cd" * 32)
    other.of(Speaker(), ANIMALS)
    bad = {
        "empty": b"",
        "cut": good[:-1],
        "huge": good + bytes(1 << 20),
        "foreign": (tmp_path / other.name(ANIMALS)).read_bytes(),
    }
    entry.write_bytes(bad[damage])
    speaker = Speaker()
    keeper.of(speaker, ANIMALS)
    assert speaker.prompts == 9
    (record,) = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert str(entry) in record.getMessage()
    assert "made again" in record.getMessage()
    assert entry.read_bytes() == good


def test_many_that_start_at_once_all_get_the_same(tmp_path: Path):
    with ThreadPoolExecutor(8) as pool:
        starts = [pool.submit(kept(tmp_path).of, Speaker(), ANIMALS) for _ in range(24)]
        several = {start.result().tobytes() for start in starts}
    assert several == {class_vectors(Speaker(), ANIMALS).tobytes()}
    assert len(list((tmp_path / "labels").iterdir())) == 1


def test_without_a_folder_to_write_all_works_and_is_made_every_time():
    keeper, speaker = kept(Path("/proc/streamer")), Speaker()
    first, again = keeper.of(speaker, ANIMALS), keeper.of(speaker, ANIMALS)
    assert speaker.prompts == 18
    assert first.tobytes() == again.tobytes()
