"""Is what a model says of a window right? Pure functions of an embedding and the truth.

truth       | dog | dog | dog | dog | dog + cat | cat | cat |
window            [-----------------]                          judged: it was dogs all along
window                        [-----------------]              changed: not judged
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from streamer.fusion import FUSED
from streamer.types import Embedding, Labels, Modality, Span, Truth

Verdict: TypeAlias = Literal["hit", "miss", "changed", "nothing", "unknown"]
JUDGED: tuple[Verdict, ...] = ("hit", "miss")


@dataclass(frozen=True, slots=True)
class Judgement:
    """`hit` or `miss`, or why neither: what was there `changed`, was `nothing`, is `unknown`.

    `present` is what there was to perceive; where it changed, what there was last.
    """

    verdict: Verdict
    present: tuple[str, ...] = ()


def judge(embedding: Embedding, truths: Iterable[Truth]) -> Judgement:
    """Judge the label of a window by what its sense could perceive during its span.

    Judged are windows of which at least half is known, in which there was something to perceive,
    always the same. A cut between scenes makes half a window of each, and some senses look only at
    the newest frame: a mixed window has no right answer to all of them. Whether a window is judged
    never depends on its label. A hit is a label that names any one of the things present; a fused
    label may name what any sense could perceive. `truths` are of one stream, oldest first.
    """
    known = [
        (shared_ns, names)
        for truth in truths
        if (shared_ns := _shared_ns(truth.span, embedding.span)) > 0
        and (names := _names(truth, embedding.modality)) is not None
    ]
    if 2 * sum(shared_ns for shared_ns, _ in known) < embedding.span.length_ns:
        return Judgement("unknown")
    present = known[-1][1]
    if any(set(names) != set(present) for _, names in known):
        return Judgement("changed", present)
    if not present:
        return Judgement("nothing")
    if embedding.labels is None:
        return Judgement("unknown", present)
    return Judgement("hit" if belief(embedding.labels)[0] in present else "miss", present)


def belief(labels: Labels) -> tuple[str | None, float]:
    """The most probable label and its probability; None when it is rather none of them."""
    if labels.none is not None and labels.none > 0.5:
        return None, labels.none
    probabilities: Sequence[float] = labels.probabilities.tolist()
    top = max(range(len(labels.names)), key=probabilities.__getitem__)
    return labels.names[top], probabilities[top]


def _shared_ns(a: Span, b: Span) -> int:
    return min(a.end_ns, b.end_ns) - max(a.start_ns, b.start_ns)


def _names(truth: Truth, modality: Modality | Literal["fused"]) -> tuple[str, ...] | None:
    """What a sense could perceive, for the fused one any sense; None where that is not known."""
    if modality != FUSED:
        return truth.present.get(modality)
    return tuple(dict.fromkeys(name for names in truth.present.values() for name in names))
