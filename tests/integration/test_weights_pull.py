"""Fetching weights over a connection that breaks, from a server that misbehaves."""

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encoders.store.part import beside
from encoders.store.pull import Patience, pull
from streamer.errors import EncoderFailed
from tests.files_server import Served, serving
from tests.needs import ROOT

FILE = np.random.default_rng(0).bytes(3_000_000)
OTHER = np.random.default_rng(1).bytes(2_000_000)
QUICK = Patience(delays_s=(0.0, 0.0, 0.0), timeout_s=10.0)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(FILE) as server:
        yield server


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "huge.pth"


def fetch(served: Served, target: Path, patience: Patience = QUICK) -> list[tuple[int, int]]:
    heard: list[tuple[int, int]] = []
    pull(served.url, target, lambda done, total: heard.append((done, total)), patience)
    return heard


def refused(served: Served, target: Path, message: str, patience: Patience = QUICK) -> str:
    with pytest.raises(EncoderFailed, match=message) as caught:
        fetch(served, target, patience)
    assert "\n" not in str(caught.value)
    assert not target.exists()
    return str(caught.value)


def part_size(target: Path) -> int:
    return beside(target)[0].stat().st_size


def test_a_file_comes_whole_under_its_name_and_nothing_else_is_left(
    served: Served, target: Path
) -> None:
    heard = fetch(served, target)
    assert target.read_bytes() == FILE
    assert [path.name for path in target.parent.iterdir()] == ["huge.pth"]
    assert heard[0] == (0, len(FILE))
    assert heard[-1] == (len(FILE), len(FILE))
    assert heard == sorted(heard)
    assert "range" not in served.asked[0]


def test_a_connection_that_is_cut_goes_on_where_it_was(served: Served, target: Path) -> None:
    served.cuts = [1_200_000, 700_000]
    fetch(served, target)
    assert target.read_bytes() == FILE
    ranges = [headers.get("range") for headers in served.asked]
    assert ranges == [None, "bytes=1200000-", "bytes=1900000-"]
    assert [headers.get("if-range") for headers in served.asked] == [None, '"one"', '"one"']


def test_when_patience_ends_the_part_is_kept_and_the_same_command_goes_on(
    served: Served, target: Path
) -> None:
    served.cuts = [1_000_000, 0, 0, 0, 0]
    line = refused(served, target, "expected 3000000 bytes, the connection ended at 1000000")
    assert "1000000 of 3000000 bytes are kept: the same command goes on" in line
    assert beside(target)[0].read_bytes() == FILE[:1_000_000]
    served.asked.clear()
    heard = fetch(served, target)
    assert target.read_bytes() == FILE
    assert served.asked[0]["range"] == "bytes=1000000-"
    assert heard[0] == (1_000_000, 3_000_000)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 90_000), max_size=6), st.booleans())
def test_wherever_it_is_cut_the_file_is_the_same(cuts: list[int], ranges: bool) -> None:
    content = FILE[:100_000]
    patience = Patience(delays_s=(0.0,) * 7, timeout_s=10.0)
    with serving(content) as served, TemporaryDirectory() as folder:
        served.cuts, served.ranges = list(cuts), ranges
        fetch(served, Path(folder) / "a", patience)
        assert (Path(folder) / "a").read_bytes() == content


def test_a_server_without_ranges_starts_again(served: Served, target: Path) -> None:
    served.ranges = False
    served.cuts = [1_000_000]
    fetch(served, target)
    assert target.read_bytes() == FILE
    assert served.asked[1]["range"] == "bytes=1000000-"


@pytest.mark.parametrize("ignores_if_range", [False, True])
def test_a_file_that_changed_is_started_again_not_glued(
    served: Served, target: Path, ignores_if_range: bool
) -> None:
    served.cuts = [1_000_000, 0, 0, 0, 0]
    refused(served, target, "goes on")
    served.content, served.etag = OTHER, '"two"'
    served.ignores_if_range = ignores_if_range
    fetch(served, target)
    assert target.read_bytes() == OTHER


def test_a_file_that_changed_into_a_shorter_one(served: Served, target: Path) -> None:
    served.cuts = [2_500_000, 0, 0, 0, 0]
    refused(served, target, "goes on")
    served.content, served.ignores_if_range = OTHER, True
    fetch(served, target)
    assert target.read_bytes() == OTHER


@pytest.mark.parametrize("etag", [None, 'W/"one"'])
def test_a_server_that_cannot_tell_files_apart_starts_again(
    served: Served, target: Path, etag: str | None
) -> None:
    served.etag = etag
    served.cuts = [1_000_000]
    fetch(served, target)
    assert target.read_bytes() == FILE
    assert "range" not in served.asked[1]


@pytest.mark.parametrize("notes", ["", "{}", '{"url": 3}', "\x00" * 9, "[" * 100_000])
def test_damaged_notes_start_again(served: Served, target: Path, notes: str) -> None:
    served.cuts = [1_000_000, 0, 0, 0, 0]
    refused(served, target, "goes on")
    beside(target)[1].write_text(notes)
    served.asked.clear()
    fetch(served, target)
    assert target.read_bytes() == FILE
    assert "range" not in served.asked[0]


