"""Asks for one kind of device in a process of its own: one that hangs or crashes stops no other."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streamer.cli.devices.kinds import Kind

LIMIT_S = 10.0
"""PortAudio and librealsense take a second or two where much is plugged in."""

_ANSWER_BYTES = 1 << 20
_WORDS_BYTES = 1 << 12

State: TypeAlias = Literal["asked", "missing", "failed"]


class Device(BaseModel):
    """Something that is plugged in, and the entry of `sources` for it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str = Field(max_length=1000)
    what: str = Field(default="", max_length=2000)
    yaml: dict[str, Any] = Field(max_length=100)


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    devices: list[Device] = Field(default_factory=list[Device], max_length=1000)
    missing: str = Field(default="", max_length=2000)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What is there of one kind. `why`: what is missing, or what failed."""

    kind: Kind
    state: State
    devices: list[Device] = field(default_factory=list[Device])
    why: str = ""


async def ask(kind: Kind, limit_s: float = LIMIT_S) -> Found:
    """What `kind.lister` says, or what became of it within `limit_s`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "streamer.cli.devices.child",
        kind.lister, str(max(1, round(limit_s))),
        stdin=DEVNULL, stdout=PIPE, stderr=PIPE, start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    try:
        async with asyncio.timeout(limit_s):
            said, words = await _output(process)
            code = await process.wait()
    except TimeoutError:
        return Found(kind, "failed", why=f"gave no answer within {limit_s:g} s")
    finally:
        # With what it started, which may hold its pipes open.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        # One that is stuck in a driver does not end even then.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 1)
    return _judge(kind, code, said, words)


async def _output(process: Process) -> tuple[bytes, bytes]:
    if process.stdout is None or process.stderr is None:
        raise RuntimeError("a process without pipes")
    said, words = await asyncio.gather(
        _bounded(process.stdout, _ANSWER_BYTES), _bounded(process.stderr, _WORDS_BYTES)
    )
    return said, words


async def _bounded(stream: asyncio.StreamReader, most: int) -> bytes:
    """All of it is read, so that nobody waits; `most` of it is kept."""
    kept = b""
    while piece := await stream.read(1 << 16):
        kept += piece[: most - len(kept)]
    return kept


def _judge(kind: Kind, code: int, said: bytes, words: bytes) -> Found:
    if code:
        lines = words.decode(errors="replace").strip().splitlines()
        how = signal.Signals(-code).name if code < 0 else f"status {code}"
        last = f": {lines[-1][:200]}" if lines and code > 0 else ""
        return Found(kind, "failed", why=f"the process that asked ended with {how}{last}")
    try:
        answer = _Answer.model_validate(json.loads(said))
    except (ValueError, ValidationError):
        return Found(kind, "failed", why=f"expected a list of devices, got {said[:100]!r}")
    if answer.missing:
        why = " ".join(answer.missing.split())
        if kind.needs and "install" not in why:
            why += f": install imagebind-streamer[{kind.needs}]"
        return Found(kind, "missing", why=why)
    if answer.error:
        return Found(kind, "failed", why=" ".join(answer.error.split())[:500])
    return Found(kind, "asked", devices=answer.devices)
