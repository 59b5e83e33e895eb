"""What is missing skips by name, and fails where it must be there."""

from pathlib import Path

import pytest

from tests.needs import program, released_weights, shared


def test_on_a_developers_machine_it_skips_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs nothing/here under STREAMER_SHARED"):
        shared("nothing/here")


def test_in_ci_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CI must not skip: the program no-such"):
        program("no-such")


@pytest.mark.parametrize("ci", ["true", "false"])
def test_released_weights_may_be_absent_in_ci_too(monkeypatch: pytest.MonkeyPatch, ci: str) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.delenv("STREAMER_WEIGHTS", raising=False)
    monkeypatch.delenv("STREAMER_CHECKPOINT", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"needs the released imagebind_huge\.pth"):
        released_weights()


def test_released_weights_are_where_a_variable_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("STREAMER_CHECKPOINT", raising=False)
    monkeypatch.setenv("STREAMER_WEIGHTS", str(tmp_path))
    with pytest.raises(pytest.fail.Exception, match=r"STREAMER_WEIGHTS: .*imagebind_huge\.pth: no"):
        released_weights()
    path = tmp_path / "imagebind_huge.pth"
    path.touch()
    assert released_weights() == path
    monkeypatch.setenv("STREAMER_CHECKPOINT", str(tmp_path / "other.pth"))
    with pytest.raises(pytest.fail.Exception, match=r"STREAMER_CHECKPOINT: .*other\.pth: no such"):
        released_weights()
