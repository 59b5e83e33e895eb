"""Checks run one after the other; one that hangs or breaks stops no other."""

import asyncio
import signal
import threading
from contextlib import nullcontext

import pytest

from streamer.cli.doctor import rounds as module
from streamer.cli.doctor.finding import Finding
from streamer.cli.doctor.rounds import Rounds
from streamer.errors import SinkLost

FINE = Finding("fine", "pass", "all is well")


@pytest.fixture
def told() -> list[Finding]:
    return []


@pytest.fixture
def rounds(told: list[Finding]) -> Rounds:
    return Rounds(told.append, lambda name: nullcontext())


def test_findings_are_told_as_they_come(rounds: Rounds, told: list[Finding]) -> None:
    async def two() -> list[Finding]:
        await asyncio.sleep(0)
        return [FINE, Finding("more", "warn", "so so")]

    assert rounds.run("one", lambda: FINE, limit_s=10, remedy="") == (FINE,)
    assert told == [FINE]
    rounds.run("two", two, limit_s=10, remedy="")
    assert told == rounds.findings
    assert [finding.name for finding in told] == ["fine", "fine", "more"]
    assert rounds.left_behind == []


def test_a_check_that_hangs_in_a_call_is_left_and_the_next_one_runs(
    rounds: Rounds, told: list[Finding], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.5)
    released = threading.Event()

    def hang() -> Finding:
        released.wait()
        return FINE

    try:
        rounds.run("drive", hang, limit_s=0.05, remedy="is it away?")
        rounds.run("next", lambda: FINE, limit_s=10, remedy="")
    finally:
        released.set()
    assert told == [Finding("drive", "fail", "gave no answer within 0.05 s", "is it away?"), FINE]
    assert rounds.left_behind == ["drive"]


def test_a_check_that_waits_is_told_to_stop_and_puts_away_what_it_opened(rounds: Rounds) -> None:
    events: list[str] = []

    async def wait() -> Finding:
        events.append("opened")
        try:
            await asyncio.Event().wait()
        finally:
            events.append("closed")
        return FINE

    (finding,) = rounds.run("broker", wait, limit_s=0.2, remedy="")
    assert finding.state == "fail"
    assert events == ["opened", "closed"]
    assert rounds.left_behind == []


def test_an_answer_counts_even_if_what_it_opened_does_not_close(
    rounds: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.5)
    released = threading.Event()

    async def answer() -> Finding:
        # The loop waits for its threads when it is closed.
        asyncio.get_running_loop().run_in_executor(None, released.wait)
        await asyncio.sleep(0)
        return FINE

    try:
        assert rounds.run("camera", answer, limit_s=10, remedy="") == (FINE,)
    finally:
        released.set()
    assert rounds.left_behind == ["camera"]


def test_errors_are_findings_and_one_that_nobody_expected_keeps_its_traceback(
    rounds: Rounds, told: list[Finding], caplog: pytest.LogCaptureFixture
) -> None:
    def lost() -> Finding:
        raise SinkLost("gone\nfor good")

    def broken() -> Finding:
        raise ImportError("libGL.so.1: cannot open shared object file")

    rounds.run("broker", lost, limit_s=10, remedy="start it")
    assert told[-1] == Finding("broker", "fail", "gone for good", "start it")
    assert caplog.records == []
    rounds.run("versions", broken, limit_s=10, remedy="install it")
    said = "ImportError: libGL.so.1: cannot open shared object file"
    assert told[-1] == Finding("versions", "fail", said, "install it")
    assert "in broken" in caplog.text


def test_ctrl_c_leaves_and_does_not_wait_for_the_check(
    rounds: Rounds, told: list[Finding], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.5)
    released = threading.Event()
    # A shell ignores it for what it runs in the background.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def hang() -> Finding:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        released.wait()
        return FINE

    try:
        with pytest.raises(KeyboardInterrupt):
            rounds.run("drive", hang, limit_s=30, remedy="")
    finally:
        released.set()
        signal.signal(signal.SIGINT, before)
    assert told == []
    assert rounds.left_behind == ["drive"]
