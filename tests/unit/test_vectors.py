"""Outputs of `embed`: what is written is read again, and what is damaged is one line."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from streamer.cli.embed import vectors
from streamer.cli.embed.vectors import ROWS, Row, read, write_lines, write_matrix
from streamer.errors import SourceLost

ABOUT: dict[str, Any] = {"file": "a.mp4", "model": "tiny", "model_hash": "ab12"}


def rows(count: int, dim: int = 8) -> list[Row]:
    numbers = np.random.default_rng(0).normal(size=(count, dim))
    unit = (numbers / np.linalg.norm(numbers, axis=1, keepdims=True)).astype(np.float32)
    window = {**ABOUT, "modality": "audio", "labels": [{"label": "é", "p": 1.0}]}
    return [({**window, "t0_s": 2.0 * i - 1, "t1_s": 2.0 * i + 1}, unit[i]) for i in range(count)]


def lines_of(given: list[Row]) -> list[dict[str, Any]]:
    text = io.StringIO()
    write_lines(given, text)
    return [json.loads(line) for line in text.getvalue().splitlines()]


def save(path: Path, given: list[Row]) -> Path:
    if path.suffix == ".safetensors":
        write_matrix(given, path)
    else:
        with path.open("w") as file:
            write_lines(given, file)
    return path


@pytest.mark.parametrize("name", ["out.jsonl", "out.safetensors"])
def test_what_is_written_is_read_again_in_chunks(tmp_path: Path, name: str) -> None:
    given = [
        *rows(ROWS + 5),
        ({**ABOUT, "modality": "text", "line": 3, "text": "é"}, rows(1)[0][1]),
    ]
    chunks = list(read(save(tmp_path / name, given)))
    assert [len(chunk.records) for chunk in chunks] == [ROWS, 6]
    np.testing.assert_array_equal(
        np.concatenate([chunk.vectors for chunk in chunks]), np.array([v for _, v in given])
    )
    records = [record for chunk in chunks for record in chunk.records]
    assert [(r.file, r.modality, r.t0_s, r.t1_s) for r in records[:2]] == [
        ("a.mp4", "audio", -1, 1), ("a.mp4", "audio", 1, 3),
    ]  # fmt: skip
    assert (records[-1].modality, records[-1].line, records[-1].text) == ("text", 3, "é")
    assert {(r.model, r.model_hash) for r in records} == {("tiny", "ab12")}


def test_lines_longer_than_a_piece_are_put_together(tmp_path: Path) -> None:
    # Three lines of 0.4 MB: the second lies across the border of a piece of 1 MB.
    given = [({**record, "labels": "x" * 400_000}, vector) for record, vector in rows(3)]
    (chunk,) = read(save(tmp_path / "out.safetensors", given))
    assert [record.t0_s for record in chunk.records] == [-1, 1, 3]


def changed(**fields: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda line: {**line, **fields}


def instead(value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda line: value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (instead({}), "out.jsonl:2: expected a record of streamer embed; file: Field required"),
        (instead([]), "expected a record of streamer embed; Input should be an object"),
        (changed(vector=[0.6, 0.8]), "expected vectors of 8 numbers, got one of 2"),
        (changed(vector=[1.0] * 8), "expected unit vectors, got one of length 2.828"),
        (changed(vector=[1e300] * 8), "expected unit vectors, got one of length inf"),
        (changed(vector=[float("nan")] * 8), "vector.0: Input should be a finite number"),
        (changed(vector=["1"] * 8), "vector.0: Input should be a valid number"),
        (changed(vector=[1.0]), "vector: List should have at least 2 items"),
        (changed(vector=[0.0] * 16385), "vector: List should have at most 16384 items"),
        (changed(modality="smell"), "modality: Input should be"),
        (changed(modality="text"), "expected line and text"),
        (changed(t1_s=-7.0), "expected t0_s < t1_s"),
        (changed(t0_s=None), "expected t0_s < t1_s"),
        (changed(file="x" * 5000), "file: String should have at most 4096 characters"),
        (changed(labels="x" * (1 << 20)), "out.jsonl:2: expected lines of at most 1048576 bytes"),
        (instead("\ud800"), "out.jsonl:2: expected a record of streamer embed"),
    ],
)  # fmt: skip
def test_a_damaged_line_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    lines = lines_of(rows(3))
    text = "".join(json.dumps(x) + "\n" for x in [lines[0], change(lines[1]), lines[2]])
    path = tmp_path / "out.jsonl"
    path.write_text(text)
    with pytest.raises(SourceLost) as error:
        list(read(path))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400 + len(str(path))


@pytest.mark.parametrize("data", [b"", b"\n\n", b"[" * 100_000, b"\xff\xfe", b'{"file":'])
def test_what_is_no_output_is_refused(tmp_path: Path, data: bytes) -> None:
    for name in ("out.jsonl", "out.safetensors"):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(SourceLost, match=r"streamer embed") as error:
            list(read(path))
        assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for name in ("out.jsonl", "out.safetensors"):
        with pytest.raises(SourceLost, match=name):
            list(read(tmp_path / name))


def matrix(**tensors: Any) -> dict[str, Any]:
    text = "".join(json.dumps(record) + "\n" for record, _ in rows(3)).encode()
    good = {"vectors": np.array([v for _, v in rows(3)]), "records": np.frombuffer(text, np.uint8)}
    return {name: value for name, value in {**good, **tensors}.items() if value is not None}


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (matrix(records=None), "has no records"),
        (matrix(vectors=None), "has no vectors"),
        (matrix(vectors=np.ones((3, 8))), "vectors: expected F32 of 2 axes, got F64"),
        (matrix(vectors=np.ones(3, np.float32)), "vectors: expected F32 of 2 axes, got F32 of 1"),
        (matrix(vectors=np.ones((3, 1), np.float32)), "vectors of 2 to 16384 numbers"),
        (matrix(vectors=np.full((3, 8), np.nan, np.float32)), "got one of length nan"),
        (matrix(vectors=np.array([v for _, v in rows(2)])), "expected 2 records, got more"),
        (matrix(vectors=np.array([v for _, v in rows(4)])), "expected 4 records, got 3"),
        (matrix(vectors=np.zeros((0, 8), np.float32)), "expected 0 records, got more"),
        (matrix(records=np.full(3 << 20, 65, np.uint8)), "expected lines of at most 1048576"),
    ],
)
def test_a_damaged_matrix_is_refused(tmp_path: Path, tensors: Any, message: str) -> None:
    path = tmp_path / "out.safetensors"
    save_file(tensors, path)
    with pytest.raises(SourceLost) as error:
        list(read(path))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_matrix_cut_short_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "out.safetensors", rows(30))
    data = path.read_bytes()
    for size in (4, 100, len(data) - 1):
        path.write_bytes(data[:size])
        with pytest.raises(SourceLost, match="expected the output of streamer embed"):
            list(read(path))


def test_records_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "out.jsonl", rows(ROWS + 2))
    monkeypatch.setattr(vectors, "MOST_RECORDS", ROWS + 1)
    with pytest.raises(SourceLost, match=f"at most {ROWS + 1} records"):
        list(read(path))
