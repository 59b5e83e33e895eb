"""Listers of devices as libraries are: good, talkative, missing, crashing, hanging."""

import ctypes
import os
import subprocess
import sys
import time

from streamer.errors import SourceLost

HANG_S = 3600


def good() -> list[dict[str, object]]:
    return [
        {
            "name": "Loud 1",
            "what": "2 channels",
            "yaml": {"kind": "microphone", "stream": "mic", "device": "Loud: 1"},
        },
        {"name": "Loud 2", "what": "", "yaml": {"kind": "microphone", "stream": "mic"}},
    ]


def none() -> list[dict[str, object]]:
    return []


def talkative() -> list[dict[str, object]]:
    """Libraries in C write to stdout what they like."""
    os.write(1, b'{"devices": "not this"}\n' * 10_000)
    return good()


def missing() -> list[dict[str, object]]:
    import no_such_library_of_a_device as library  # pyright: ignore

    return library.devices()


def missing_and_said() -> list[dict[str, object]]:
    try:
        return missing()
    except ImportError:
        raise SourceLost("microphones need sounddevice: install imagebind-streamer[x]") from None


def ours_missing() -> list[dict[str, object]]:
    import sources.no_such_module as module  # pyright: ignore

    return module.devices()


def refused() -> list[dict[str, object]]:
    raise OSError("PortAudio library not found\nand more")


def crashing() -> list[dict[str, object]]:
    ctypes.string_at(0)
    return []


def leaving() -> list[dict[str, object]]:
    sys.stderr.write("driver: no bus\n")
    sys.stderr.flush()
    os._exit(3)


def hanging() -> list[dict[str, object]]:
    """With a helper of its own that holds the pipes open."""
    subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({HANG_S})"])
    time.sleep(HANG_S)
    return []


def hanging_when_put_away() -> list[dict[str, object]]:
    import atexit

    atexit.register(time.sleep, HANG_S)
    return good()


def nonsense() -> list[dict[str, object]]:
    return [{"called": "by another name"}]


def flood() -> list[dict[str, object]]:
    return [{"name": "x" * 100, "yaml": {"device": "y" * 3000}} for _ in range(10_000)]
