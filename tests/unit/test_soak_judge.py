"""The judge of the soak test finds what was broken, and nothing where nothing was. Made-up runs.

0 s        20 s       40 s       60 s
|----------|----------|----------|
cam        k--o                          a fault, told, and online again
base       every end of the grid has its embedding, 0.15 s later
"""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from streamer.types import NS_PER_S
from tests.soak.judge import Verdict, accounts, judge
from tests.soak.outages import outages_of
from tests.soak.processes import family, left_of
from tests.soak.schedule import schedule
from tests.soak.timeline import Ending, Fault, Heard, Memory, Said, Terms, Timeline

HOP_NS = NS_PER_S // 2
SECONDS = 120
TERMS = Terms(
    HOP_NS, NS_PER_S // 10, {"cam": 2 * NS_PER_S, "base": 5 * NS_PER_S}, NS_PER_S // 4, SECONDS
)


def at(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def fault(kind: str, began_s: float, back_s: float, stream: str = "cam") -> Fault:
    return Fault(stream, kind, at(began_s), at(back_s))


def said(state: str, at_s: float, restarts: int, stream: str = "cam") -> Said:
    return Said(stream, state, "", restarts, at(at_s))


def heard(stream: str) -> list[Heard]:
    ends = range(2 * HOP_NS, SECONDS * NS_PER_S, HOP_NS)
    return [Heard(stream, n, end, end + at(0.15)) for n, end in enumerate(ends)]


def account(produced: int, **dropped: int) -> dict[str, Any]:
    delivered = produced - sum(dropped.values())
    return {"produced": produced, "delivered": delivered, "dropped": dropped, "pending": 0}


def report(**embeddings: int) -> dict[str, Any]:
    streams = {
        name: {
            "made": account(1010, overload=10),
            "samples": account(1000, late=3),
            "embeddings": count,
        }
        for name, count in embeddings.items()
    }
    sinks = [{"kind": "mqtt", "dropped": {}}]
    return {"streams": streams, "fused": 0, "sinks": sinks, "ok": True, "lost": []}


ONLINE = [said("online", 1, 0), said("online", 1, 0, "base")]
UNPLUGGED = fault("unplugged", 60, 62)
# As many faults as are to be done; these need not be noticed.
OTHERS = [
    *(fault("garbage", s, s) for s in (20, 30, 40)),
    *(fault("garbage", s, s, "base") for s in (10, 20, 30, 40)),
]
ENDED = Ending(0, ())
TOLD = [*ONLINE, said("offline", 60.4, 0), said("online", 63, 3)]
GOOD = Timeline(
    [*heard("cam"), *heard("base")],
    TOLD,
    [Memory(200.0 + n % 3, at(5 * n)) for n in range(SECONDS // 5)],
    at(SECONDS),
)


def judged(
    timeline: Timeline = GOOD,
    *faults: Fault,
    told: dict[str, Any] | None = None,
    ending: Ending = ENDED,
) -> Verdict:
    done = [*(faults or (UNPLUGGED,)), *OTHERS]
    return judge(timeline, done, told or told_of(timeline), ending, TERMS)


def told_of(timeline: Timeline) -> dict[str, Any]:
    return report(**{s: sum(h.stream == s for h in timeline.heard) for s in ("cam", "base")})


def telling(*states: Said) -> Timeline:
    """A good run in which these are told as well."""
    return replace(GOOD, said=sorted([*GOOD.said, *states], key=lambda s: s.at_ns))


def without(unwanted: Callable[[Heard], bool]) -> Timeline:
    return replace(GOOD, heard=[h for h in GOOD.heard if not unwanted(h)])


def test_a_run_that_kept_its_promise_is_not_blamed() -> None:
    verdict = judged()
    assert verdict.broken == []
    figures = verdict.figures["faults"]["cam: unplugged"]
    assert figures["n"] == 1
    assert figures["noticed_s"]["max"] == 0.4
    assert figures["recovered_s"]["max"] == 1.0
    assert verdict.figures["streams"]["base"]["missing"] == 0
    assert verdict.figures["streams"]["base"]["age_s"]["max"] == 0.15


def test_the_stream_that_is_hit_may_be_silent_until_its_windows_are_full_again() -> None:
    # cam: fault at 60, online at 63, its windows reach back 2 s, one hop more: silent until 65.5.
    assert (
        judged(without(lambda h: h.stream == "cam" and at(60) < h.end_ns <= at(65.5))).broken == []
    )
    [broken] = judged(without(lambda h: h.stream == "cam" and h.end_ns == at(66))).broken
    assert broken == f"cam: no embedding for the window that ended at {at(66)}"


def test_another_stream_that_misses_a_single_window_is_found() -> None:
    [broken] = judged(without(lambda h: h.stream == "base" and h.end_ns == at(61))).broken
    assert broken == f"base: no embedding for the window that ended at {at(61)}"


def test_another_stream_that_is_late_is_found() -> None:
    late = [
        replace(h, at_ns=h.end_ns + at(0.9)) if (h.stream, h.end_ns) == ("base", at(61)) else h
        for h in GOOD.heard
    ]
    [broken] = judged(replace(GOOD, heard=late)).broken
    assert broken == "base: an embedding came 0.9 s after its window, not 0.85"


def test_a_stream_that_ends_early_or_never_begins_is_found() -> None:
    verdict = judged(without(lambda h: h.stream == "base" and h.end_ns > at(100)))
    assert verdict.figures["streams"]["base"]["missing"] > 30
    assert "base: no embedding ever came" in judged(without(lambda h: h.stream == "base")).broken


@pytest.mark.parametrize(
    ("kind", "told_s", "broken"),
    [
        ("unplugged", 61.1, ["told after 1.1 s, not 1"]),
        ("killed", 61.1, ["told after 1.1 s, not 1"]),
        ("server killed", 60.9, []),
        ("frozen", 61.9, []),
        ("frozen", 62.1, ["told after 2.1 s, not 2"]),
        ("server frozen", 62.1, ["told after 2.1 s, not 2"]),
        ("garbage", 62.1, []),
        ("clock set", 62.1, []),
    ],
)
def test_a_fault_must_be_told_in_time(kind: str, told_s: float, broken: list[str]) -> None:
    states = [*ONLINE, said("stalled", told_s, 0), said("online", 64, 1)]
    verdict = judged(replace(GOOD, said=states), fault(kind, 60, 62))
    assert [line.split(": ")[1] for line in verdict.broken] == broken


def test_a_fault_that_nobody_told_is_found_unless_it_need_not_be_noticed() -> None:
    silent = replace(GOOD, said=ONLINE)
    [broken] = judged(silent).broken
    assert broken.endswith("never told")
    assert judged(silent, fault("garbage", 60, 60)).broken == []


def test_a_device_that_comes_back_late_or_never_is_found() -> None:
    slow = replace(GOOD, said=[*ONLINE, said("offline", 60.4, 0), said("online", 67.1, 5)])
    [broken] = judged(slow).broken
    assert broken.endswith("online 5.1 s after its return, not 5")
    never = judged(replace(GOOD, said=[*ONLINE, said("offline", 60.4, 0)]))
    assert [line for line in never.broken if line.endswith("never online again")]
    # And what nobody can say of it is not claimed: cam was not due after that.
    assert never.figures["streams"]["cam"]["due"] < never.figures["streams"]["base"]["due"]


def test_a_device_that_flutters_is_back_when_it_stays() -> None:
    states = [
        *TOLD[:-1],
        said("online", 62.5, 1),
        said("offline", 62.6, 1),
        said("online", 64, 2),
    ]
    [outage] = outages_of("cam", replace(GOOD, said=states), [UNPLUGGED])
    assert outage.recovered_ns == at(64)


def test_faults_of_one_stream_do_not_answer_for_each_other() -> None:
    second = fault("killed", 80, 80)
    [broken] = judged(GOOD, UNPLUGGED, second).broken
    assert broken == f"cam killed at {at(80)}: never told"
    states = [*TOLD, said("offline", 80.2, 3), said("online", 81, 4)]
    assert judged(replace(GOOD, said=states), second, UNPLUGGED).broken == []


def test_a_freeze_of_its_process_is_over_when_it_is_noticed() -> None:
    states = [*ONLINE, said("stalled", 61.6, 0), said("online", 66.5, 1)]
    verdict = judged(replace(GOOD, said=states), fault("frozen", 60, 60))
    assert verdict.broken == []
    assert verdict.figures["faults"]["cam: frozen"]["recovered_s"]["max"] == 4.9


def test_a_spent_budget_excuses_a_late_return_but_not_everything() -> None:
    spent = replace(GOOD, said=[*ONLINE, said("offline", 60.4, 0), said("online", 95, 13)])
    verdict = judged(spent)
    assert verdict.figures["faults"]["budget_spent"] == 1
    assert verdict.figures["faults"]["excused"] == [f"cam unplugged at {at(60)}"]
    assert "1 of 8 faults found the restart budget spent" in verdict.broken
    # Losses of more than a minute ago no longer count: 14 - 3 of them are left.
    old = [*ONLINE, said("offline", 10, 0), said("online", 12, 3), said("offline", 90.4, 3)]
    late = replace(GOOD, said=[*old, said("online", 98, 14)])
    [broken] = judged(late, fault("unplugged", 10, 11), fault("unplugged", 90, 92)).broken
    assert broken.endswith("online 6.0 s after its return, not 5")


def test_memory_that_grows_is_found() -> None:
    growing = [Memory(200.0 + n, at(5 * n)) for n in range(SECONDS // 5)]
    verdict = judged(replace(GOOD, memory=growing))
    # From the median of 20, 25, 30 s to that of the last three.
    assert verdict.figures["memory"]["grown_mb"] == 17.0
    assert verdict.broken == []
    growing = [Memory(200.0 + 2 * n, at(5 * n)) for n in range(SECONDS // 5)]
    assert judged(replace(GOOD, memory=growing)).broken == ["memory: grew by 34.0 MB, not 20"]
    # What happens while it warms up does not count.
    settled = [replace(m, mb=50.0) if m.at_ns < at(20) else m for m in GOOD.memory]
    assert judged(replace(GOOD, memory=settled)).broken == []
    assert judged(replace(GOOD, memory=[])).broken != []


def test_a_sample_that_nobody_accounts_for_is_found() -> None:
    good = heard("cam")
    assert accounts(report(cam=len(good)), good) == []
    lost = report(cam=len(good))
    lost["streams"]["cam"]["made"]["dropped"] = {"overload": 9}
    assert accounts(lost, good) == ["cam: made: 1 of 1010 unaccounted for"]
    between = report(cam=len(good))
    between["streams"]["cam"]["samples"] = account(999, late=3)
    [broken] = accounts(between, good)
    assert broken == "cam: 1000 samples left the device's process, 999 came to the windows"
    uncounted = report(cam=len(good))
    del uncounted["streams"]["cam"]["made"]
    assert accounts(uncounted, good) == ["cam: nobody counts what its device made"]


def test_an_embedding_that_vanishes_is_found_unless_it_was_declared() -> None:
    good = heard("cam")
    told = report(cam=len(good))
    assert accounts(told, good[1:]) == ["1 embeddings did not arrive, 0 messages declared lost"]
    # One that came twice does not make up for it.
    assert accounts(told, [*good[1:], good[5]]) != []
    told["sinks"][0]["dropped"] = {"in_doubt": 1}
    assert accounts(told, good[1:]) == []
    told["sinks"][0]["dropped"] = {}
    assert accounts(told, [*good, Heard("fused", 0, 1, 2)]) != [], "one that nobody published"


def test_a_status_that_the_report_does_not_explain_is_found() -> None:
    assert judged(ending=Ending(1, ())).broken == ["the run ended with status 1, not 0"]
    assert judged(ending=Ending(-11, ())).broken == ["the run ended with status -11, not 0"]
    told = told_of(GOOD)
    told["sinks"][0]["dropped"] = {"in_doubt": 2}
    told |= {"ok": False, "lost": ["sink mqtt: 2 messages (in_doubt)"]}
    verdict = judged(told=told, ending=Ending(1, ()))
    assert verdict.broken == []
    assert verdict.figures["lost"] == ["sink mqtt: 2 messages (in_doubt)"]
    assert judged(told=told).broken == ["the run ended with status 0, not 1"]


def test_what_the_run_lost_is_found_unless_a_sink_declared_it() -> None:
    lost = ["7 embeddings (closed)", "sink mqtt: 3 messages not sent", "sink mqtt: 1 messages (x)"]
    told = told_of(GOOD) | {"ok": False, "lost": lost}
    assert judged(told=told, ending=Ending(1, ())).broken == [f"the run lost: {s}" for s in lost]
    [broken] = judged(told=told_of(GOOD) | {"ok": False}).broken
    assert broken == "the run says ok: False, and lost: 0 lines"


def test_a_process_that_outlives_the_run_is_found() -> None:
    [broken] = judged(ending=Ending(0, ["77 sleep 60"])).broken
    assert broken == "still there after the run: 77 sleep 60"
    command = ["sh", "-c", "sleep 60 & echo up; wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        assert shell.stdout.readline() == b"up\n"
        relatives = family(shell.pid)
        shell.kill()
        shell.wait()
        [left] = left_of(relatives)
    assert left == f"{relatives[0].pid} sleep 60"
    assert left_of(relatives) == [], "they were killed"


def test_a_run_without_its_faults_says_nothing() -> None:
    quiet = replace(GOOD, said=ONLINE)
    assert judge(quiet, (), told_of(GOOD), ENDED, TERMS).broken == [
        "cam: 0 faults in 120 s, not 4",
        "base: 0 faults in 120 s, not 4",
    ]
    few = judge(quiet, OTHERS, told_of(GOOD), ENDED, TERMS)
    assert few.broken == ["cam: 3 faults in 120 s, not 4"]
    # One that is too short for a fault proves no more.
    short = judge(quiet, OTHERS[:3], told_of(GOOD), ENDED, replace(TERMS, seconds=20))
    assert short.broken == ["base: 0 faults in 20 s, not 1"]


@pytest.mark.parametrize("seconds", [30, 59.9, 60, SECONDS])
def test_a_schedule_has_faults_enough(seconds: float) -> None:
    planned = schedule(5, seconds, {"cam": ("garbage",), "base": ("clock set", "garbage")})
    done = [fault(p.kind, p.at_s, p.at_s, p.stream) for p in planned]
    quiet = replace(GOOD, said=ONLINE)
    terms = replace(TERMS, seconds=seconds)
    assert judge(quiet, done, told_of(GOOD), ENDED, terms).broken == []


@pytest.mark.parametrize(
    ("stream", "lost_s", "back_s"),
    [
        ("base", 5, 6),  # before its first fault
        ("base", 61, 62),  # another stream's fault is no excuse
        ("cam", 100, 101),  # long after its own
        ("cam", 67.5, 68),  # its device had to be back, and was
        ("cam", 27, 28),  # after one that nobody noticed
    ],
)
def test_a_stream_that_is_lost_without_a_fault_is_found(
    stream: str, lost_s: float, back_s: float
) -> None:
    lost = telling(said("offline", lost_s, 1, stream), said("online", back_s, 2, stream))
    assert judged(lost).broken == [f"{stream}: lost without a fault at {at(lost_s)}: offline"]


def test_a_state_that_is_said_again_is_no_loss() -> None:
    again = telling(
        said("online", 15, 0),
        said("online", 60.2, 0),
        said("offline", 61, 0),
        said("online", 70, 3),
        said("online", 90, 0, "base"),
        said("offline", SECONDS + 0.1, 3),
    )
    verdict = judged(again)
    assert verdict.broken == []
    assert verdict.figures["faults"]["cam: unplugged"]["recovered_s"]["max"] == 1.0


def test_a_fault_that_need_not_be_noticed_may_be() -> None:
    noticed = telling(said("stalled", 21.8, 0), said("online", 23, 1))
    verdict = judged(noticed)
    assert verdict.broken == []
    assert verdict.figures["faults"]["cam: garbage"]["recovered_s"]["max"] == 3.0


def test_a_kind_that_always_found_the_budget_spent_is_not_known() -> None:
    states = [*ONLINE, said("offline", 60.4, 0), said("online", 95, 13)]
    many = [fault("garbage", 41 + n / 10, 41 + n / 10) for n in range(10)]
    verdict = judged(replace(GOOD, said=states), UNPLUGGED, *many)
    assert verdict.broken == [
        "cam: unplugged: never without the budget spent, so nothing is known of it"
    ]
    # Of two, one was in time.
    both = [*ONLINE, said("offline", 12.4, 0), said("online", 14, 2)]
    both += [said("offline", 60.4, 2), said("online", 95, 15)]
    verdict = judged(replace(GOOD, said=both), fault("unplugged", 12, 13), UNPLUGGED, *many)
    assert verdict.broken == []
    assert verdict.figures["faults"]["excused"] == [f"cam unplugged at {at(60)}"]
