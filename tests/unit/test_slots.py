"""Slots in shared memory: the same bytes on both sides, and nothing beyond them."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.isolated.slots import SLOTS, Slots, shared_memory

SIZE = 60


def both_sides() -> tuple[Slots, Slots]:
    fd = shared_memory(SIZE)
    try:
        return Slots(fd, SIZE), Slots(fd, SIZE)
    finally:
        os.close(fd)


def test_what_one_side_writes_the_other_reads() -> None:
    ours, theirs = both_sides()
    for slot in range(SLOTS):
        theirs.view(slot, (4, 5, 3), "uint8")[:] = slot + 1
    for slot in range(SLOTS):
        assert (ours.view(slot, (60, 1), "uint8") == slot + 1).all(), "slots do not overlap"
    ours.close()
    theirs.close()


@given(
    st.integers(-2, SLOTS + 1),
    st.lists(st.integers(0, 70), min_size=1, max_size=3),
    st.sampled_from(("uint8", "uint16", "float32")),
)
def test_a_view_lies_inside_its_slot_or_is_refused(slot: int, shape: list[int], dtype: str) -> None:
    slots, other = both_sides()
    other.close()
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if 0 <= slot < SLOTS and 0 < size <= SIZE:
        view = slots.view(slot, shape, dtype)
        assert view.shape == tuple(shape)
        assert view.dtype == dtype
        del view
    else:
        with pytest.raises(ValueError, match=f"expected one of {SLOTS} slots of {SIZE} bytes"):
            slots.view(slot, shape, dtype)
    slots.close()


def test_a_view_that_somebody_holds_outlives_the_slots() -> None:
    ours, theirs = both_sides()
    view = ours.view(0, (4, 15), "uint8")
    theirs.view(0, (4, 15), "uint8")[:] = 7
    ours.close()
    theirs.close()
    assert (view == 7).all()


def test_the_memory_cannot_be_taken_from_under_a_reader() -> None:
    # A process that runs wild and shortens the file would end the reader with SIGBUS.
    fd = shared_memory(SIZE)
    try:
        for length in (0, 1 << 20):
            with pytest.raises(PermissionError):
                os.truncate(fd, length)
    finally:
        os.close(fd)


def test_unused_slots_cost_nothing() -> None:
    fd = shared_memory(1 << 30)
    try:
        assert os.fstat(fd).st_blocks == 0
    finally:
        os.close(fd)
