"""What became of every fault, and which losses no fault explains. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from streamer.types import NS_PER_S
from tests.soak.timeline import Fault, Said, Timeline

RECOVERY_S = 5.0
GRACE_S = 1.0
"""A device that came back late may flutter for this long; one that came back in time until it had
to be back."""

BUDGET, PERIOD_S = 12, 60
"""Of `streamer.supervise.Backoff`: more losses than this in that time, and tries become rare."""


@dataclass(frozen=True, slots=True)
class Outage:
    """What became of a fault: `noticed_ns` None if it was never told; `recovered_ns` None if it
    was told and never taken back. Both are None for one that went by unnoticed."""

    fault: Fault
    noticed_ns: int | None
    recovered_ns: int | None
    spent: bool

    @property
    def name(self) -> str:
        return f"{self.fault.stream} {self.fault.kind} at {self.fault.at_ns}"

    @property
    def over_ns(self) -> int | None:
        """When the device was whole and known to be; None if it never was again."""
        return self.fault.back_ns if self.noticed_ns is None else self.recovered_ns

    @property
    def whole_ns(self) -> int:
        """From when on it could recover. A hang that is over with its own process begins to be
        over when it is noticed."""
        return _whole_ns(self.fault, self.noticed_ns or 0)


def outages_of(stream: str, timeline: Timeline, faults: Iterable[Fault]) -> list[Outage]:
    """What became of the faults of one stream, in their order."""
    said = [s for s in timeline.said if s.stream == stream]
    mine = sorted((f for f in faults if f.stream == stream), key=lambda fault: fault.at_ns)
    until = [fault.at_ns for fault in mine[1:]] + [timeline.ended_ns]
    return [_outage(fault, said, next_ns) for fault, next_ns in zip(mine, until, strict=False)]


def lost_without_a_fault(stream: str, timeline: Timeline, outages: Iterable[Outage]) -> list[Said]:
    """Where a stream that was online was said not to be, in none of its own outages.

    A state that is said again, with new drops, is no new loss. Before it was online for the first
    time it is coming up, and what it says after it was asked to stop is its end.
    """
    said = [s for s in timeline.said if s.stream == stream and s.at_ns < timeline.ended_ns]
    own = [
        (o.fault.at_ns, timeline.ended_ns if o.over_ns is None else o.over_ns)
        for o in outages
        if o.fault.stream == stream
    ]
    return [
        s
        for before, s in pairwise(said)
        if before.state == "online" != s.state
        and not any(start <= s.at_ns <= end for start, end in own)
    ]


def _outage(fault: Fault, said: Sequence[Said], until_ns: int) -> Outage:
    during = [s for s in said if fault.at_ns <= s.at_ns < until_ns]
    noticed = next((s.at_ns for s in during if s.state != "online"), None)
    # What is told when it had to be over long ago is told of something else.
    if noticed is None or noticed > fault.back_ns + RECOVERY_S * NS_PER_S:
        return Outage(fault, None, None, spent=False)
    # Online that is said again before the loss was is no return.
    after = [s for s in during if s.at_ns >= noticed]
    back_ns = _back_ns(after, _whole_ns(fault, noticed) + round(RECOVERY_S * NS_PER_S))
    # What was said last before the period began; a run begins with no losses.
    over_ns = until_ns if back_ns is None else back_ns
    period_ns = over_ns - PERIOD_S * NS_PER_S
    before = max((s.restarts for s in said if s.at_ns <= period_ns), default=0)
    losses = max(s.restarts for s in during if s.at_ns <= over_ns) - before
    return Outage(fault, noticed, back_ns, spent=losses > BUDGET)


def _back_ns(told: Sequence[Said], due_ns: int) -> int | None:
    """When it was back to stay: a loss after that, and after `due_ns`, is another one."""
    back_ns: int | None = None
    for s in told:
        if s.state == "online":
            back_ns = s.at_ns if back_ns is None else back_ns
        elif back_ns is not None and s.at_ns > max(due_ns, back_ns + GRACE_S * NS_PER_S):
            break
        else:
            back_ns = None
    return back_ns


def _whole_ns(fault: Fault, noticed_ns: int) -> int:
    return max(fault.back_ns, noticed_ns) if fault.kind == "frozen" else fault.back_ns
