"""What a training says about itself: JSON lines, and their picture."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class Journal:
    """One JSON object a line. Opened at a step, it forgets what a killed run wrote after it."""

    def __init__(self, path: Path, step: int) -> None:
        self._path = path
        kept = [record for record in read(path) if record["step"] <= step]
        made = path.with_suffix(".tmp")
        made.write_text("".join(_line(record) for record in kept))
        made.replace(path)

    def add(self, record: Mapping[str, Any]) -> None:
        with self._path.open("a") as file:
            file.write(_line(record))


def read(path: Path) -> list[dict[str, Any]]:
    """The records of a journal; a last line that a kill cut short is left out."""
    if not path.exists():
        return []
    lines = path.read_text().split("\n")[:-1]
    return [json.loads(line) for line in lines]


def plot(journals: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> None:
    """Loss and retrieval accuracy over samples, a line a stage, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, key, title in zip(
        figure.subplots(1, 2), ("loss", "accuracy"), ("loss", "retrieval in the batch"), strict=True
    ):
        for name, records in journals.items():
            told = [record for record in records if key in record]
            axes.plot([r["samples"] / 1e3 for r in told], [r[key] for r in told], label=name, lw=1)
        axes.set_xlabel("thousand samples")
        axes.set_title(title)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=100, format="png")


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record, allow_nan=False) + "\n"
