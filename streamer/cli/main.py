"""The `streamer` command: one file per verb, joined here."""

import typer

app = typer.Typer(no_args_is_help=True)
