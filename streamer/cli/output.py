"""How commands speak: people on stderr, data on stdout, one line per error."""

import json
import logging
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console, RenderableType
from rich.live import Live
from rich.markup import escape

from streamer.errors import ConfigError, StreamerError

console = Console(stderr=True, highlight=False, emoji=False)

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object as the last line of the output.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a field, e.g. windows.hop_s=0.25."),
]


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what stderr is now: a live view puts lines above itself in place of it."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def say_logs(verbose: bool = False) -> None:
    """Log lines of the program go to stderr."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(levelname)s %(name)s: %(message)s",
        handlers=[_Stderr()],
        force=True,
    )


def say_lost(lost: Sequence[str]) -> None:
    """What was asked for and not delivered, one line each."""
    for line in lost:
        console.print(f"[bold yellow]lost[/]: {escape(line)}", soft_wrap=True)


def emit(report: dict[str, Any]) -> None:
    """The one JSON object of a command, on stdout."""
    sys.stdout.write(json.dumps(report, allow_nan=False) + "\n")
    sys.stdout.flush()


@contextmanager
def live_view() -> Generator[Callable[[RenderableType], None], None, None]:
    """Show something that changes: live on a terminal, else once at the end if all went well."""
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4) as live:
            yield live.update
        return
    shown: list[RenderableType] = []
    yield shown.append
    if shown:
        console.print(*shown)


@contextmanager
def one_line_errors(command: str, *, as_json: bool, status: int = 1) -> Generator[None, None, None]:
    """Expected errors end the command with a line each: 2 for the configuration, else `status`."""
    try:
        yield
    except* StreamerError as group:
        errors = list(_leaves(group))
        lines = [line for error in errors for line in str(error).splitlines()]
        for line in lines:
            console.print(f"[bold red]error[/]: {escape(line)}", soft_wrap=True)
        if as_json:
            emit({"command": command, "ok": False, "errors": lines})
        wrong_config = any(isinstance(error, ConfigError) for error in errors)
        raise typer.Exit(2 if wrong_config else status) from None


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
