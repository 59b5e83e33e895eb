"""`streamer devices`: what is plugged in, with the lines to paste for each."""

import asyncio
import sys
from collections.abc import Sequence

import typer

from streamer.cli.devices.ask import Found, ask
from streamer.cli.devices.kinds import KINDS, Kind
from streamer.cli.devices.page import page
from streamer.cli.output import Json, console, emit


def devices(as_json: Json = False) -> None:
    """Find the cameras, microphones, RealSense, serial ports and IIO devices of this machine.

    What is printed is YAML: the `sources` of a configuration, with what was found, and what was
    not, as comments. Take the entries you want. Nothing is opened for longer than it takes to ask,
    each kind in a process of its own, for ten seconds at most. Ends with status 1 if a kind could
    not be asked: a library that is not installed is no such failure.
    """
    found = asyncio.run(_ask_all(KINDS))
    ok = all(each.state != "failed" for each in found)
    if as_json:
        console.print(page(found), markup=False, soft_wrap=True)
        emit({"command": "devices", "ok": ok, "kinds": {f.kind.name: _report(f) for f in found}})
    else:
        sys.stdout.write(page(found))
    if not ok:
        raise typer.Exit(1)


async def _ask_all(kinds: Sequence[Kind]) -> list[Found]:
    return list(await asyncio.gather(*(ask(kind) for kind in kinds)))


def _report(found: Found) -> dict[str, object]:
    return {
        "state": found.state,
        "why": found.why,
        "devices": [device.model_dump() for device in found.devices],
    }
