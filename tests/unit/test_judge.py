"""What counts as right, drawn: one character is 100 ms of truth, d a dog, c a cat, - nothing."""

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.cli.demo.judge import belief, judge
from streamer.types import Embedding, Labels, Ledger, Modality, Quality, Span, Truth

HUNDRED_MS = 100_000_000
NAMES = {"d": "a dog barking", "c": "a cat meowing", "-": None}
LABELS = tuple(name for name in NAMES.values() if name)


def truths(line: str, modality: Modality = "audio") -> list[Truth]:
    """One a character; B is both, a space is not told."""
    told: list[Truth] = []
    for number, letter in enumerate(line):
        if letter == " ":
            continue
        present = LABELS if letter == "B" else tuple(filter(None, [NAMES[letter]]))
        span = Span(number * HUNDRED_MS, (number + 1) * HUNDRED_MS)
        told.append(Truth("truth", span, {modality: present}))
    return told


def labels(says: str, none: float | None = None) -> Labels:
    rest = 1 - (none or 0.0)
    p = [0.9 * rest, 0.1 * rest] if says == "d" else [0.1 * rest, 0.9 * rest]
    array = np.array(p, np.float32)
    return Labels("5e7", LABELS, array, array, none, True)


def window(
    line: str,
    says: str = "d",
    *,
    modality: Modality | Literal["fused"] = "audio",
    none: float | None = None,
) -> Embedding:
    """The window that the brackets of `line` enclose, both of them inside."""
    span = Span(line.index("[") * HUNDRED_MS, (line.index("]") + 1) * HUNDRED_MS)
    vector = np.ones(1, np.float32)
    ledger = Ledger(span.end_ns, span.end_ns)
    return Embedding(
        "mic", modality, span, vector, "m", Quality(1.0), labels(says, none), ledger
    )  # fmt: skip


@pytest.mark.parametrize(
    ("truth", "of", "says", "verdict"),
    [
        # It was dogs all along, and the cat after it does not matter.
        ("-dddddddddcccc", " [-------]    ", "d", "hit"),
        ("-dddddddddcccc", " [-------]    ", "c", "miss"),
        # The span is half-open: it begins and ends with the first and the last dog.
        ("---ddddd---", "   [---]   ", "d", "hit"),
        ("---ddddd---", "  [----]   ", "d", "changed"),
        ("---ddddd---", "   [----]  ", "d", "changed"),
        # A cut, and something that came or went beside what stayed.
        ("ddddcccc", "[------]", "d", "changed"),
        ("ddddcccc", "[------]", "c", "changed"),
        ("ddddBBBB", "[------]", "d", "changed"),
        # Several things: any of them.
        ("BBBBBBBB", "[------]", "d", "hit"),
        ("BBBBBBBB", "[------]", "c", "hit"),
        # Nothing there: no label is right or wrong.
        ("--------", "[------]", "d", "nothing"),
        # Half of it must be known, by itself or in pieces.
        ("    dddd", "[------]", "d", "hit"),
        ("     ddd", "[------]", "d", "unknown"),
        ("d d d d ", "[------]", "c", "miss"),
        ("d d d   ", "[------]", "d", "unknown"),
        ("        ", "[------]", "d", "unknown"),
    ],
)
def test_a_label_against_the_truth(truth: str, of: str, says: str, verdict: str) -> None:
    assert judge(window(of, says), truths(truth)).verdict == verdict


def test_what_was_there_is_told_and_where_it_changed_what_was_there_last() -> None:
    assert judge(window("[--]"), truths("BBBB")).present == LABELS
    assert judge(window("[--]"), truths("dddc")).present == ("a cat meowing",)
    assert judge(window("[--]"), truths("ddd-")).present == ()


def test_none_of_these_is_a_miss_when_it_is_more_likely_than_not() -> None:
    there = truths("dddd")
    assert judge(window("[--]", none=0.51), there).verdict == "miss"
    assert judge(window("[--]", none=0.49), there).verdict == "hit"
    assert belief(labels("d", 0.51)) == (None, 0.51)
    name, probability = belief(labels("d", 0.5))
    assert name == "a dog barking"
    assert probability == pytest.approx(0.45)
    assert judge(window("[--]", none=0.9), truths("----")).verdict == "nothing"


def test_a_sense_is_judged_by_what_it_could_perceive_itself() -> None:
    span = Span(0, 4 * HUNDRED_MS)
    truth = Truth("truth", span, {"vision": LABELS, "audio": ("a dog barking",), "thermal": ()})
    verdicts = {
        modality: judge(window("[--]", "c", modality=modality), [truth]).verdict
        for modality in ("vision", "audio", "thermal", "imu", "fused")
    }
    assert verdicts == {
        "vision": "hit",
        "audio": "miss",
        "thermal": "nothing",
        "imu": "unknown",
        "fused": "hit",
    }


def test_the_fused_truth_is_that_of_all_senses_together() -> None:
    """A thing that leaves the picture and can still be heard was there all along."""
    early = Truth(
        "truth", Span(0, 2 * HUNDRED_MS), {"vision": LABELS[:1], "audio": LABELS[:1], "imu": ()}
    )
    late = Truth(
        "truth",
        Span(2 * HUNDRED_MS, 4 * HUNDRED_MS),
        {"vision": (), "audio": LABELS[:1], "imu": ()},
    )
    assert judge(window("[--]", modality="fused"), [early, late]).verdict == "hit"
    assert judge(window("[--]", modality="vision"), [early, late]).verdict == "changed"


lines = st.text("dcB- ", min_size=8, max_size=24)


@given(lines, st.integers(0, 7), st.integers(1, 16))
def test_whether_a_window_is_judged_does_not_depend_on_what_the_model_says(
    line: str, start: int, length: int
) -> None:
    of = " " * start + "[" + "-" * length + "]"
    said = {judge(window(of, says), truths(line)).verdict for says in "dc"}
    judged = said <= {"hit", "miss"}
    assert judged or len(said) == 1


@given(lines, st.integers(0, 7), st.integers(1, 16))
def test_a_verdict_by_the_definition(line: str, start: int, length: int) -> None:
    """Computed again from the characters under the window."""
    of = " " * start + "[" + "-" * length + "]"
    under = line.ljust(len(of))[start : len(of)]
    told = under.replace(" ", "")
    if 2 * len(told) < len(under):
        expected = "unknown"
    elif len(set(told)) > 1:
        expected = "changed"
    else:
        expected = {"-": "nothing", "c": "miss"}.get(told[0], "hit")
    assert judge(window(of, "d"), truths(line)).verdict == expected


@given(lines, st.sampled_from([2, 4, 5]))
def test_how_finely_the_truth_is_told_does_not_matter(line: str, pieces: int) -> None:
    step = HUNDRED_MS // pieces
    fine = [
        Truth("truth", Span(start_ns, start_ns + step), truth.present)
        for truth in truths(line)
        for start_ns in range(truth.span.start_ns, truth.span.end_ns, step)
    ]
    assert judge(window("  [----]"), fine) == judge(window("  [----]"), truths(line))
