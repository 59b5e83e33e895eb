"""How often labels of a given probability are right, before and after fitting, as one PNG."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from encoders.binding.evaluate.plot import COLOURS
from encoders.binding.evaluate.reliability import Bin
from encoders.probabilities import Fitted
from streamer.types import Modality

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(fitted: Mapping[Modality, Fitted], path: Path, *, title: str) -> None:
    """One picture a modality. Needs matplotlib."""
    # Without pyplot, which would keep figures in a global and look for a screen.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * len(fitted), 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    every = figure.subplots(1, len(fitted), squeeze=False)[0]
    for axes, (modality, each) in zip(every, fitted.items(), strict=True):
        axes.plot([0, 1], [0, 1], color="#999999", lw=1, ls="dashed")
        _curve(axes, each.before, f"before, error {each.error_before:.3f}", "#999999")
        _curve(axes, each.after, f"held out, error {each.error_after:.3f}", COLOURS[modality])
        axes.set_xlim(0, 1.02)
        axes.set_ylim(-0.02, 1.04)
        axes.set_xlabel("probability of the best label")
        axes.set_ylabel("how often it is right")
        axes.legend(loc="upper left", fontsize=9)
        axes.set_title(f"{modality}: {each.windows} windows of {each.files} files", fontsize=10)
    figure.suptitle(title)
    figure.savefig(path, dpi=110)


def _curve(axes: "Axes", bins: tuple[Bin, ...], name: str, colour: str) -> None:
    """The area of a dot is its share of the windows."""
    total = sum(each.n for each in bins)
    x, y = [each.confidence for each in bins], [each.accuracy for each in bins]
    axes.plot(x, y, color=colour, lw=1.3, label=name)
    axes.scatter(x, y, [8 + 250 * each.n / total for each in bins], color=colour, alpha=0.6)
