"""The figures of a report as one PNG."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from encoders.binding.evaluate.baselines import Baseline, best
from encoders.binding.evaluate.report import Report
from streamer.types import MODALITIES, Modality

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS: dict[Modality, str] = {
    "vision": "#0072b2",
    "audio": "#d55e00",
    "depth": "#009e73",
    "thermal": "#cc79a7",
    "imu": "#56575a",
}
"""Told apart by the colour-blind too (Okabe and Ito)."""


def draw(report: Report, baselines: Sequence[Baseline], path: Path, *, title: str) -> None:
    """Accuracy, several concepts, retrieval and reliability. Needs matplotlib."""
    # Without pyplot, which would keep figures in a global and look for a screen.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 9.5), layout="constrained")
    FigureCanvasAgg(figure)
    (top_left, top_right), (low_left, low_right) = figure.subplots(2, 2)
    _accuracy(top_left, report, baselines)
    _several(top_right, report)
    _retrieval(low_left, report)
    _reliability(low_right, report)
    figure.suptitle(title)
    figure.savefig(path, dpi=110)


def _accuracy(axes: "Axes", report: Report, baselines: Sequence[Baseline]) -> None:
    shown = list(report.zero_shot)
    places = np.arange(len(shown))
    for offset, kind, shade in ((-0.27, "accuracy", 1.0), (0, "paraphrased", 0.55)):
        shares = [getattr(report.zero_shot[m], kind) for m in shown]
        values = np.array([each.value for each in shares])
        low, high = [e.low for e in shares], [e.high for e in shares]
        axes.bar(
            places + offset, 100 * values, 0.26, alpha=shade, color=[COLOURS[m] for m in shown]
        )
        axes.errorbar(
            places + offset, 100 * values, 100 * np.array([values - low, high - values]),
            fmt="none", ecolor="black", capsize=3, lw=1,
        )  # fmt: skip
        for place, each in zip(places + offset, shares, strict=True):
            height = 100 * each.high + 2
            axes.text(float(place), height, f"{100 * each.value:.0f}", ha="center", fontsize=8)
    plain = [best(baselines, m) for m in shown]
    heights = [0 if each is None else 100 * each.accuracy.value for each in plain]
    axes.bar(places + 0.27, heights, 0.26, color="#bbbbbb", hatch="//", edgecolor="white")
    for place, modality in zip(places, shown, strict=True):
        chance = 100 * report.zero_shot[modality].chance
        axes.hlines(chance, place - 0.42, place + 0.42, "black", "dashed", lw=1.2)
    axes.set_xticks(places, shown)
    axes.set_ylim(0, 112)
    axes.set_ylabel("top-1, %")
    axes.set_title(
        "One concept: prompts | paraphrases | grey: nearest centroid\ndashed: chance", fontsize=10
    )


def _several(axes: "Axes", report: Report) -> None:
    shown = list(report.mean_average_precision)
    places = np.arange(len(shown))
    for offset, kind, shade in ((-0.2, "by_concept", 1.0), (0.2, "by_scene", 0.55)):
        each = [getattr(report.mean_average_precision[m], kind) for m in shown]
        colours = [COLOURS[m] for m in shown]
        values = [e.value for e in each]
        bars = axes.bar(places + offset, values, 0.38, alpha=shade, color=colours)
        axes.bar_label(bars, [f"{v:.2f}" for v in values], padding=2, fontsize=8)
        for place, e in zip(places + offset, each, strict=True):
            axes.hlines(e.chance, place - 0.19, place + 0.19, "black", "dashed", lw=1.2)
    axes.set_xticks(places, shown)
    axes.set_ylim(0, 1.1)
    axes.set_ylabel("mean average precision")
    axes.set_title(
        "Several concepts: scenes ranked by concept | concepts by scene\ndashed: chance",
        fontsize=10,
    )


def _retrieval(axes: "Axes", report: Report) -> None:
    shown = [m for m in MODALITIES if any(m in (p.query, p.gallery) for p in report.retrieval)]
    recalls = np.full((len(shown), len(shown)), np.nan)
    for pair in report.retrieval:
        row, column = shown.index(pair.query), shown.index(pair.gallery)
        found = pair.by_class
        if found is None:
            axes.text(column, row, "nothing\nshared", ha="center", va="center", fontsize=8)
            continue
        recalls[row, column] = 100 * found.at_1.value
        axes.text(
            column, row,
            f"{100 * found.at_1.value:.0f} / {100 * found.at_5.value:.0f}\n"
            f"chance {100 * found.chance_1:.0f}" + ("\nunseen" if pair.unseen else ""),
            ha="center", va="center", fontsize=8,
            color="white" if found.at_1.value > 0.6 else "black",
            fontweight="bold" if pair.unseen else "normal",
        )  # fmt: skip
    image = axes.imshow(recalls, vmin=0, vmax=100, cmap="Blues", aspect="auto")
    axes.figure.colorbar(image, ax=axes, label="R@1, %")
    axes.set_xticks(range(len(shown)), shown)
    axes.set_yticks(range(len(shown)), shown)
    axes.set_xlabel("gallery: one scene of each concept")
    axes.set_ylabel("query")
    axes.set_title("Retrieval of the concept, R@1 / R@5 in %", fontsize=10)


def _reliability(axes: "Axes", report: Report) -> None:
    axes.plot([0, 1], [0, 1], color="#999999", lw=1, ls="dashed")
    for modality, judged in report.calibration.items():
        counts = np.array([each.n for each in judged.curve])
        x = np.array([each.confidence for each in judged.curve])
        y = np.array([each.accuracy for each in judged.curve])
        name = f"{modality}, error {judged.error:.3f}"
        # A few predictions say little: no line leads to them, and the area of a dot is their share.
        enough = counts >= 10
        axes.plot(x[enough], y[enough], color=COLOURS[modality], lw=1.3, label=name)
        axes.scatter(x, y, 8 + 250 * counts / counts.sum(), color=COLOURS[modality], alpha=0.6)
    axes.set_xlim(0, 1.02)
    axes.set_ylim(-0.02, 1.04)
    axes.set_xlabel("probability of the best label")
    axes.set_ylabel("how often it is right")
    axes.legend(loc="upper left", fontsize=9)
    axes.set_title("Reliability, all labels, one concept; dots by number of scenes", fontsize=10)
