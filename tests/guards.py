"""Guards around every test: nothing may block the event loop, nothing may be left behind."""

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

BLOCKED_S = 0.25
"""An event loop that does not come round for longer than this is blocked."""

BEAT_S = 0.02


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a thread, a child process or a socket."""
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
async def unblocked_event_loop(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Fail a test that blocks its event loop or leaves a task.

    A pulse measures how late it wakes up. Time in which the thread was ready but the machine's
    cores were busy elsewhere does not count: the kernel tells it apart (schedstat).
    """
    before = asyncio.all_tasks()
    worst_s = 0.0

    async def pulse() -> None:
        nonlocal worst_s
        loop = asyncio.get_running_loop()
        while True:
            started, queued = loop.time(), _queued_s()
            await asyncio.sleep(BEAT_S)
            late = loop.time() - started - BEAT_S - (_queued_s() - queued)
            worst_s = max(worst_s, late)

    beating = asyncio.create_task(pulse(), name="loop guard")
    await asyncio.sleep(0)
    yield
    # A block at the very end of the test is seen by one more beat.
    await asyncio.sleep(2 * BEAT_S)
    beating.cancel()
    mine = {beating, asyncio.current_task()}
    left = [t.get_name() for t in asyncio.all_tasks() - before - mine if not t.done()]
    if left:
        pytest.fail(f"{request.node.name} left tasks: {', '.join(left)}", pytrace=False)
    if worst_s > BLOCKED_S:
        pytest.fail(
            f"{request.node.name} blocked the event loop for {worst_s:.2f} s", pytrace=False
        )


def _queued_s() -> float:
    """Seconds this thread has waited for a core so far."""
    schedstat = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
    try:
        return int(schedstat.read_text().split()[1]) / 1e9
    except OSError:  # a kernel without scheduler statistics: every delay counts
        return 0.0
