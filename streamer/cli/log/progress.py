"""How far a long reading is: a bar on a terminal, else a line now and then."""

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from time import perf_counter
from typing import TypeAlias

from rich.progress import Progress

from streamer.cli.output import console

log = logging.getLogger(__name__)

Hear: TypeAlias = Callable[[int, int], object]
"""Told how much is done, and of how much; 0 where that is not known."""

EVERY_S = 10.0
_OFTEN_S = 0.1


@contextmanager
def shown(what: str) -> Generator[Hear]:
    told_s = perf_counter()
    if not console.is_terminal:

        def line(done: int, total: int) -> None:
            nonlocal told_s
            if perf_counter() - told_s > EVERY_S:
                told_s = perf_counter()
                log.info("%s: %s", what, f"{min(done, total) / total:.0%}" if total else "going on")

        yield line
        return
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task(what, total=None)

        def move(done: int, total: int) -> None:
            nonlocal told_s
            if perf_counter() - told_s > _OFTEN_S:
                told_s = perf_counter()
                progress.update(bar, completed=min(done, total), total=total or None)

        yield move
