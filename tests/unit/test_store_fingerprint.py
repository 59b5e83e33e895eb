"""The hash beside a file: sha256sum's, and never a stale one."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoders.store.fingerprint import combined, compute, files_of, store, stored
from streamer.errors import EncoderFailed
from tests.needs import program

WHEN = "2026-05-01T10:00:00+00:00"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a b.pth"
    path.write_bytes(b"weights" * 1_000_000)
    return path


def quiet(done: int, total: int) -> None:
    pass


def side(file: Path) -> Path:
    return file.with_name(f"{file.name}.sha256")


def test_the_hash_is_the_one_that_sha256sum_computes_and_checks(file: Path) -> None:
    heard: list[tuple[int, int]] = []
    got, at = compute(file, lambda done, total: heard.append((done, total)))
    assert got == hashlib.sha256(b"weights" * 1_000_000).hexdigest()
    assert heard[-1] == (7_000_000, 7_000_000)
    store(file, got, at, WHEN)
    command = [program("sha256sum"), "--check", "--strict", side(file).name]
    subprocess.run(command, cwd=file.parent, check=True, capture_output=True)
    file.write_bytes(b"other")
    assert subprocess.run(command, cwd=file.parent, check=False, capture_output=True).returncode


@given(
    st.one_of(st.binary(max_size=200), st.from_regex(r"# \d+ bytes.*\n[0-9a-f]{60,66}  a b.pth"))
)
def test_what_lies_beside_a_file_is_a_hash_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, content: bytes | str
) -> None:
    file = tmp_path_factory.getbasetemp() / "a b.pth"
    side(file).write_bytes(content if isinstance(content, bytes) else content.encode())
    found = stored(file)
    assert found is None or len(found.sha256) == 64


def test_another_files_hash_is_none_of_ours(file: Path) -> None:
    side(file).write_text(f"{'0' * 64}  other.pth\n")
    assert stored(file) is None


def test_a_folders_hash_is_over_its_files(tmp_path: Path) -> None:
    contents = {"vision": b"v", "audio": b"a"}
    for tower, content in contents.items():
        (tmp_path / f"{tower}.safetensors").write_bytes(content)
    sums = subprocess.run(
        [program("sha256sum"), "audio.safetensors", "vision.safetensors"],
        cwd=tmp_path, check=True, capture_output=True,
    ).stdout  # fmt: skip
    hashes = {path.name: compute(path, quiet)[0] for path in files_of(tmp_path)}
    assert combined(hashes) == hashlib.sha256(sums).hexdigest()


def test_no_file_and_no_towers_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(EncoderFailed, match="No such file"):
        compute(tmp_path / "absent.pth", quiet)
    with pytest.raises(EncoderFailed, match=r"expected a TOWER.safetensors for each tower"):
        files_of(tmp_path)
