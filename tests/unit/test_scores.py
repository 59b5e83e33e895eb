"""The score of a run, and whether it was mostly right."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.cli.demo.scores import KEEP_NS, RECENT, Row, Scores, overall, wrong
from streamer.types import NS_PER_S, Embedding, Span, Truth
from tests.messages import T_NS, embedding, labels

TENTH = NS_PER_S // 10
RIGHT = labels(0).names[int(labels(0).probabilities.argmax())]


def believing(number: int) -> Embedding:
    """Ends half a second after the one before it, and always says `RIGHT`."""
    return replace(embedding(number), labels=replace(labels(0), none=None))


def truth(number: int, *names: str) -> Truth:
    """Number 20 is the first tenth of a second after the first window's end."""
    start_ns = T_NS + (number - 20) * TENTH
    return Truth("truth", Span(start_ns, start_ns + TENTH), {"vision": names})


async def test_the_truth_may_come_before_the_window_or_after_it() -> None:
    before, after = Scores(["cam"]), Scores(["cam"])
    for number in range(20):
        await before.publish(truth(number, RIGHT))
    await before.publish(believing(0))
    await after.publish(believing(0))
    for number in range(19):
        await after.publish(truth(number, RIGHT))
        assert after.rows["cam"].total == 0, "its last tenth is not known yet"
    await after.publish(truth(19, RIGHT))
    for scores in (before, after):
        row = scores.rows["cam"]
        assert (row.embeddings, row.total, row.hits) == (1, 1, 1)


async def test_hits_misses_and_the_reasons_for_neither_are_counted() -> None:
    scores = Scores(["cam"])
    # Windows of 2 s end at 0, 0.5, ...: right until 1 s, then a cut, then wrong, then nothing.
    for number in range(100):
        names = [RIGHT] if number < 30 else ["something else"] if number < 60 else []
        await scores.publish(truth(number, *names))
        if number % 5 == 4 and number >= 19:
            await scores.publish(believing((number - 19) // 5))
    report = scores.rows["cam"].report()
    assert report == {
        "embeddings": 17,
        "judged": 3 + 3,
        "hits": 3,
        "rate": 0.5,
        "not_judged": {"changed": 3 + 3, "nothing": 5},
    }
    assert scores.rows["cam"].recent[-6:] == ("changed", *["nothing"] * 5)
    assert len(scores.rows["cam"].recent) == RECENT
    assert scores.rows["cam"].rate_hz == 2.0
    assert scores.began_ns == T_NS - 2 * NS_PER_S


async def test_windows_whose_truth_never_comes_are_given_up() -> None:
    scores = Scores(["cam"])
    for number in range(100):
        await scores.publish(believing(number))
    row = scores.rows["cam"]
    kept = KEEP_NS // (NS_PER_S // 2)
    assert row.report()["not_judged"] == {"unknown": 100 - kept}
    scores.finish()
    assert scores.rows["cam"].report()["not_judged"] == {"unknown": 100}


async def test_old_truth_is_forgotten() -> None:
    scores = Scores(["cam"])
    for number in range(2000):
        await scores.publish(truth(number, RIGHT))
    # Ends 30 s before the newest truth and one tenth: half of it would still be known.
    await scores.publish(believing((2000 - 20 - 300 - 10) // 5))
    await scores.publish(believing((2000 - 20) // 5))
    assert scores.rows["cam"].verdicts == {"unknown": 1, "hit": 1}


def row(hits: int, judged: int) -> Row:
    return Row(embeddings=judged + 1, verdicts={"hit": hits, "miss": judged - hits})


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ({"a": row(6, 10), "b": row(6, 10)}, []),
        ({"a": row(9, 10), "b": row(5, 10)}, []),
        ({"a": row(9, 10), "b": row(4, 10)}, ["b: 4 of 10 right, expected at least half"]),
        # Four windows say nothing of a sense, but count among all.
        ({"a": row(9, 10), "b": row(0, 4)}, []),
        ({"a": row(9, 10), "b": row(0, 5)}, ["b: 0 of 5 right, expected at least half"]),
        (
            {"a": row(5, 10), "b": row(6, 10)},
            ["all senses: 11 of 20 right, expected at least 60%"],
        ),
        # The fused belief is held to half like a sense and is none of them.
        ({"a": row(9, 10), "fused": row(4, 10)}, ["fused: 4 of 10 right, expected at least half"]),
        (
            {"a": row(2, 4), "fused": row(10, 10)},
            ["all senses: 2 of 4 right, expected at least 60%"],
        ),
        ({"a": row(9, 10), "b": Row()}, ["b: no embedding came"]),
        (
            {"a": Row(), "b": row(0, 0)},
            [
                "a: no embedding came",
                "nothing could be judged: no truth came, or the run was too short",
            ],
        ),
    ],
)
def test_mostly_right(rows: dict[str, Row], why: list[str]) -> None:
    assert wrong(rows) == why


@given(st.dictionaries(st.sampled_from("abcde"), st.tuples(st.integers(0, 30), st.integers(0, 30))))
def test_one_more_hit_in_place_of_a_miss_never_makes_it_worse(
    counts: dict[str, tuple[int, int]],
) -> None:
    rows = {name: row(hits, hits + misses) for name, (hits, misses) in counts.items()}
    before = len(wrong(rows))
    for name, (hits, misses) in counts.items():
        if misses:
            better = {**rows, name: row(hits + 1, hits + misses)}
            assert len(wrong(better)) <= before
            assert overall(better) == (overall(rows)[0] + 1, overall(rows)[1])


def test_a_verdict_is_judged_or_has_a_reason() -> None:
    verdicts = {"hit": 3, "miss": 1, "changed": 5, "nothing": 2, "unknown": 4}
    each = Row(embeddings=15, verdicts=verdicts)
    assert (each.hits, each.total) == (3, 4)
    assert sum(each.report()["not_judged"].values()) + each.total == each.embeddings
