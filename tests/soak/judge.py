"""Was the promise kept? A function of what was done and what was seen. Pure.

- A stream whose device is whole has an embedding for every end of the grid, and it arrives at most
  lateness + hop after that end, whatever happens to the others.
- What cuts a device off is told within 1 s, what makes it hang within 2 s.
- It is online again within 5 s of its device's return, while the restart budget lasts.
- Nothing else cuts it off, and the faults that were to be done were done.
- Memory is flat, and every sample and every message is accounted for.
- The program ends with the status that its report explains, and its processes end with it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from streamer.types import NS_PER_S
from tests.soak.outages import RECOVERY_S, Outage, lost_without_a_fault, outages_of
from tests.soak.schedule import EVERY_S
from tests.soak.timeline import Ending, Fault, Heard, Memory, Terms, Timeline

NOTICE_S: Mapping[str, float | None] = {
    "killed": 1,
    "frozen": 2,
    "unplugged": 1,
    "server killed": 1,
    "server frozen": 2,
    "garbage": None,
    "clock set": None,
}
"""By kind: in how many seconds it must be told; None: it need not be noticed at all."""

GROWTH_MB = 20.0
WARM_UP_S = 20.0
MOST_EXCUSED = 0.1
"""Of all faults. More that found the budget spent, and the run says nothing about recovery."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`figures` are JSON-ready; `broken` has one line for each promise that was not kept."""

    figures: dict[str, Any]
    broken: list[str]


def judge(
    timeline: Timeline,
    faults: Sequence[Fault],
    report: Mapping[str, Any],
    ending: Ending,
    terms: Terms,
) -> Verdict:
    """`report` is what the run printed at its end (`streamer run --json`)."""
    outages = [o for stream in terms.lengths_ns for o in outages_of(stream, timeline, faults)]
    kinds, told = _faults(outages)
    lapses = [
        f"{stream}: lost without a fault at {s.at_ns}: {s.state} {s.why}".rstrip()
        for stream in terms.lengths_ns
        for s in lost_without_a_fault(stream, timeline, outages)
    ]
    streams, late = _streams(timeline, outages, terms)
    memory, grown = _memory(timeline.memory)
    lost = accounts(report, timeline.heard)
    return Verdict(
        {
            "faults": kinds,
            "streams": streams,
            "memory": memory,
            "messages": len(timeline.heard),
            "status": ending.status,
            "lost": list(report["lost"]),
        },
        [*_done(outages, terms), *told, *lapses, *late, *grown, *lost, *_ended(report, ending)],
    )


