"""`streamer train`: bind towers to each other on a data set, from a configuration."""

import logging
import signal
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Annotated, cast

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from configs.evaluation import calibrate_file
from configs.load import load_training
from encoders.binding import fit
from streamer.cli.output import Json, Overrides, console, emit, one_line_errors, say_logs
from streamer.errors import ConfigError
from streamer.types import Modality

log = logging.getLogger(__name__)

EVERY_S = 15.0


def train(
    config: Annotated[str, typer.Argument(help="A YAML file, or builtin.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of checkpoints, logs and weights.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only this tower (vision includes text); may be given several times."),
    ] = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Train towers, and write those that are finished to one weights file.

    When all of them are, their temperatures are fitted on moments of the world that training never
    saw, and written into the file.

    What is done already is not done again: after a kill, the same command goes on where the last
    checkpoint was. Towers other than vision do not depend on each other, so several processes may
    each train one.
    """
    say_logs()
    with one_line_errors("train", as_json=as_json):
        settings = load_training(config, overrides or ())
        if out is not None:
            settings = settings.model_copy(update={"out": out})
        training = settings.open()
        wanted = _towers(only, training.recipes)
        with _shown() as watch, _asked_to_stop() as stop:
            try:
                weights = training.run(wanted, watch, stop)
                if training.complete:
                    calibrate_file(weights, workers=training.workers, progress=watch.working)
            except fit.Interrupted:
                console.print(f"stopped; all is kept in {training.out}: the same command goes on")
                if as_json:
                    emit({"command": "train", "ok": False, "stopped": True})
                raise typer.Exit(130) from None
    console.print(f"weights: {weights}")
    if as_json:
        emit({"command": "train", "ok": True, "weights": str(weights), **training.report()})


def _towers(names: list[str] | None, known: Collection[Modality]) -> Collection[Modality]:
    for name in names or ():
        if name not in known:
            expected = ", ".join(known)
            raise ConfigError(f"--only {name}: expected a stage of the configuration: {expected}")
    return known if names is None else cast("list[Modality]", names)


class _Bars:
    """A bar a stage, for a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def training(self, progress: fit.Progress) -> None:
        self._show(progress.stage, progress.step, progress.steps, _figures(progress))

    def working(self, what: str, done: int, total: int) -> None:
        self._show(what, done, total, "")

    def _show(self, name: str, done: int, total: int, figures: str) -> None:
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(name, total=total, figures=figures)
        self._progress.update(self._bars[name], completed=done, figures=figures)


class _Lines:
    """A log line now and then, and at every end, where there is no terminal."""

    def __init__(self) -> None:
        self._told_s = 0.0

    def training(self, progress: fit.Progress) -> None:
        self._say(progress.stage, progress.step, progress.steps, _figures(progress))

    def working(self, what: str, done: int, total: int) -> None:
        self._say(what, done, total, "")

    def _say(self, name: str, done: int, total: int, figures: str) -> None:
        if done == total or perf_counter() - self._told_s > EVERY_S:
            self._told_s = perf_counter()
            log.info("%s: %d of %d %s", name, done, total, figures)


def _figures(progress: fit.Progress) -> str:
    left_s = (progress.steps - progress.step) * progress.batch / progress.samples_per_s
    return (
        f"loss {progress.loss:.3f}, retrieval {progress.accuracy:.0%},"
        f" {progress.samples_per_s:.0f} samples/s, {left_s / 60:.1f} min left"
    )


@contextmanager
def _shown() -> Generator[_Bars | _Lines, None, None]:
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield _Bars(progress)


@contextmanager
def _asked_to_stop() -> Generator[Callable[[], bool], None, None]:
    """SIGINT and SIGTERM end the training after the step under way; a second one at once."""
    asked: list[int] = []

    def ask(number: int, frame: object) -> None:
        del frame
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
