"""Guards around every test: nothing may block the event loop, nothing may be left behind."""

import asyncio
import faulthandler
import gc
import inspect
import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from time import perf_counter
from typing import IO

import psutil
import pytest
import pytest_asyncio

from tests.heartbeat import Heartbeat, beating

BLOCKED_S = 0.25
"""An event loop that does not come round for longer than this is blocked."""

BEAT_S = 0.02


@pytest.fixture(scope="session")
def heartbeat() -> Iterator[Heartbeat]:
    with beating() as heart:
        yield heart


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest, heartbeat: Heartbeat) -> Iterator[None]:
    """Fail a test that leaves a thread, a child process or a socket."""
    del heartbeat  # asked for so that its process is there before
    process = psutil.Process()
    threads = set(threading.enumerate())
    children = {child.pid for child in process.children(recursive=True)}
    sockets = _sockets(process)
    yield
    for thread in set(threading.enumerate()) - threads:
        thread.join(timeout=1)  # one that is on its way out is none left behind
    left = [f"thread {t.name}" for t in threading.enumerate() if t not in threads]
    left += [
        f"process {child.pid} {child.name()}"
        for child in process.children(recursive=True)
        if child.pid not in children
    ]
    left += [f"socket {where}" for where in _sockets(process) - sockets]
    if left:
        pytest.fail(f"{request.node.name} left behind: {', '.join(left)}", pytrace=False)


def _sockets(process: psutil.Process) -> set[str]:
    return {f"{c.fd} {c.laddr} {c.raddr}" for c in process.net_connections(kind="inet")}


@pytest.fixture(autouse=True)
def event_loop_guard(request: pytest.FixtureRequest, nothing_left_behind: None) -> None:
    del nothing_left_behind  # asked for so that it looks last, when the loop is closed
    function = getattr(request, "function", None)
    if inspect.iscoroutinefunction(function):
        request.getfixturevalue("unblocked_event_loop")


@pytest_asyncio.fixture
async def unblocked_event_loop(
    request: pytest.FixtureRequest, heartbeat: Heartbeat
) -> AsyncIterator[None]:
    """Fail a test that blocks its event loop or leaves a task, and say where it was held up.

    A pulse measures how late it wakes up. Time that the code under test has no part in does not
    count (`_Elsewhere`).
    """
    before = asyncio.all_tasks()
    worst_s, where = 0.0, ""

    async def pulse(stacks: IO[str]) -> None:
        nonlocal worst_s, where
        loop = asyncio.get_running_loop()
        with _Elsewhere(heartbeat) as elsewhere:
            while True:
                started, away = loop.time(), elsewhere.seconds
                # The interpreter's own watchdog needs no lock to look at a thread that is stuck.
                faulthandler.dump_traceback_later(BLOCKED_S, file=stacks)
                await asyncio.sleep(BEAT_S)
                took = loop.time() - started
                if took > BLOCKED_S:
                    await asyncio.sleep(2 * BEAT_S)  # who tells of a halt must have come round too
                late = took - BEAT_S - (elsewhere.seconds - away)
                if late > worst_s:
                    stacks.seek(0)
                    worst_s, where = late, stacks.read()
                stacks.seek(0)
                stacks.truncate()

    with TemporaryFile("w+") as stacks:
        beating = asyncio.create_task(pulse(stacks), name="loop guard")
        await asyncio.sleep(0)
        yield
        # A block at the very end of the test is seen by one more beat.
        await asyncio.sleep(2 * BEAT_S)
        beating.cancel()
        await asyncio.wait([beating])
        faulthandler.cancel_dump_traceback_later()
    mine = {beating, asyncio.current_task()}
    left = [t.get_name() for t in asyncio.all_tasks() - before - mine if not t.done()]
    if left:
        pytest.fail(f"{request.node.name} left tasks: {', '.join(left)}", pytrace=False)
    if worst_s > BLOCKED_S:
        said = f"{request.node.name} blocked the event loop for {worst_s:.2f} s"
        pytest.fail(f"{said}\n{where}", pytrace=False)


class _Elsewhere:
    """Counts the seconds in which this thread could not run, whatever it wanted to do.

    The machine's cores were busy with other threads (schedstat) or lent to other machines (steal),
    or it stood still as a whole, or the interpreter collected garbage, which takes 0.1 s and more
    in a process that has a thousand tests behind it.
    """

    def __init__(self, heartbeat: Heartbeat) -> None:
        self._heartbeat = heartbeat

    def __enter__(self) -> "_Elsewhere":
        self._collected_s = self._began = 0.0
        self._queue = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
        gc.callbacks.append(self._collecting)
        return self

    def __exit__(self, *error: object) -> None:
        gc.callbacks.remove(self._collecting)

    def _collecting(self, phase: str, info: object) -> None:
        del info
        if phase == "start":
            self._began = perf_counter()
        else:
            self._collected_s += perf_counter() - self._began

    @property
    def seconds(self) -> float:
        try:
            queued_s = int(self._queue.read_text().split()[1]) / 1e9
            with Path("/proc/stat").open() as stat:
                stolen_s = int(stat.readline().split()[8]) / os.sysconf("SC_CLK_TCK")
        except OSError:  # a kernel without these
            queued_s = stolen_s = 0.0
        # A busy machine delays the heartbeat too, so the two are not added up.
        return self._collected_s + max(queued_s + stolen_s, self._heartbeat.stood_still_s)
