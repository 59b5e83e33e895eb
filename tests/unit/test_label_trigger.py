"""A label that fires a flight recorder: once for each time that it is there."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sinks.triggers.label import LabelTrigger, LabelWatch
from streamer.types import Embedding, Labels
from tests.messages import META, embedding


def said(number: int, probability: float, stream: str = "cam") -> Embedding:
    """Twice a second; "label 0" has that probability."""
    probabilities = np.array([probability, 1 - probability], np.float32)
    labels = Labels("5e7", ("label 0", "label 1"), probabilities, probabilities, None, True)
    return replace(embedding(number, stream=stream, dim=4), labels=labels)


async def fired(settings: LabelTrigger, messages: Sequence[Embedding]) -> list[int]:
    """After which of the messages it fired."""
    causes: list[str] = []
    watch, after = LabelWatch(settings, causes.append), list[int]()
    for number, message in enumerate(messages):
        before = len(causes)
        await watch.publish(message)
        after += [number] * (len(causes) - before)
    return after


async def test_it_fires_once_when_the_label_was_there_for_long_enough() -> None:
    settings = LabelTrigger(label="label 0", above=0.8, for_s=1.0)
    steady = [said(n, 0.9) for n in range(10)]
    assert await fired(settings, steady) == [2]
    brief = [said(n, 0.9 if n % 3 else 0.1) for n in range(12)]
    assert await fired(settings, brief) == []
    assert await fired(settings.model_copy(update={"for_s": 0.0}), brief) == [1, 4, 7, 10]


async def test_one_that_hovers_is_one_and_one_that_went_away_is_another() -> None:
    settings = LabelTrigger(label="label 0", above=0.8, for_s=0)
    hovering = [0.81, 0.79, 0.85, 0.72, 0.9, 0.71]
    assert await fired(settings, [said(n, p) for n, p in enumerate(hovering)]) == [0]
    again = [*hovering, 0.69, 0.79, 0.8]
    assert await fired(settings, [said(n, p) for n, p in enumerate(again)]) == [0, 8]
    narrow = LabelTrigger(label="label 0", above=0.8, below=0.75, for_s=0)
    assert await fired(narrow, [said(n, p) for n, p in enumerate(hovering)]) == [0, 4]


@pytest.mark.parametrize("above", [0.04, 0.1, 0.12])
async def test_one_that_is_rare_can_go_away_too(above: float) -> None:
    settings = LabelTrigger(label="label 0", above=above, for_s=0)
    shares = [1.1, 0.6, 1.1, 0.4, 1.1]
    assert await fired(settings, [said(n, above * p) for n, p in enumerate(shares)]) == [0, 4]


async def test_a_time_without_windows_is_no_time_with_the_label() -> None:
    settings = LabelTrigger(label="label 0", above=0.8, for_s=60)
    # Windows of 2 s that end 60 s apart say nothing of the time between them.
    apart = [said(n, 0.9) for n in range(0, 1200, 120)]
    assert await fired(settings, apart) == []
    touching = [said(n, 0.9) for n in range(0, 1200, 4)]
    assert await fired(settings, touching) == [30]


async def test_it_looks_where_it_was_told_to() -> None:
    cause: list[str] = []
    watch = LabelWatch(LabelTrigger(label="label 0", for_s=0, stream="rear"), cause.append)
    await watch.publish(said(0, 0.95))
    await watch.publish(META)
    await watch.publish(embedding(0))
    assert not cause
    await watch.publish(said(0, 0.95, stream="rear"))
    assert cause == ["label 'label 0' 0.95 on vision/rear"]
    assert watch.report()["delivered"] == 4
    for settings in (
        LabelTrigger(label="label 2", for_s=0),
        LabelTrigger(label="label 0", for_s=0, modality="audio"),
        LabelTrigger(label="label 0", for_s=0, modality="fused"),
    ):
        assert await fired(settings, [said(0, 0.95)]) == []
    assert await fired(LabelTrigger(label="label 0", for_s=0, modality="vision"), [said(0, 1)])


async def test_streams_are_looked_at_by_themselves() -> None:
    settings = LabelTrigger(label="label 0", for_s=0)
    both = [said(0, 0.9), said(0, 0.9, "rear"), said(1, 0.1), said(1, 0.9, "rear"), said(2, 0.9)]
    assert await fired(settings, both) == [0, 1, 4]


async def test_what_is_no_number_does_not_fire() -> None:
    assert await fired(LabelTrigger(label="label 0", for_s=0), [said(0, float("nan"))]) == []


@given(st.lists(st.floats(0, 1, width=32), max_size=60), st.floats(0.05, 1), st.floats(0, 3))
def test_between_two_times_it_went_below(
    probabilities: list[float], above: float, for_s: float
) -> None:
    causes: list[str] = []
    settings = LabelTrigger(label="label 0", above=above, for_s=for_s)
    watch = LabelWatch(settings, causes.append)
    fired: list[int] = []
    for number, probability in enumerate(probabilities):
        message = said(number, probability)
        before = len(causes)
        watch._look(message)  # pyright: ignore[reportPrivateUsage]
        if len(causes) > before:
            fired.append(number)
            since = number - round(for_s * 2)
            assert all(float(p) >= settings.low - 1e-6 for p in probabilities[since : number + 1])
    for first, second in pairwise(fired):
        assert min(probabilities[first:second]) < settings.low


@pytest.mark.parametrize("wrong", [{"above": 0.5, "below": 0.6}, {"above": 0}, {"label": ""}])
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LabelTrigger.model_validate({"label": "a dog", **wrong})
