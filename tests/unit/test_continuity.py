"""The check of sequence numbers that a subscriber makes."""

from hypothesis import given
from hypothesis import strategies as st

from sinks.wire.continuity import REMEMBERED, Continuity


@given(st.data())
def test_counts_of_received_missing_and_duplicates_are_exact(data: st.DataObject) -> None:
    # A publisher sends 0..n-1; the network loses some, repeats some and swaps neighbours.
    sent = data.draw(st.integers(1, 40))
    arriving = [
        seq for seq in range(sent) for _ in range(data.draw(st.sampled_from([0, 1, 1, 1, 2])))
    ]
    for at in data.draw(st.lists(st.integers(1, 80), max_size=10)):
        if at < len(arriving) - 1:
            arriving[at], arriving[at + 1] = arriving[at + 1], arriving[at]
    if not arriving:
        return
    # What comes before the first to be heard is not missed, so let that one be the lowest.
    arriving.insert(0, min(arriving))
    check = Continuity()
    for seq in arriving:
        check.see("s", seq)
    span = range(min(arriving), max(arriving) + 1)
    assert check.received == len(set(arriving))
    assert check.duplicates == len(arriving) - len(set(arriving))
    assert check.missing == len(span) - len(set(arriving))


def test_each_verdict() -> None:
    # 3 4 . . 7 5 5 8
    check = Continuity()
    verdicts = [check.see("s", seq) for seq in (3, 4, 7, 5, 5, 8)]
    assert verdicts == ["next", "next", "gap", "late", "duplicate", "next"]
    assert check.missing == 1


def test_a_new_session_starts_afresh_and_keeps_the_counts() -> None:
    check = Continuity()
    for sid, seq in (("a", 0), ("a", 2), ("b", 0), ("b", 1)):
        check.see(sid, seq)
    assert (check.sessions, check.received, check.missing, check.duplicates) == (2, 4, 1, 0)


def test_a_wide_gap_is_counted_but_not_remembered_without_bound() -> None:
    check = Continuity()
    check.see("s", 0)
    check.see("s", 10**9)
    assert check.missing == 10**9 - 1
    assert check.see("s", 10**9 - 1) == "late"
    assert check.see("s", 10**9 - REMEMBERED - 1) == "duplicate"
