"""Where weights are, and what a name means."""

from pathlib import Path

import pytest

from encoders.imagebind.runtime import ImageBindEncoder
from encoders.store.folder import find, weights_folder
from streamer.errors import EncoderFailed


def test_the_folder_is_the_platforms_or_the_one_that_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("STREAMER_WEIGHTS", raising=False)
    monkeypatch.delenv("STREAMER_CACHE", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("HOME", "/home/robot")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert weights_folder() == Path("/caches/imagebind-streamer/weights")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert weights_folder() == Path("/home/robot/.cache/imagebind-streamer/weights")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert weights_folder() == Path("/home/robot/.cache/imagebind-streamer/weights")
    monkeypatch.setattr("sys.platform", "darwin")
    assert weights_folder() == Path("/home/robot/Library/Caches/imagebind-streamer/weights")
    monkeypatch.setenv("STREAMER_WEIGHTS", "~/weights")
    assert weights_folder() == Path("/home/robot/weights")


def test_a_known_name_is_in_the_cache_folder_the_file_before_the_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("STREAMER_WEIGHTS", str(cache))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "imagebind_huge").mkdir()  # a path of the same name is ./imagebind_huge
    hint = "imagebind_huge: not in .*cache: get it with `streamer weights pull imagebind_huge`"
    with pytest.raises(EncoderFailed, match=hint):
        find("imagebind_huge")
    (cache / "imagebind_huge").mkdir(parents=True)
    assert find("imagebind_huge") == cache / "imagebind_huge"
    (cache / "imagebind_huge.pth").write_text("")
    assert find("imagebind_huge") == cache / "imagebind_huge.pth"
    assert find("./imagebind_huge") == Path("imagebind_huge")


def test_the_encoder_says_how_to_get_what_is_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STREAMER_WEIGHTS", str(tmp_path))
    with pytest.raises(EncoderFailed) as caught:
        ImageBindEncoder(weights="imagebind_huge", device="cpu").preflight()
    assert str(caught.value) == (
        f"encoder.weights: imagebind_huge: not in {tmp_path}: get it with"
        " `streamer weights pull imagebind_huge`"
    )
    with pytest.raises(EncoderFailed, match=r"^encoder.weights: a.pth: no such file$"):
        ImageBindEncoder(weights="a.pth", device="cpu").preflight()
