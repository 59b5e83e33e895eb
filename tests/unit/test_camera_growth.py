"""A process that grows for days is started again."""

import gc

import numpy as np
import pytest

from sources.camera.growth import MOST_BYTES, Growth, own_bytes
from streamer.errors import SourceLost
from streamer.types import NS_PER_S


def test_growth_counts_from_the_first_seconds_on() -> None:
    growth = Growth()
    measured: list[int] = []

    def measure() -> int:
        measured.append(100 + len(measured) * (MOST_BYTES // 10))
        return measured[-1]

    def live() -> None:
        for second in range(1000):
            growth.check(second * NS_PER_S, measure)

    with pytest.raises(SourceLost, match="has grown by 563 MiB and is started again"):
        live()
    assert len(measured) == 12, "looked at now and then, and ended when it was too much"


def test_a_process_that_stays_as_it_is_goes_on() -> None:
    growth = Growth()
    for second in range(1000):
        growth.check(second * NS_PER_S, lambda: 5 * MOST_BYTES)


def test_what_this_process_holds_is_measured() -> None:
    gc.collect()  # what other tests left must not go while this one measures
    before = own_bytes()
    held = np.ones(256 << 20, np.uint8)
    assert own_bytes() - before == pytest.approx(held.nbytes, rel=0.3)
