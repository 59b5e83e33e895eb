"""`streamer prepare`: what a first start would do, done before it."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.table import Table

from configs.load import label_set, load
from encoders.cache_folder import cache_folder
from encoders.imagebind.runtime import RANDOM, ImageBindEncoder
from streamer.cli.output import Json, Overrides, console, emit, one_line_errors, say_logs
from streamer.errors import ConfigError


def prepare(
    config: Annotated[str, typer.Argument(help="A YAML file, or demo, live, media, robot.")],
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Put what a first start has to work out into the cache folder: the text vectors of the label
    sets, and which model the weights are.

    A run that finds them there neither loads nor reads the text tower. To spare a robot even the
    first time, prepare its configuration on another machine and copy the folder. The vectors are
    those of one file of weights and one precision, so name the robot's: --set
    encoder.precision=fp16 --set encoder.device=cpu. No source is opened, nothing published.
    """
    say_logs()
    with one_line_errors("prepare", as_json=as_json):
        settings = load(config, overrides or ())
        encoder = settings.encoder
        if not isinstance(encoder, ImageBindEncoder) or encoder.weights == RANDOM:
            raise ConfigError("encoder.weights: expected builtin or a file: nothing else is kept")
        with encoder.open((), text=True) as opened:
            sets: list[Prepared] = []
            for name in sorted(set(settings.label_set_names.values())):
                each = label_set(name)
                there = opened.kept is not None and opened.kept.find(each) is not None
                opened.class_vectors(each)
                prompts = len(each.labels) * len(each.templates)
                sets.append(Prepared(name, each.hash, len(each.labels), prompts, there))
            report = {"model": opened.name, "model_hash": opened.hash}
    console.print(_table(sets))
    console.print(f"kept in [bold]{cache_folder()}[/]", soft_wrap=True)
    if as_json:
        found = {each.name: each.report() for each in sets}
        emit({"command": "prepare", "ok": True, **report, "sets": found})


@dataclass(frozen=True, slots=True)
class Prepared:
    """A label set whose vectors are in the cache folder; `there`: they were before."""

    name: str
    hash: str
    labels: int
    prompts: int
    there: bool

    def report(self) -> dict[str, Any]:
        return {
            "hash": self.hash,
            "labels": self.labels,
            "prompts": self.prompts,
            "was_there": self.there,
        }


def _table(sets: list[Prepared]) -> Table:
    table = Table("label set", "labels", "prompts", "text vectors")
    for each in sets:
        what = "were there" if each.there else "made"
        table.add_row(each.name, str(each.labels), str(each.prompts), what)
    return table
