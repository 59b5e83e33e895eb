"""Zero-shot accuracy on files that somebody has labelled: a CSV with a file and a label a row."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from configs.schema import RunConfig
from encoders.binding.evaluate.scores import confusion, most_confused, share, top1
from encoders.imagebind.runtime import classes_of
from encoders.zeroshot import LabelSet, unit
from sources.encodings import Encoding
from streamer.cli.eval.clips import narrowed, spread_over
from streamer.cli.files import embeddings_of, file_plan, modalities_of, source_of
from streamer.cli.inputs import READINGS
from streamer.cli.output import console
from streamer.errors import ConfigError
from streamer.types import MODALITIES, Modality

FILE_COLUMNS = ("file", "filename")
LABEL_COLUMNS = ("label", "category", "activity", "content")
GROUP_COLUMN = "counts_as"
MODALITY_COLUMN = "modality"
LARGEST_CSV = 16 << 20
HOP_S = 2.0


@dataclass(frozen=True, slots=True)
class Labelled:
    """`counts_as`: the class that the label is one of the names of; "" = the label itself.

    `modality`: what a picture is of, or the track that is labelled; None: all of them.
    """

    path: Path
    label: str
    counts_as: str = ""
    modality: Modality | None = None


def labelled(data: Path) -> list[Labelled]:
    """The files that a CSV names, relative to its folder, with their labels.

    `data`: the CSV, or a folder with labels.csv, meta.csv or a single CSV. An underscore in a
    label is read as a space. A column `counts_as` joins labels to one class: a basement and a
    foyer that both count as "others" are not taken for each other. A column `modality`
    is for `streamer calibrate`. Raises `ConfigError`.
    """
    table = _table(data)
    try:
        if table.stat().st_size > LARGEST_CSV:
            raise ConfigError(f"{table}: expected a table of at most {LARGEST_CSV} bytes")
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            file_column = _column(table, reader.fieldnames or (), FILE_COLUMNS)
            label_column = _column(table, reader.fieldnames or (), LABEL_COLUMNS)
            rows = [
                (
                    reader.line_num,
                    row[file_column] or "",
                    row[label_column] or "",
                    row.get(GROUP_COLUMN) or "",
                    row.get(MODALITY_COLUMN) or "",
                )
                for row in reader
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{table}: expected a CSV of files and labels ({why})") from None
    if not rows:
        raise ConfigError(f"{table}: expected at least one row")
    return [_row(table, *row) for row in rows]


def evaluate_files(
    settings: RunConfig,
    items: Sequence[Labelled],
    only: Modality | None,
    *,
    given: LabelSet | None = None,
    picture: Encoding | None = None,
    clips: int | None = None,
) -> dict[str, Any]:
    """Top-1 of every file against the labels as prompts, by modality; JSON-ready.

    The labels are those of the files, or those `given`; a label is right if it counts as the
    file's class. A file's vector is the mean of its windows' unit vectors: of all at a hop of 2 s,
    or of `clips` windows spread evenly. `picture` says what the numbers of pictures are. Files
    without a window that was full enough are named under `lost`. Raises `SourceLost`,
    `ConfigError`, `EncoderFailed`.
    """
    labels = given or LabelSet("labels", tuple(sorted({item.label for item in items})))
    class_of = _classes(items, labels)
    names = tuple(dict.fromkeys(class_of.values()))
    columns = [names.index(class_of[label]) for label in labels.labels]
    reading = picture or (READINGS.get(only) if only is not None else None)
    still_s = settings.windows.length_s.vision
    sources = [narrowed(source_of(item.path, still_s, reading), only) for item in items]
    modalities = modalities_of(sources) & ({only} if only is not None else set(MODALITIES))
    if not modalities:
        raise ConfigError(f"--modality {only}: expected files that have it, found none")
    plan = file_plan(settings, HOP_S)
    vectors: dict[Modality, list[NDArray[np.float64]]] = {m: [] for m in modalities}
    truths: dict[Modality, list[int]] = {m: [] for m in modalities}
    lost: list[str] = []
    # Every modality of a file goes through the pipeline, so every tower is opened.
    with settings.encoder.open(modalities_of(sources), text=True) as encoder:
        prompts = classes_of(encoder, labels)
        for item, source in zip(items, sources, strict=True):
            spread = (source, plan) if clips is None else spread_over(source, plan, clips)
            found = embeddings_of(*spread, encoder)
            for modality in modalities:
                windows = [e.vector for e in found if e.modality == modality]
                if windows:
                    vectors[modality].append(unit(np.array(windows)).mean(axis=0))
                    truths[modality].append(names.index(class_of[item.label]))
            if not any(e.modality in modalities for e in found):
                lost.append(f"{item.path}: no window was full enough")
        return {
            "model": encoder.name,
            "model_hash": encoder.hash,
            "files": len(items),
            "labels": list(labels.labels),
            "classes": list(names),
            "lost": lost,
            "results": {
                modality: _scores(
                    by_class(unit(np.array(vectors[modality])) @ unit(prompts).T, columns),
                    truths[modality],
                    names,
                )
                for modality in MODALITIES
                if vectors.get(modality)
            },
        }


def show_files(report: dict[str, Any]) -> None:
    table = Table("modality", "files", "top-1", "95 %", "chance", "most confused")
    for modality, scores in report["results"].items():
        accuracy = scores["accuracy"]
        table.add_row(
            modality,
            str(accuracy["n"]),
            f"{accuracy['value']:.1%}",
            f"{accuracy['low']:.0%} to {accuracy['high']:.0%}",
            f"{scores['chance']:.1%}",
            "\n".join(f"{c['truth']} as {c['said']} {c['share']:.0%}" for c in scores["confused"]),
        )
    console.print(table)


def by_class(cosines: NDArray[np.float64], columns: Sequence[int]) -> NDArray[np.float64]:
    """Of cosines with labels (n, K), the best of each class (n, C); `columns[k]` is k's class."""
    best = np.full((len(cosines), max(columns) + 1), -np.inf)
    for label, column in enumerate(columns):
        best[:, column] = np.maximum(best[:, column], cosines[:, label])
    return best


