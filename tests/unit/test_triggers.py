"""What listens for triggers goes on beside a run, and does not die in silence."""

import asyncio

import pytest

from streamer.cli.triggers import alongside


async def test_an_error_of_what_listens_ends_the_run_at_once() -> None:
    async def broken() -> None:
        raise ZeroDivisionError("a bug of the trigger")

    with pytest.raises(ZeroDivisionError, match="a bug of the trigger"):
        async with asyncio.timeout(30), alongside(broken(), "trigger"):
            await asyncio.Event().wait()


async def test_what_listens_ends_with_the_run_and_an_error_of_the_run_stays_itself() -> None:
    ended: list[str] = []

    async def listen(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    async with alongside(listen("first"), "trigger"):
        await asyncio.sleep(0)

    async def run() -> None:
        async with alongside(listen("second"), "trigger"):
            await asyncio.sleep(0)
            raise KeyError("of the run")

    with pytest.raises(KeyError, match="of the run"):
        await run()
    assert ended == ["first", "second"]
