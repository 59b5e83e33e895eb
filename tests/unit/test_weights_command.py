"""`streamer weights`: what is asked, said and answered."""

import json
import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from streamer.cli.main import app
from tests.e2e.command import COMMAND, OURS
from tests.files_server import Served, serving
from tests.needs import ROOT
from tests.packed import packed_state, save_packed

FILE = b"no checkpoint at all " * 50_000


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("STREAMER_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(FILE) as server:
        yield server


def weights(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["weights", *arguments, "--json"])


def report(result: Result) -> dict[str, Any]:
    return json.loads(result.stdout.splitlines()[-1])


def test_nothing_is_fetched_before_the_licence_is_accepted(served: Served, cache: Path) -> None:
    result = weights("pull", "imagebind_huge", "--url", served.url)
    assert result.exit_code == 2
    assert "CC BY-NC-SA 4.0" in result.stderr
    assert "NON-COMMERCIAL" in result.stderr
    assert report(result)["errors"] == [
        "licence: expected --accept-licence, since nobody is here to be asked"
    ]
    assert not served.asked
    assert not list(cache.iterdir())


def test_pull_then_what_came_is_no_checkpoint(served: Served, cache: Path) -> None:
    arguments = ("pull", "imagebind_huge", "--accept-licence", "--url", served.url)
    result = weights(*arguments)
    path = cache / "imagebind_huge.pth"
    assert result.exit_code == 0, result.stderr
    assert report(result) == {
        "command": "weights pull", "ok": True, "path": str(path), "bytes": len(FILE),
        "fetched": True,
    }  # fmt: skip
    assert path.read_bytes() == FILE
    assert report(weights(*arguments))["fetched"] is False
    assert len(served.asked) == 1
    result = weights("verify", "imagebind_huge")
    assert result.exit_code == 1
    assert "imagebind_huge.pth: expected a .pth state dict, got: " in report(result)["errors"][0]
    assert report(weights("list"))["weights"][0]["problem"] == report(result)["errors"][0]


@pytest.mark.parametrize("answer", ["y", "n"])
def test_the_licence_is_a_question_on_a_terminal(served: Served, cache: Path, answer: str) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "wb", buffering=0) as keys, os.fdopen(theirs, "rb") as terminal:
        keys.write(f"{answer}\n".encode())
        done = subprocess.run(
            [*COMMAND, "weights", "pull", "imagebind_huge", "--url", served.url],
            stdin=terminal, capture_output=True, text=True, timeout=100, check=False, cwd=ROOT,
            env={**os.environ, **OURS, "STREAMER_WEIGHTS": str(cache), "no_proxy": "127.0.0.1"},
        )  # fmt: skip
    assert "Do you accept this licence? [y/n] (n):" in done.stderr
    assert done.stdout == ""
    if answer == "y":
        assert done.returncode == 0, done.stderr
        assert (cache / "imagebind_huge.pth").read_bytes() == FILE
    else:
        assert done.returncode == 1
        assert "licence: not accepted: nothing was fetched" in done.stderr
        assert not served.asked


def test_ctrl_c_keeps_what_has_come(served: Served, cache: Path) -> None:
    served.cuts = [500_000]
    served.hold()
    with subprocess.Popen(
        [
            *COMMAND, "weights", "pull", "imagebind_huge", "--accept-licence", "--json",
            "--url", served.url,
        ],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, **OURS, "STREAMER_WEIGHTS": str(cache), "no_proxy": "127.0.0.1"},
    ) as child:  # fmt: skip
        assert served.sent.wait(60)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert json.loads(out) == {"command": "weights pull", "ok": False, "stopped": True}
    assert "stopped; what has come is kept: the same command goes on" in err
    served.release()
    weights("pull", "imagebind_huge", "--accept-licence", "--url", served.url)
    assert (cache / "imagebind_huge.pth").read_bytes() == FILE


def test_verify_list_and_convert_report(cache: Path) -> None:
    path = save_packed(cache / "tiny.safetensors", packed_state())
    result = weights("verify", str(path))
    assert result.exit_code == 0, result.stderr
    verified = report(result)
    assert verified["verdict"] == "stored for the first time"
    assert verified["towers"]["audio"]["dtype"] == "float16"
    assert set(verified["towers"]) == {"vision", "text", "audio", "depth", "thermal", "imu"}
    listed = report(weights("list"))
    assert listed["folder"] == str(cache)
    (entry,) = listed["weights"]
    assert entry["sha256"] == verified["sha256"]
    assert entry["checked"].endswith("+00:00")
    converted = report(weights("convert", str(path), "-o", str(cache / "out"), "--dtype", "fp16"))
    assert converted["ok"]
    assert set(converted["bytes"]) == set(verified["towers"])
    again = weights("convert", str(path), "-o", str(cache / "out"))
    assert again.exit_code == 1
    assert report(again)["errors"] == [
        f"{cache / 'out'}: expected a new folder, got one that exists"
    ]
    assert report(weights("verify", str(cache / "out")))["ok"]
    assert [entry["format"] for entry in report(weights("list"))["weights"]] == [
        "folder",
        "safetensors",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (("pull", "clip"), 2, "clip: expected one of imagebind_huge"),
        (("pull", "imagebind_huge", "--accept-licence", "--url", "a.pth"), 1, "--url: expected"),
        (("verify", "imagebind_huge"), 1, "get it with `streamer weights pull imagebind_huge`"),
        (("verify", "absent.pth"), 1, "absent.pth: no such file"),
        (("verify", "a.pth", "--sha256", "12"), 2, "--sha256: expected 64 hexadecimal digits"),
        (("convert", "absent.pth", "-o", "out"), 1, "absent.pth: no such file"),
    ],
)
def test_a_mistake_is_one_line(arguments: tuple[str, ...], code: int, line: str) -> None:
    result = weights(*arguments)
    assert result.exit_code == code
    (said,) = report(result)["errors"]
    assert line in said
