"""How a label is shown to people."""

from collections.abc import Sequence

UNCALIBRATED = "* not calibrated: ranks labels only"


def best(
    probabilities: Sequence[float], names: Sequence[str], none: float | None, *, calibrated: bool
) -> str:
    """The most probable label, or that it is none of them, with its probability."""
    mark = "" if calibrated else "*"
    top = max(range(len(names)), key=probabilities.__getitem__, default=None)
    if none is not None and (top is None or none > probabilities[top]):
        return f"none of these {none:.0%}{mark}"
    if top is None:
        return ""
    return f"{names[top]} {probabilities[top]:.0%}{mark}"