def _scores(
    cosines: NDArray[np.float64], truth: Sequence[int], classes: Sequence[str]
) -> dict[str, Any]:
    true = np.array(truth, np.intp)
    counts = confusion(cosines, true, len(classes))
    return {
        "accuracy": asdict(share(float(top1(cosines, true).mean()), len(true))),
        "chance": 1 / len(classes),
        "confused": [asdict(pair) for pair in most_confused(counts, classes)],
        "confusion": counts.tolist(),
    }


def _classes(items: Sequence[Labelled], labels: LabelSet) -> Mapping[str, str]:
    """The class of every label. Raises `ConfigError` where the table and the set disagree."""
    found = dict.fromkeys(labels.labels, "")
    for item in items:
        if item.label not in found:
            raise ConfigError(f'{item.path}: expected a label of {labels.name}, got "{item.label}"')
        name = item.counts_as or item.label
        if found[item.label] not in ("", name):
            raise ConfigError(
                f'{item.path}: expected "{item.label}" to count as "{found[item.label]}" again, '
                f'got "{name}"'
            )
        found[item.label] = name
    return {label: name or label for label, name in found.items()}


def _table(data: Path) -> Path:
    if not data.is_dir():
        return data
    tables = sorted(data.glob("*.csv"))
    named = [path for path in tables if path.name in ("labels.csv", "meta.csv")]
    if len(named) == 1 or len(tables) == 1:
        return (named or tables)[0]
    raise ConfigError(f"{data}: expected labels.csv, meta.csv or one CSV, found {len(tables)}")


def _column(table: Path, found: Sequence[str], names: Sequence[str]) -> str:
    for name in names:
        if name in found:
            return name
    raise ConfigError(
        f"{table}: expected a column {' or '.join(names)}, got {', '.join(found)[:200]}"
    )


def _row(table: Path, line: int, name: str, label: str, group: str, sense: str) -> Labelled:
    path, words = table.parent / name, _words(label)
    if not name or not words:
        raise ConfigError(f"{table}:{line}: expected a file and a label, got {name!r}, {label!r}")
    if not path.is_file():
        raise ConfigError(f"{table}:{line}: {path}: no such file")
    named: list[Modality] = [m for m in MODALITIES if m == sense.strip()]
    if sense.strip() and not named:
        known = ", ".join(MODALITIES)
        raise ConfigError(f"{table}:{line}: expected a modality of {known}, got {sense!r}")
    return Labelled(path, words, _words(group), named[0] if named else None)


def _words(label: str) -> str:
    return " ".join(label.replace("_", " ").split())
