"""The figures of a soak test as tables for docs/measurements.md. Pure."""

from collections.abc import Mapping
from typing import Any


def table(figures: Mapping[str, Any]) -> str:
    lines = ["| Fault | times | told after, median / most | online again after, median / most |"]
    lines.append("|---|---|---|---|")
    for name, kind in figures["faults"].items():
        if isinstance(kind, Mapping):
            told, back = (_pair(kind[what]) for what in ("noticed_s", "recovered_s"))
            lines.append(f"| {name} | {kind['n']} | {told} | {back} |")
    lines += ["", "| Stream | windows due | missing | age at the observer: median / p99 / most |"]
    lines.append("|---|---|---|---|")
    for name, stream in figures["streams"].items():
        age = stream["age_s"]
        ages = f"{age['p50']:.2f} / {age['p99']:.2f} / {age['max']:.2f} s" if age else "none"
        lines.append(f"| {name} | {stream['due']} | {stream['missing']} | {ages} |")
    memory = figures["memory"]
    if memory:
        lines += ["", f"Memory: {memory['after_warm_up_mb']} MB after warming up, "]
        lines[-1] += f"{memory['at_end_mb']} MB at the end. Messages: {figures['messages']}."
    return "\n".join(lines)


def _pair(spread: Mapping[str, float] | None) -> str:
    return f"{spread['p50']:.2f} / {spread['max']:.2f} s" if spread else "not told"
