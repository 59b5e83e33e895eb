"""What `streamer eval` shows of a model on the world: tables for people."""

from collections.abc import Sequence

from rich.table import Table

from configs.evaluation import WorldReport
from encoders.binding.evaluate.baselines import Baseline, best
from encoders.binding.evaluate.report import Report
from encoders.binding.evaluate.scores import Share
from streamer.cli.output import console
from streamer.types import MODALITIES


def show_world(world: WorldReport) -> None:
    report = world.report
    console.print(_alone(report, world.baselines))
    for modality, scores in report.zero_shot.items():
        pairs = [f"{c.truth} as {c.said} {c.share:.0%}" for c in scores.confused[:3]]
        if pairs:
            console.print(f"[bold]{modality}[/] confuses " + "; ".join(pairs))
    console.print(_several(report))
    console.print(_retrieval(report))
    sums = report.arithmetic
    if sums is not None:
        console.print(
            f"image + sound finds the scene with both: R@1 {_percent(sums.both)}, "
            f"image alone {sums.image_only.value:.1%}, sound alone {sums.sound_only.value:.1%}, "
            f"chance {sums.chance:.1%} of {sums.size}"
        )
    console.print(_calibration(report, fitted=world.fitted))


def _alone(report: Report, baselines: Sequence[Baseline]) -> Table:
    table = Table(
        "", "scenes", "top-1", "paraphrased", "chance", "of all labels", "without a model",
        title=f"{report.one} scenes of one concept: zero-shot accuracy against text",
    )  # fmt: skip
    for modality, scores in report.zero_shot.items():
        plain = best(baselines, modality)
        table.add_row(
            modality,
            str(scores.accuracy.n),
            _percent(scores.accuracy),
            f"{scores.paraphrased.value:.1%}",
            f"{scores.chance:.1%}",
            f"{scores.whole_list.value:.1%}",
            "" if plain is None else f"{plain.accuracy.value:.1%} {plain.feature}",
        )
    return table


def _several(report: Report) -> Table:
    table = Table(
        "", "scenes", "scenes by concept", "chance", "concepts by scene", "chance",
        title=f"{report.several} scenes of several concepts: mean average precision",
    )  # fmt: skip
    for modality, scores in report.mean_average_precision.items():
        table.add_row(
            modality,
            str(scores.n),
            f"{scores.by_concept.value:.3f}",
            f"{scores.by_concept.chance:.3f}",
            f"{scores.by_scene.value:.3f}",
            f"{scores.by_scene.chance:.3f}",
        )
    return table


def _retrieval(report: Report) -> Table:
    table = Table(
        "from", "to", "", "concept R@1", "R@5", "chance", "scene R@1", "R@5", "chance",
        title="Retrieval between modalities; unseen: never side by side in training",
    )  # fmt: skip
    for pair in report.retrieval:
        row = [pair.query, pair.gallery, "unseen" if pair.unseen else ""]
        for recall in (pair.by_class, pair.by_instance):
            if recall is None:
                row += ["nothing both perceive", "", ""]
            else:
                row += [
                    f"{recall.at_1.value:.1%}",
                    f"{recall.at_5.value:.1%}",
                    f"{recall.chance_1:.1%}, {recall.chance_5:.1%}",
                ]
        table.add_row(*row)
    return table


def _calibration(report: Report, *, fitted: bool) -> Table:
    origin = "fitted here on moments of their own" if fitted else "as the weights bring them"
    table = Table(
        "", "temperature", "none below", "error", "adaptive", "open", "default T",
        "none: left out", "none: known",
        title=f"Expected calibration error on the whole list; temperatures {origin}",
    )  # fmt: skip
    for modality in MODALITIES:
        if (scores := report.calibration.get(modality)) is not None:
            table.add_row(
                modality,
                f"{scores.temperature:.4f}",
                f"{scores.none_below:.3f}",
                f"{scores.error:.3f}",
                f"{scores.error_adaptive:.3f}",
                f"{scores.error_open:.3f}",
                f"{scores.error_default:.3f}",
                f"{scores.none_left_out:.1%}",
                f"{scores.none_known:.1%}",
            )
    return table


def _percent(rate: Share) -> str:
    return f"{rate.value:.1%} ({rate.low:.0%} to {rate.high:.0%})"
