"""Bytes that are fetched, read or written: a bar on a terminal, else a line now and then."""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from time import perf_counter

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from encoders.store.progress import Heard
from streamer.cli.output import console

log = logging.getLogger(__name__)

EVERY_S = 10.0


@contextmanager
def shown_bytes() -> Generator[Heard, None, None]:
    """What hears of (what, bytes done, of how many)."""
    if not console.is_terminal:
        yield _Lines().hear
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield _Bars(progress).hear


class _Bars:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, tuple[TaskID, int]] = {}

    def hear(self, what: str, done: int, total: int) -> None:
        if what not in self._bars:
            # What was there before is no speed of this connection.
            self._bars[what] = self._progress.add_task(what, total=total, completed=done), done
        bar, before = self._bars[what]
        if done < before:
            self._progress.reset(bar, total=total, completed=done)
        self._progress.update(bar, completed=done, total=total)
        self._bars[what] = bar, done


class _Lines:
    def __init__(self) -> None:
        self._told_s = perf_counter()

    def hear(self, what: str, done: int, total: int) -> None:
        if perf_counter() - self._told_s > EVERY_S:
            self._told_s = perf_counter()
            log.info("%s: %.1f of %.1f MB", what, done / 1e6, total / 1e6)
