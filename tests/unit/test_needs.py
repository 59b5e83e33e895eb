"""What is missing skips by name, and fails where it must be there."""

import pytest

from tests.needs import program, shared


def test_on_a_developers_machine_it_skips_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs nothing/here under STREAMER_SHARED"):
        shared("nothing/here")


def test_in_ci_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CI must not skip: the program no-such"):
        program("no-such")
