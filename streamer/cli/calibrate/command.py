"""`streamer calibrate`: what a model's inputs want to be, and what its labels are worth."""

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import Progress

from configs.evaluation import world_labels
from configs.load import label_set, load
from configs.schema import RunConfig
from encoders.choosing import presets
from encoders.imagebind.runtime import BUILTIN, ImageBindEncoder
from encoders.reliability_plot import draw
from encoders.zeroshot import LabelSet
from streamer.cli.calibrate.conclude import (
    Conclusion,
    calibrated,
    choose_depth,
    choose_motion,
    fit_labels,
    fitted_set,
    lengths_to_compare,
    start,
)
from streamer.cli.calibrate.gather import Gatherer, gather, gather_world
from streamer.cli.calibrate.tables import plain, show
from streamer.cli.eval.files import Labelled, labelled
from streamer.cli.files import file_plan, modalities_of, source_of
from streamer.cli.inputs import READINGS
from streamer.cli.output import Json, Overrides, console, emit, one_line_errors, say_logs, say_lost
from streamer.cli.session import preflight
from streamer.errors import ConfigError, SinkLost
from streamer.plan import Plan
from streamer.protocols import Source
from streamer.types import MODALITIES, NS_PER_S

log = logging.getLogger(__name__)


def calibrate(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A new .yaml file, for encoder.calibration.")
    ],
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Video with motion (GoPro). None: the sources of the configuration."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="A CSV of labelled files, or a folder that holds one: file, label[, modality]."
        ),
    ] = None,
    world: Annotated[
        int | None,
        typer.Option(min=48, help="Instead of files: this many scenes of the simulated world."),
    ] = None,
    config: Annotated[
        str, typer.Option(help="The configuration whose encoder, windows and labels are meant.")
    ] = "demo",
    hop: Annotated[
        float, typer.Option(min=0.1, max=60, help="Seconds from one moment to the next.")
    ] = 2.0,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the reliability of the labels into this PNG.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=99_999, help="Of draws and scenes.")] = 0,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes that render; default: one a core.")
    ] = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Fit a model to one's own sensors and labels; write a file that encoder.calibration names.

    Without labels: finds the depth preset and the IMU convention (duration, order, units, gravity,
    axes) whose vectors find the pictures of the same moments best. A setting that cannot be told
    stays as it was. What the configuration sets explicitly is not varied.

    With labels (--data, --world): fits the temperature of each modality and the cosine below which
    it is none of the labels; calibration errors are of files that the fit has not seen.
    """
    say_logs()
    with one_line_errors("calibrate", as_json=as_json):
        settings = load(config, overrides or ())
        encoder = _encoder(settings)
        _check_names(output, plot, with_labels=data is not None or world is not None)
        if world is not None and (files or data is not None):
            raise ConfigError("--world: takes no files beside it")
        preflight(settings.model_copy(update={"sources": (), "sinks": (), "record": None}))
        items = [] if data is None else labelled(data)
        labels = _label_set(settings, items) if items or world is not None else None
        runs = [] if world is not None else _runs(settings, files or [], items)
        if encoder.weights == BUILTIN and world is None:
            log.warning("the built-in model knows the simulated world and nothing else")
        conclusion = start(settings, encoder)
        modalities = frozenset(MODALITIES if world is not None else ())
        modalities |= modalities_of(source for run in runs for source in run)
        with (
            encoder.open(modalities, text=labels is not None) as opened,
            Progress(console=console, transient=True) as progress,
        ):
            least = settings.windows.min_coverage
            gatherer = Gatherer(opened, presets(encoder.depth), least)
            task = progress.add_task("encoding", total=world or len(runs))
            if world is not None:
                processes = workers if workers is not None else os.cpu_count() or 1
                gather_world(
                    gatherer, world, seed, processes, lambda n: progress.update(task, completed=n)
                )
            for number, sources in enumerate(runs):
                gather(gatherer, sources, _plan(settings, hop), number)
                progress.update(task, completed=number + 1)
            found = gatherer.found
            # Labelled files come last.
            for number, item in enumerate(items, len(runs) - len(items)):
                for modality in (item.modality,) if item.modality else MODALITIES:
                    found.labels.setdefault(modality, {})[number] = item.label
            choose_depth(found, conclusion, seed)
            turns = progress.add_task("comparing", total=None)
            choose_motion(
                found, opened, settings, conclusion, seed, lambda: progress.advance(turns)
            )
            if labels is not None and settings.labels:
                fitted_set(settings.labels, conclusion, found)
                fit_labels(found, opened, settings, labels, conclusion, seed)
            said = calibrated(conclusion, opened, labels)
        show(conclusion)
        if said is not None:
            _write(output, said.yaml())
            console.print(f"written into {escape(str(output))}; name it under encoder.calibration")
        if plot is not None and conclusion.fitted:
            draw(conclusion.fitted, plot, title=f"{opened.name} {opened.hash[:12]}")
            console.print(f"drawn into {escape(str(plot))}")
    lost = [] if said is not None else ["nothing was decided or fitted: no file was written"]
    say_lost(lost)
    if as_json:
        report = _report(conclusion, opened.name, opened.hash, labels)
        written = str(output) if said is not None else None
        emit({"command": "calibrate", "ok": not lost, "lost": lost, "output": written, **report})
    if lost:
        raise typer.Exit(1)


def _encoder(settings: RunConfig) -> ImageBindEncoder:
    if not isinstance(settings.encoder, ImageBindEncoder):
        raise ConfigError(f"encoder.kind: expected imagebind, got {settings.encoder.kind}")
    if settings.encoder.calibration is not None:
        raise ConfigError("encoder.calibration: leave it out to make a new one")
    return settings.encoder


def _check_names(output: Path, plot: Path | None, *, with_labels: bool) -> None:
    """Before minutes of work: could the results be written?"""
    if output.suffix not in (".yaml", ".yml") or not output.parent.is_dir():
        raise ConfigError(f"{output}: expected a name that ends in .yaml in an existing folder")
    if output.exists():
        raise ConfigError(f"{output}: exists already; expected the name of a new file")
    if not os.access(output.parent, os.W_OK):
        raise ConfigError(f"{output.parent}: expected a folder that can be written")
    if plot is None:
        return
    if not with_labels:
        raise ConfigError("--plot: draws how often labels are right; it needs --data or --world")
    if plot.suffix != ".png" or not plot.parent.is_dir():
        raise ConfigError(f"--plot {plot}: expected a name that ends in .png in an existing folder")
    if find_spec("matplotlib") is None:
        raise ConfigError("--plot: needs matplotlib: pip install 'imagebind-streamer[train]'")


def _write(output: Path, text: str) -> None:
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise SinkLost(f"{output}: {error.strerror}") from None


def _label_set(settings: RunConfig, items: Sequence[Labelled]) -> LabelSet:
    """The configured set, which has to hold the labels of the items, or of the world."""
    if not settings.labels:
        raise ConfigError("labels: expected a label set; probabilities are fitted for one")
    labels = label_set(settings.labels.set)
    for name in [item.label for item in items] or world_labels().labels:
        if name not in labels.labels:
            raise ConfigError(
                f"labels.set: {settings.labels.set}: expected the labels of the data,"
                f' "{name}" is not among them; name a set that holds them:'
                " --set labels.set=FILE"
            )
    return labels


def _runs(
    settings: RunConfig, files: Sequence[Path], items: Sequence[Labelled]
) -> list[Sequence[Source]]:
    """Sources that run side by side: each file alone, or those of the configuration together."""
    still_s = settings.windows.length_s.vision
    if not files and not items:
        if settings.live:
            raise ConfigError(
                "sources: expected files, got live ones; name FILES, --data or --world,"
                " or a configuration whose sources are files"
            )
        preflight(settings.model_copy(update={"sinks": ()}))
        return [settings.sources]
    pictures = [READINGS.get(item.modality) if item.modality else None for item in items]
    return [
        *([source_of(path, still_s)] for path in files),
        *(
            [source_of(item.path, still_s, picture)]
            for item, picture in zip(items, pictures, strict=True)
        ),
    ]


def _plan(settings: RunConfig, hop_s: float) -> Plan:
    """The plan with the longest windows of motion, of which shorter ones are cut afterwards."""
    plan, longest_s = file_plan(settings, hop_s), max(lengths_to_compare(settings))
    lengths_ns = {**plan.lengths_ns, "imu": round(longest_s * NS_PER_S)}
    # A window that is full enough once it is cut must not be left out before.
    share = settings.windows.length_s.imu / longest_s
    return replace(plan, lengths_ns=lengths_ns, min_coverage=plan.min_coverage * share)


def _report(
    conclusion: Conclusion, model: str, digest: str, labels: LabelSet | None
) -> dict[str, Any]:
    return {
        "model": model,
        "model_hash": digest,
        "label_set": None if labels is None else labels.hash,
        **plain(conclusion),
    }
