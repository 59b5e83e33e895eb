"""What `streamer calibrate` shows and reports: candidates, what was decided, what was fitted."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from rich.table import Table

from encoders.choosing import LENGTH
from encoders.matching import Choice, Compared
from streamer.cli.calibrate.conclude import Conclusion
from streamer.cli.output import console
from streamer.types import Modality

MOST_ROWS = 12


def show(conclusion: Conclusion) -> None:
    for modality, every in conclusion.compared.items():
        for compared in every:
            console.print(_candidates(modality, compared))
            for choice in compared.choices:
                console.print(_verdict(modality, choice))
    if conclusion.fitted:
        console.print(_fitted(conclusion))
    for note in conclusion.notes:
        console.print(note, soft_wrap=True)


def plain(conclusion: Conclusion) -> dict[str, Any]:
    """JSON-ready."""
    return {
        "compared": {m: [_compared(c) for c in cs] for m, cs in conclusion.compared.items()},
        "chosen": conclusion.chosen,
        "fitted": {modality: asdict(fitted) for modality, fitted in conclusion.fitted.items()},
        "notes": conclusion.notes,
    }


def _candidates(modality: Modality, compared: Compared) -> Table:
    matched = compared.matched
    varied = [choice.setting for choice in compared.choices]
    kept = ", ".join(f"{k} {v}" for k, v in compared.candidates[0].items() if k not in varied)
    table = Table(
        *varied, "agreement", "95 %", "best in draws",
        title=f"{modality}: how often {matched.moments} moments' vectors find their own picture"
        f" before another's; 50 % is chance" + (f"; {kept}" if kept else ""),
        caption=f"as good by chance: p = {matched.by_chance:.3f}",
    )  # fmt: skip
    for settings, agreement, low, high, votes in list(_rows(compared))[:MOST_ROWS]:
        table.add_row(
            *(settings[name] for name in varied),
            f"{agreement:.1%}",
            f"{low:.0%} to {high:.0%}",
            f"{votes:.0%}",
        )
    left = len(compared.candidates) - MOST_ROWS
    if left > 0:
        table.add_row(f"... {left} lower ones", *[""] * (len(varied) + 2))
    return table


def _verdict(modality: Modality, choice: Choice) -> str:
    name = f"windows.{LENGTH}.imu" if choice.setting == LENGTH else f"{modality}.{choice.setting}"
    if choice.why is not None:
        return f"[bold yellow]undecided[/], kept as it was: {name}: {choice.why}"
    return f"[bold green]{name}: {choice.best}[/] (best in {choice.sure:.0%} of draws)"


def _fitted(conclusion: Conclusion) -> Table:
    table = Table(
        "", "windows, files", "top-1", "temperature", "error", "none below", "none right, wrong",
        title="Probabilities; the calibration error is of files that the fit has not seen",
    )  # fmt: skip
    for modality, each in conclusion.fitted.items():
        known, left_out = each.none_known, each.none_left_out
        table.add_row(
            modality,
            f"{each.windows}, {each.files}",
            f"{each.accuracy:.1%}",
            f"{each.temperature_before:.3g} -> {each.temperature:.3g}",
            f"{each.error_before:.3f} -> {each.error_after:.3f}",
            "" if each.none_below is None else f"{each.none_below:.3f}",
            "" if known is None or left_out is None else f"{left_out:.0%}, {known:.0%}",
        )
    return table


def _rows(compared: Compared) -> Iterator[tuple[Mapping[str, str], float, float, float, float]]:
    """Candidates with agreement, its bounds and the votes, the best first."""
    matched = compared.matched
    rows = zip(
        compared.candidates,
        matched.agreements.tolist(),
        matched.low.tolist(),
        matched.high.tolist(),
        matched.votes.tolist(),
        strict=True,
    )
    yield from sorted(rows, key=lambda row: -row[1])


def _compared(compared: Compared) -> dict[str, Any]:
    names = ("agreement", "low", "high", "votes")
    return {
        "moments": compared.matched.moments,
        "by_chance": compared.matched.by_chance,
        "candidates": [
            {"settings": dict(settings), **dict(zip(names, numbers, strict=True))}
            for settings, *numbers in _rows(compared)
        ],
        "choices": [asdict(choice) for choice in compared.choices],
    }