def test_what_was_not_synced_before_a_power_failure_is_fetched_again(
    served: Served, target: Path
) -> None:
    served.cuts = [1_000_000, 0, 0, 0, 0]
    refused(served, target, "goes on")
    with beside(target)[0].open("ab") as part:
        part.write(b"\x00" * 500_000)
    fetch(served, target)
    assert target.read_bytes() == FILE


def test_a_length_that_is_wrong(served: Served, target: Path) -> None:
    served.claimed = "3000001"
    refused(served, target, "expected 3000001 bytes, the connection ended at 3000000")
    served.claimed = ""
    refused(served, target, "expected a Content-Length, got ''")
    served.claimed = "many"
    refused(served, target, "expected a Content-Length, got 'many'")


@pytest.mark.parametrize(
    "said", ["bytes 999999-2999999/3000000", "bytes 1000000-2999998/3000000", "bytes */3", "x"]
)
def test_a_range_that_was_not_asked_for(served: Served, target: Path, said: str) -> None:
    served.cuts = [1_000_000]
    served.content_range = said
    refused(served, target, "expected (bytes 1000000 to the end|the file), got")


def test_a_disk_that_is_full(served: Served, target: Path) -> None:
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from encoders.store.pull import pull\n"
        "from streamer.errors import EncoderFailed\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))\n"
        "try: pull(sys.argv[1], Path(sys.argv[2]), lambda *_: None)\n"
        "except EncoderFailed as error: print(error)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, served.url, str(target)],
        capture_output=True, text=True, timeout=100, check=True, cwd=ROOT,
    ).stdout  # fmt: skip
    assert said == (
        f"{target}.part: File too large: 1500000 of 3000000 bytes are kept: make room, and the"
        " same command goes on\n"
    )
    assert part_size(target) == 1_500_000
    fetch(served, target)
    assert target.read_bytes() == FILE
    assert served.asked[1]["range"] == "bytes=1500000-"


def test_no_room_is_said_before_anything_is_fetched(served: Served, target: Path) -> None:
    served.claimed = str(1 << 60)
    refused(served, target, f"expected {1 << 60} bytes of free space, got ")
    assert part_size(target) == 0


def test_a_folder_that_cannot_be_made(served: Served, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(
        served,
        tmp_path / "file" / "huge.pth",
        "expected a folder that can be written, got: File exists",
    )


def test_statuses(served: Served, target: Path) -> None:
    served.statuses = [404]
    refused(served, target, "expected the file, got 404 Not Found")
    served.statuses = [500, 503, 429]
    fetch(served, target)
    assert target.read_bytes() == FILE
    assert len(served.asked) == 5


def test_redirects(served: Served, target: Path) -> None:
    served.statuses, served.location = [302], "ftp://127.0.0.1/a"
    refused(served, target, "expected no way out of https, got ftp:")
    served.statuses, served.location = [302], "file:///etc/passwd"
    refused(served, target, "expected the file, got 302")
    served.statuses, served.location = [302], served.url
    fetch(served, target)
    assert target.read_bytes() == FILE


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/a", "http://", "a.pth", ""])
def test_only_http(target: Path, url: str) -> None:
    with pytest.raises(EncoderFailed, match="--url: expected http:// or https:// and a host"):
        pull(url, target, lambda _, __: None)


def test_nobody_there(served: Served, target: Path) -> None:
    with serving(b"") as gone:
        pass
    served.url = gone.url
    refused(served, target, "refused.*: 0 bytes are kept: the same command goes on")


def test_a_server_that_falls_silent(served: Served, target: Path) -> None:
    served.hold()
    served.cuts = [1_000_000, 0]
    patience = Patience(delays_s=(0.0,), timeout_s=0.3)
    refused(served, target, "timed out: 1000000 of 3000000 bytes are kept", patience)
    served.release()
    fetch(served, target)
    assert target.read_bytes() == FILE


def test_one_process_at_a_time(served: Served, target: Path) -> None:
    target.parent.mkdir()
    with beside(target)[0].open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        refused(served, target, "expected to be alone")
    fetch(served, target)
    with pytest.raises(EncoderFailed, match="expected no such file, got one"):
        fetch(served, target)


def test_a_server_that_refuses_every_range_is_one_line(served: Served, target: Path) -> None:
    served.statuses = [416] * 100
    refused(served, target, "got 416")
    assert len(served.asked) == 1


def test_a_server_cannot_send_more_than_it_said(served: Served, target: Path) -> None:
    served.claimed = "1000"
    served.coding = "chunked"
    refused(served, target, "expected the file as it is, got it in 'chunked' coding")
    assert part_size(target) == 0


def test_a_page_is_no_file_of_weights(served: Served, target: Path) -> None:
    served.kind = "text/html; charset=utf-8"
    refused(served, target, "expected weights, got text/html")


def test_a_part_is_gone_on_with_only_from_where_it_came(served: Served, target: Path) -> None:
    served.cuts = [1_000_000] * 4
    refused(served, target, "1000000 of 3000000 bytes are kept", Patience(delays_s=()))
    with serving(OTHER) as mirror:
        refused(mirror, target, f"expected the rest of {served.url}, of which 1000000 of 3000000")
        assert mirror.asked == []
    served.cuts = []
    fetch(served, target)
    assert target.read_bytes() == FILE
    assert served.asked[-1]["range"] == "bytes=1000000-"
