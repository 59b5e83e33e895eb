"""Runs checks one after the other, each with a time limit, so that one that hangs stops no other.

Each runs in a thread of its own: drivers, file systems and decoders hang in calls that nothing
interrupts. A thread cannot be ended from outside, so one that hangs is left behind, and
`left_behind` says that the process has to be ended without waiting for it.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, suppress
from inspect import isawaitable
from typing import TypeAlias

from streamer.cli.doctor.finding import Finding
from streamer.errors import StreamerError

log = logging.getLogger(__name__)

Found: TypeAlias = Finding | Sequence[Finding]
Check: TypeAlias = Callable[[], Found | Awaitable[Found]]
Watching: TypeAlias = Callable[[str], AbstractContextManager[object]]

GRACE_S = 2.0
"""For a check that was told to stop, to put away what it opened."""


class Rounds:
    """`tell` gets each finding when it is there; `watching(name)` is open while a check runs."""

    def __init__(self, tell: Callable[[Finding], None], watching: Watching) -> None:
        self.findings: list[Finding] = []
        self.left_behind: list[str] = []
        self._tell, self._watching = tell, watching

    def run(self, name: str, check: Check, *, limit_s: float, remedy: str) -> tuple[Finding, ...]:
        """`remedy` is for a check that hangs or that an expected error ends."""
        job = _Job(name, check)
        with self._watching(name):
            try:
                job.start()
                job.done.wait(limit_s)
            finally:
                # Also on Ctrl-C.
                job.stop()
                if job.is_alive():
                    self.left_behind.append(name)
        if job.error is not None:
            found = [_said(name, job.error, remedy)]
        elif job.found is not None:
            found = [job.found] if isinstance(job.found, Finding) else job.found
        else:
            found = [Finding(name, "fail", f"gave no answer within {limit_s:g} s", remedy)]
        for finding in found:
            self.note(finding)
        return tuple(found)

    def note(self, finding: Finding) -> None:
        """Something that is known without a check."""
        self.findings.append(finding)
        self._tell(finding)


class _Job(threading.Thread):
    def __init__(self, name: str, check: Check) -> None:
        super().__init__(name=f"check {name}", daemon=True)
        self.done = threading.Event()
        self.found: Found | None = None
        self.error: Exception | None = None
        self._check = check
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Task[None]] | None = None

    def run(self) -> None:
        with suppress(asyncio.CancelledError):
            asyncio.run(self._answer())
        self.done.set()

    def stop(self) -> None:
        """Wait a moment for its end; cancel what it waits for where it has no answer yet."""
        if not self.done.is_set() and self._running is not None:
            loop, task = self._running
            with suppress(RuntimeError):  # it has just ended
                loop.call_soon_threadsafe(task.cancel)
        self.join(GRACE_S)

    async def _answer(self) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._running = asyncio.get_running_loop(), task
        try:
            found = self._check()
            self.found = await found if isawaitable(found) else found
        except Exception as error:
            self.error = error
        # What it leaves to its loop to put away may still hang.
        self.done.set()


def _said(name: str, error: Exception, remedy: str) -> Finding:
    if isinstance(error, StreamerError):
        return Finding(name, "fail", " ".join(str(error).split()), remedy)
    # A library that is broken in a way that nobody thought of is what a doctor is asked about.
    log.error("%s", name, exc_info=error)
    first = (str(error) or "no reason given").splitlines()[0][:300]
    return Finding(name, "fail", f"{type(error).__name__}: {first}", remedy)
