"""The guards themselves: each must fail a test that sins."""

import pytest

from tests.needs import ROOT

CONFTEST = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.guards import event_loop_guard, heartbeat, nothing_left_behind, unblocked_event_loop
"""

SINS = {
    "blocked the event loop": """
        import time
        async def test_sin():
            time.sleep(0.4)
    """,
    "left tasks: forgotten": """
        import asyncio
        kept = []
        async def test_sin():
            kept.append(asyncio.create_task(asyncio.Event().wait(), name="forgotten"))
            await asyncio.sleep(0)
    """,
    "left behind: thread forgotten": """
        import threading
        stop = threading.Event()
        def test_sin():
            threading.Thread(target=stop.wait, name="forgotten", daemon=True).start()
    """,
    "left behind: process": """
        import subprocess
        children = []
        def test_sin():
            children.append(subprocess.Popen(["sleep", "30"]))
        def teardown_module():
            children[0].kill()
            children[0].wait()
    """,
    "left behind: socket": """
        import socket
        kept = []
        def test_sin():
            kept.append(socket.create_server(("127.0.0.1", 0)))
        def teardown_module():
            kept[0].close()
    """,
}


def run(pytester: pytest.Pytester, source: str) -> pytest.RunResult:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(source)
    pytester.makeini("[pytest]\nasyncio_mode=auto\nasyncio_default_fixture_loop_scope=function")
    return pytester.runpytest_subprocess("-p", "no:cacheprovider")


@pytest.mark.parametrize("sin", SINS)
def test_guard_fails_the_sinner(sin: str, pytester: pytest.Pytester) -> None:
    result = run(pytester, SINS[sin])
    result.stdout.fnmatch_lines([f"*{sin}*"])
    assert result.ret != 0


def test_guard_passes_the_innocent(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import asyncio
        async def test_innocent():
            await asyncio.create_task(asyncio.sleep(0.05))
        """,
    )
    result.assert_outcomes(passed=1)
