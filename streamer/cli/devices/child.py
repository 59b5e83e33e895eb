"""The process that asks for one kind: `python -m streamer.cli.devices.child LISTER SECONDS`.

Started by `streamer.cli.devices.ask` and by nobody else. One JSON object goes to stdout:
`devices`, or `missing` (a library that is not installed), or `error`.
"""

import importlib
import json
import os
import signal
import sys
from typing import Any

from streamer.errors import StreamerError

_OURS = {"sources", "streamer"}


def main(lister: str, seconds: str) -> None:
    # The kernel ends it, should nobody be left to do so.
    signal.alarm(int(seconds) + 1)
    # Libraries in C print what they like: it goes where messages go.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with answer:
        json.dump(_answer(lister), answer)
    # Some hang when they are put away, with the answer long given.
    sys.stderr.flush()
    os._exit(0)


def _answer(lister: str) -> dict[str, Any]:
    module, function = lister.split(":")
    try:
        return {"devices": getattr(importlib.import_module(module), function)()}
    except ImportError as error:
        ours = (error.name or "").split(".")[0] in _OURS
        return {"error" if ours else "missing": str(error)}
    except StreamerError as error:
        lacks = isinstance(error.__context__, ImportError)
        return {"missing" if lacks else "error": str(error)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main(*sys.argv[1:])
