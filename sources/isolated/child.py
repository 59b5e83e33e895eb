"""The process of one device: `python -m sources.isolated.child SOCKET MEMORY PARENT NAME`.

Started by `sources.isolated.process` and by nobody else. NAME is for people who read `ps`.
"""

import ctypes
import importlib
import os
import signal
import socket
import sys
from types import FrameType
from typing import NoReturn

import cbor2

from sources.isolated.messages import MAX_BYTES
from sources.isolated.port import Driver, Port
from sources.isolated.slots import Slots
from streamer.errors import SourceLost

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    link_fd, memory_fd, parent = (int(argument) for argument in arguments[:3])
    _die_with(parent)
    signal.signal(signal.SIGTERM, _end)
    link = socket.socket(fileno=link_fd)
    task = cbor2.loads(link.recv(MAX_BYTES))
    port = Port(link, Slots(memory_fd, task["slot_bytes"]))
    try:
        try:
            _driver(task["source"], task["config"]).drive(port)
        finally:
            port.tell_counts()
    except SourceLost as error:
        port.gone(str(error))
    else:
        port.ended()


def _driver(source: str, config: str) -> Driver:
    module, name = source.split(":")
    return getattr(importlib.import_module(module), name).model_validate_json(config)


def _die_with(parent: int) -> None:
    """A killed program cannot end its children, and one that is stopped never reads its socket."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it died before it could be asked to tell


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """Let the driver close its device on the way out."""
    del frame
    sys.exit(128 + number)


if __name__ == "__main__":
    main(sys.argv[1:])
