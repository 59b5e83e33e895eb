"""A program with a puppet in a process of its own: `python -m tests.puppet_program PUPPET_AS_JSON`.

Prints the pid of the puppet's process once it delivers, a line when it has delivered fifty samples,
and at its end what was said of it.
"""

import asyncio
import json
import signal
import sys
from contextlib import aclosing

from streamer.clock import SystemClock
from streamer.supervise import Ledgers, supervised
from streamer.types import SourceStatus
from tests.puppet import Puppet, children_of


async def run(puppet: Puppet) -> None:
    states: list[str] = []
    ledgers = Ledgers()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)

    async def report(status: SourceStatus) -> None:
        states.append(status.state)

    async def consume() -> None:
        count = 0
        async with aclosing(supervised(puppet, SystemClock(), report, ledgers=ledgers)) as samples:
            async for _ in samples:
                count += 1
                if count == 3:
                    [child] = children_of(puppet.stream)
                    print(child.pid, flush=True)
                if count == 50:
                    print(json.dumps({"delivered": count}), flush=True)

    task = asyncio.create_task(consume())
    await stop.wait()
    task.cancel()
    await asyncio.wait([task])
    accounts = {stream: account.report() for stream, account in ledgers.totals.items()}
    print(json.dumps({"states": states, "accounts": accounts}), flush=True)


if __name__ == "__main__":
    asyncio.run(run(Puppet.model_validate_json(sys.argv[1])))
