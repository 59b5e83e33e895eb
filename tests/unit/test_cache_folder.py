"""Entries of the cache folder: whole or not there, whoever writes, wherever it lies."""

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from encoders.cache_folder import CacheFolder, cache_folder

NAME = "labels/one"


def test_the_folder_is_where_the_platform_or_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("STREAMER_CACHE", "~/mine")
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("STREAMER_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert cache_folder() == tmp_path / "caches" / "imagebind-streamer"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert cache_folder() == tmp_path / ".cache" / "imagebind-streamer"


def test_what_was_written_is_read_and_the_newest_wins(tmp_path: Path):
    cache = CacheFolder(tmp_path / "made" / "when needed")
    assert cache.read(NAME, 100) is None
    cache.write(NAME, b"first")
    cache.write(NAME, b"second")
    assert CacheFolder(cache.path).read(NAME, 6) == b"second"


def test_an_entry_that_is_too_large_is_not_read(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    cache = CacheFolder(tmp_path)
    cache.write(NAME, b"seven..")
    assert cache.read(NAME, 6) is None
    assert "expected at most 6 bytes, got more; made again" in caplog.text


def test_whoever_reads_while_many_write_sees_one_of_them_whole(tmp_path: Path):
    entries = [bytes([65 + n]) * 100_000 for n in range(8)]
    CacheFolder(tmp_path).write(NAME, entries[0])

    def write(entry: bytes) -> list[bytes | None]:
        own = CacheFolder(tmp_path)
        seen: list[bytes | None] = []
        for _ in range(5):
            own.write(NAME, entry)
            seen.append(own.read(NAME, 200_000))
        return seen

    with ThreadPoolExecutor(len(entries)) as pool:
        seen = [each for some in pool.map(write, entries) for each in some]
    assert len(seen) == 40
    assert set(seen) <= set(entries)
    assert [path.name for path in (tmp_path / "labels").iterdir()] == ["one"]


@pytest.mark.parametrize("where", ["/proc/streamer", "a file"])
def test_a_folder_that_cannot_be_written_is_told_of_once(
    where: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    # Permissions would not stop root; a file system that makes no folders stops everybody.
    path = Path(where) if where.startswith("/") else tmp_path / "file"
    if not where.startswith("/"):
        path.write_bytes(b"no folder")
    cache = CacheFolder(path)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert cache.read(NAME, 10) is None
            cache.write(NAME, b"lost")
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{path}: cannot keep anything here (")
