"""`python -m streamer` is the same as the `streamer` command."""

from streamer.cli.main import app

if __name__ == "__main__":
    app()
