"""`streamer eval`: how good is a model, on the simulated world or on labelled files?"""

import json
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from configs.evaluation import Split, evaluate_world, world_labels
from configs.load import label_set, load
from configs.schema import RunConfig
from encoders.binding.evaluate.plot import draw
from encoders.imagebind.runtime import ImageBind
from encoders.store.known import KNOWN
from sources.encodings import Encoding
from streamer.cli.eval.encoding import picture_encoding
from streamer.cli.eval.files import evaluate_files, labelled, show_files
from streamer.cli.eval.tables import show_world
from streamer.cli.output import Json, Overrides, console, emit, one_line_errors, say_logs, say_lost
from streamer.cli.session import preflight
from streamer.clock import SystemClock
from streamer.errors import ConfigError
from streamer.types import MODALITIES, NS_PER_S, Modality


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="WEIGHTS|CONFIG",
            help="builtin, imagebind_huge, a file or folder of weights, or a configuration.",
        ),
    ] = "builtin",
    moments: Annotated[int, typer.Option(min=48, help="Held-out moments of the world.")] = 2400,
    seed: Annotated[int, typer.Option(min=0, max=99_999, help="Which held-out moments.")] = 0,
    image_share: Annotated[
        float, typer.Option(min=0, max=1, help="Weight of the image in image + sound.")
    ] = 0.5,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes that render; default: one a core.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the figures into this PNG.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Instead of the world: a CSV of files and labels, or a folder that holds one."
        ),
    ] = None,
    modality: Annotated[
        Modality | None,
        typer.Option(
            help="With --data: only this one. Depth, thermal, imu files: as embed's --as has them."
        ),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(
            help="With --data: what the numbers of its pictures are, such as sun or "
            "'{kind: depth, metres_per_unit: 0.0002}'."
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="With --data: a label set in place of the table's own labels; templates alone "
            "replace the templates."
        ),
    ] = None,
    clips: Annotated[
        int | None,
        typer.Option(
            min=1, max=100, help="With --data: windows a file, spread evenly; default: every 2 s."
        ),
    ] = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Measure a model on moments of the simulated world that training never saw, or on files.

    World: zero-shot accuracy, paraphrases, scenes of several concepts, retrieval between all
    modalities, image + sound, calibration, and how far one gets without a model. Files: accuracy
    against the distinct labels of a CSV (columns: file or filename; label, category, activity or
    content; counts_as, where several labels are one class).
    """
    say_logs()
    clock = SystemClock()
    started_ns = clock.now_ns()
    with one_line_errors("eval", as_json=as_json):
        settings = _settings(model, overrides or ())
        if plot is not None:
            _check_plot(plot, data)
        preflight(
            settings.model_copy(
                update={"sources": (), "sinks": (), "record": None, "labels": False}
            )
        )
        if data is None:
            processes = workers if workers is not None else os.cpu_count() or 1
            report = _world(settings, moments, seed, image_share, processes, plot)
        else:
            items = labelled(data)
            picture = None if encoding is None else picture_encoding(encoding)
            only = _only(modality, picture)
            given = None if labels is None else label_set(labels, {item.label for item in items})
            with console.status("evaluating"):
                report = evaluate_files(
                    settings, items, only, given=given, picture=picture, clips=clips
                )
            show_files(report)
            say_lost(report["lost"])
    report["wall_s"] = round((clock.now_ns() - started_ns) / NS_PER_S, 1)
    ok = not report.get("lost")
    console.print(f"took {report['wall_s']:.0f} s")
    if as_json:
        emit({"command": "eval", "ok": ok, **report})
    if not ok:
        raise typer.Exit(1)


def _settings(model: str, overrides: Sequence[str]) -> RunConfig:
    """The configuration, or the demo's with these weights in its encoder."""
    named = model in ("builtin", "random") or model in KNOWN
    file = Path(model).suffix in (".pth", ".safetensors")
    if named or file or any(Path(model).glob("*.safetensors")):
        weights = f"encoder={{kind: imagebind, weights: {json.dumps(model)}}}"
        return load("demo", [weights, *overrides])
    return load(model, overrides)


def _only(modality: Modality | None, picture: Encoding | None) -> Modality | None:
    if picture is None or modality in (None, picture.modality):
        return modality if picture is None else picture.modality
    raise ConfigError(
        f"--encoding {picture.kind}: expected --modality {picture.modality}, got {modality}"
    )


def _check_plot(plot: Path, data: Path | None) -> None:
    """Before minutes of work: could the picture be written?"""
    if data is not None:
        raise ConfigError("--plot: draws the figures of the world; leave --data out")
    if plot.suffix != ".png" or not plot.parent.is_dir():
        raise ConfigError(f"--plot {plot}: expected a name that ends in .png in an existing folder")
    if find_spec("matplotlib") is None:
        raise ConfigError("--plot: needs matplotlib: pip install 'imagebind-streamer[train]'")


def _world(
    settings: RunConfig, count: int, seed: int, image_share: float, workers: int, plot: Path | None
) -> dict[str, Any]:
    with settings.encoder.open(MODALITIES, text=True) as encoder, _bar() as bar:
        tasks: dict[str, TaskID] = {}

        def hear(split: Split, done: int, total: int) -> None:
            if split not in tasks:
                tasks[split] = bar.add_task(split)
            bar.update(tasks[split], completed=done, total=total)

        world = evaluate_world(
            encoder,
            encoder.calibration if isinstance(encoder, ImageBind) else None,
            count=count,
            seed=seed,
            weights=(image_share, 1 - image_share),
            workers=workers,
            progress=hear,
        )
        name, digest = encoder.name, encoder.hash
    show_world(world)
    if plot is not None:
        draw(world.report, world.baselines, plot, title=f"{name} {digest[:12]}, seed {seed}")
        console.print(f"drawn into {plot}")
    return {
        "model": name,
        "model_hash": digest,
        "label_set": world_labels().hash,
        "moments": count,
        "seed": seed,
        **world.plain(),
    }


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f} moments/s" if task.speed else "")


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description:>11}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
