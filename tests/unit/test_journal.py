"""The journal of a chunk: what goes in comes out, and nothing else is believed."""

import random
from contextlib import suppress

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.recording.journal import Entry, Journal, Took, decode
from sources.recording.pictures import Look
from streamer.events import Ended, Passed
from streamer.types import HOST_CLOCK, ClockCard

stamps = st.integers(0, 1 << 61)
names = st.sampled_from(("camera", "imu", "größe", ""))
cards = st.one_of(
    st.just(HOST_CLOCK),
    st.builds(
        ClockCard, st.just("device"), st.integers(0, 1 << 40), st.integers(-(1 << 61), 1 << 61)
    ),
)
looks = st.builds(Look, st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.booleans())
tooks = st.builds(
    Took, stamps, names, stamps, st.integers(0, 1 << 40), st.integers(1, 500), cards, looks
)
ends = st.builds(Ended, stamps, st.lists(names, max_size=3).map(tuple))
entries: st.SearchStrategy[list[Entry]] = st.lists(
    st.one_of(tooks, st.builds(Passed, stamps), ends)
)


@given(entries, st.booleans())
def test_what_is_written_is_read(told: list[Entry], live: bool) -> None:
    journal = Journal(live, told, {"camera": {"queue": 3}})
    assert decode(journal.encode()) == journal


@given(entries, st.randoms(use_true_random=False))
def test_a_damaged_journal_is_an_error_of_one_kind(
    told: list[Entry], chance: random.Random
) -> None:
    written = bytearray(Journal(True, told).encode())
    at = chance.randrange(len(written))
    written[at] ^= 1 << chance.randrange(8)
    with suppress(ValueError):
        decode(bytes(written))


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("a stream that is not listed", [[0, 7, 0, 0, 1, 0, 0]]),
        ("an index from the end", [[0, -1, 0, 0, 1, 0, 0]]),
        ("a row of three", [[0, 0, 0]]),
        ("no row", [0]),
        ("text for a time", [["now"]]),
    ],
)
def test_rows_that_no_recorder_writes_are_refused(name: str, rows: list[object]) -> None:
    told = {"v": 1, "live": True, "streams": ["a"], "clocks": [["host", 0, 0]], "lost": {}}
    payload = cbor2.dumps(told | {"looks": [[1.0, 0.0, False]], "entries": rows})
    with pytest.raises(ValueError, match=r"."):
        decode(payload)


def test_an_empty_journal_costs_little() -> None:
    """Twenty times a second time passes: the journal of a chunk must stay small."""
    ten = Journal(True, [Passed(1_795_000_000_000_000_000 + n * 50_000_000) for n in range(10)])
    assert len(ten.encode()) < 150