def _done(outages: Sequence[Outage], terms: Terms) -> list[str]:
    """A run without faults says nothing."""
    least = max(1, int(terms.seconds // EVERY_S))
    broken: list[str] = []
    for stream in terms.lengths_ns:
        done = sum(o.fault.stream == stream for o in outages)
        if done < least:
            broken.append(f"{stream}: {done} faults in {terms.seconds:g} s, not {least}")
    return broken


def _ended(report: Mapping[str, Any], ending: Ending) -> list[str]:
    """What the run says that it lost is broken, unless a sink declared it: `accounts` has these."""
    lost = report["lost"]
    declared = {
        f"sink {sink['kind']}: {count} messages ({cause})"
        for sink in report["sinks"]
        for cause, count in sink["dropped"].items()
    }
    broken = [f"the run lost: {line}" for line in lost if line not in declared]
    expected = 1 if lost else 0
    if ending.status != expected:
        broken.append(f"the run ended with status {ending.status}, not {expected}")
    if report["ok"] != (not lost):
        broken.append(f"the run says ok: {report['ok']}, and lost: {len(lost)} lines")
    return broken + [f"still there after the run: {process}" for process in ending.left]


def _faults(outages: Sequence[Outage]) -> tuple[dict[str, Any], list[str]]:
    broken: list[str] = []
    by_kind: dict[str, list[Outage]] = defaultdict(list)
    for outage in outages:
        by_kind[f"{outage.fault.stream}: {outage.fault.kind}"].append(outage)
        broken += _told(outage)
    excused = sum(outage.spent for outage in outages)
    if excused > MOST_EXCUSED * len(outages):
        broken.append(f"{excused} of {len(outages)} faults found the restart budget spent")
    figures: dict[str, Any] = {
        "count": len(outages),
        "budget_spent": excused,
        "excused": [outage.name for outage in outages if outage.spent],
    }
    for name, some in sorted(by_kind.items()):
        # One that is not excused and did not recover in time is broken already.
        if all(outage.spent for outage in some):
            broken.append(f"{name}: never without the budget spent, so nothing is known of it")
        noticed = [o.noticed_ns - o.fault.at_ns for o in some if o.noticed_ns is not None]
        recovered = [
            o.recovered_ns - o.whole_ns for o in some if o.recovered_ns is not None and not o.spent
        ]
        figures[name] = {
            "n": len(some),
            "noticed_s": _spread(noticed),
            "recovered_s": _spread(recovered),
        }
    return figures, broken


def _told(outage: Outage) -> list[str]:
    fault, limit_s = outage.fault, NOTICE_S[outage.fault.kind]
    name = outage.name
    broken: list[str] = []
    if outage.noticed_ns is None:
        return [] if limit_s is None else [f"{name}: never told"]
    if limit_s is not None and outage.noticed_ns > fault.at_ns + limit_s * NS_PER_S:
        broken.append(f"{name}: told after {_s(outage.noticed_ns - fault.at_ns)} s, not {limit_s}")
    if outage.recovered_ns is None:
        broken.append(f"{name}: never online again")
    elif not outage.spent and (took := outage.recovered_ns - outage.whole_ns) > RECOVERY_S * 1e9:
        broken.append(f"{name}: online {_s(took)} s after its return, not {RECOVERY_S:g}")
    return broken


def _streams(
    timeline: Timeline, outages: Sequence[Outage], terms: Terms
) -> tuple[dict[str, Any], list[str]]:
    limit_ns = terms.lateness_ns + terms.hop_ns + terms.allowance_ns
    figures: dict[str, Any] = {}
    broken: list[str] = []
    for stream, length_ns in terms.lengths_ns.items():
        heard = {h.end_ns: h for h in timeline.heard if h.stream == stream}
        if not heard:
            broken.append(f"{stream}: no embedding ever came")
            continue
        # Windows that reach back into an outage may be too empty to be published.
        own = [
            (o.fault.at_ns, timeline.ended_ns if o.over_ns is None else o.over_ns + length_ns)
            for o in outages
            if o.fault.stream == stream
        ]
        due = [
            end_ns
            for end_ns in range(min(heard), timeline.ended_ns - limit_ns, terms.hop_ns)
            if not any(start - terms.hop_ns <= end_ns <= end + terms.hop_ns for start, end in own)
        ]
        missing = [end_ns for end_ns in due if end_ns not in heard]
        ages = [heard[end_ns].at_ns - end_ns for end_ns in due if end_ns in heard]
        figures[stream] = {"due": len(due), "missing": len(missing), "age_s": _spread(ages)}
        broken += [f"{stream}: no embedding for the window that ended at {ns}" for ns in missing]
        broken += [
            f"{stream}: an embedding came {_s(age)} s after its window, not {_s(limit_ns)}"
            for age in ages
            if age > limit_ns
        ]
        if not due:
            broken.append(f"{stream}: was never without a fault, so nothing is known of it")
    return figures, broken


def _memory(memory: Sequence[Memory]) -> tuple[dict[str, Any], list[str]]:
    began_ns = memory[0].at_ns if memory else 0
    warm = [m.mb for m in memory if m.at_ns >= began_ns + WARM_UP_S * NS_PER_S]
    if len(warm) < 2:
        return {}, ["memory: too short a run to tell whether it is flat"]
    few = max(1, min(3, len(warm) // 2))
    after_warm_up, at_end = median(warm[:few]), median(warm[-few:])
    grown = round(at_end - after_warm_up, 1)
    figures = {"after_warm_up_mb": after_warm_up, "at_end_mb": at_end, "grown_mb": grown}
    over = [f"memory: grew by {grown} MB, not {GROWTH_MB:g}"] if grown > GROWTH_MB else []
    return figures | {"peak_mb": max(warm)}, over


def accounts(report: Mapping[str, Any], heard: Sequence[Heard]) -> list[str]:
    """What does not add up: samples from the device to the windows, embeddings to the observer."""
    broken: list[str] = []
    arrived: dict[str, set[int]] = defaultdict(set)
    for message in heard:
        arrived[message.stream].add(message.seq)
    missing = 0
    for name, stream in report["streams"].items():
        if "made" not in stream:
            broken.append(f"{name}: nobody counts what its device made")
            continue
        made, samples = stream["made"], stream["samples"]
        for what, account in (("made", made), ("samples", samples)):
            held = account["produced"] - account["delivered"] - sum(account["dropped"].values())
            if held or account["pending"]:
                broken.append(f"{name}: {what}: {held} of {account['produced']} unaccounted for")
        if made["delivered"] != samples["produced"]:
            broken.append(
                f"{name}: {made['delivered']} samples left the device's process, "
                f"{samples['produced']} came to the windows"
            )
        missing += stream["embeddings"] - len(arrived[name])
    missing += report["fused"] - len(arrived["fused"])
    declared = sum(sum(sink["dropped"].values()) for sink in report["sinks"])
    if not 0 <= missing <= declared:
        broken.append(f"{missing} embeddings did not arrive, {declared} messages declared lost")
    return broken


def _spread(values_ns: Sequence[int]) -> dict[str, float] | None:
    """Seconds: the median, the 99th of a hundred, the most."""
    if not values_ns:
        return None
    ordered = sorted(values_ns)
    p99 = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    return {"p50": _s(median(ordered)), "p99": _s(p99), "max": _s(ordered[-1])}


def _s(ns: float) -> float:
    return round(ns / NS_PER_S, 3)
