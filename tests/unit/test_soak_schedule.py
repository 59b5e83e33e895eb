"""Two faults a minute on every source, never too close, all kinds, the same for the same seed."""

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.soak.outages import RECOVERY_S
from tests.soak.schedule import schedule

KINDS = {
    "cam": ("killed", "frozen", "server killed", "server frozen"),
    "base": ("killed", "frozen", "unplugged", "garbage", "clock set"),
}


@given(st.integers(0, 1 << 32), st.integers(1, 30))
def test_two_faults_a_minute_on_every_source(seed: int, minutes: int) -> None:
    planned = schedule(seed, 60 * minutes, KINDS)
    assert planned == schedule(seed, 60 * minutes, KINDS)
    assert [p.at_s for p in planned] == sorted(p.at_s for p in planned)
    for stream, kinds in KINDS.items():
        mine = [p for p in planned if p.stream == stream]
        assert len(mine) == 2 * minutes
        counts = Counter(p.kind for p in mine)
        assert max(counts.values()) - min(counts[kind] for kind in kinds) <= 1
        for before, after in pairwise(mine):
            # Over, and told to be, with a window's length to spare.
            assert after.at_s - before.at_s - before.away_s > RECOVERY_S + 5
        assert mine[-1].at_s + mine[-1].away_s + RECOVERY_S < 60 * minutes
        assert all(1 <= p.away_s <= 4 for p in mine)
        assert all(p.away_s >= 2.5 for p in mine if p.kind == "server frozen")


def test_another_seed_is_another_run() -> None:
    assert schedule(1, 120, KINDS) != schedule(2, 120, KINDS)
