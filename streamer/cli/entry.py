"""Where the command starts. Imports take a second; Ctrl-C during it is no traceback either."""

import sys


def main() -> None:
    try:
        from streamer.cli.main import app

        app()
    except KeyboardInterrupt:
        sys.exit(130)
