"""What a run says of its streams: in the table, in the line of a log, and when it is over."""

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from streamer.cli.progress import Progress, line, shortened
from streamer.cli.run import summary
from streamer.pipeline import Pipeline
from streamer.plan import Plan
from streamer.states import SourceStates
from streamer.types import SourceState, SourceStatus
from tests.doubles import MS, Collector, GatedEncoder, ScriptedSource
from tests.messages import embedding, labels

PLAN = Plan(
    hop_ns=100 * MS,
    lengths_ns={"vision": 400 * MS},
    lateness_ns=20 * MS,
    idle_ns=100 * MS,
    min_coverage=0.25,
)


def status(stream: str, state: SourceState, why: str = "", restarts: int = 0) -> SourceStatus:
    return SourceStatus(stream, "vision", state, why, restarts=restarts)


def pipeline(*streams: str, live: bool = True) -> Pipeline:
    """One that does not run: a test says what its sources said."""
    sources = [ScriptedSource(stream, [], live=live) for stream in streams]
    return Pipeline(PLAN, sources, GatedEncoder(), [Collector()])


def labelled(run: Pipeline, *streams: str) -> None:
    said = replace(labels(0, 2), names=("a dog barking", "a cat meowing"), none=None)
    said.probabilities[:] = (0.8, 0.2)
    for stream in streams:
        run.latest[stream] = replace(embedding(0, stream=stream), labels=said)
        run.published[stream] = 7


def rows(run: Pipeline, width: int = 140) -> dict[str, str]:
    """The cells beside the name of each stream, as text."""
    page = Console(width=width, file=io.StringIO(), record=True)
    page.print(Progress(run))
    cells = [text.strip("│ ").split("│") for text in page.export_text().splitlines() if "│" in text]
    return {name.strip(): " ".join(" ".join(rest).split()) for name, *rest in cells}


def test_every_stream_of_the_configuration_has_a_row_from_the_start() -> None:
    run = pipeline("front", "rear")
    assert rows(run) == {"front": "nothing yet 0", "rear": "nothing yet 0"}
    assert line(run) == ""


@pytest.mark.parametrize("state", ["offline", "stalled"])
def test_a_stream_that_is_away_shows_its_state_and_not_its_last_label(state: SourceState) -> None:
    run = pipeline("front", "rear")
    labelled(run, "front", "rear", "fused")
    run.states.note(status("rear", "online", "level 3"))
    run.states.note(status("front", state, "/dev/video0: [Errno 19]\nno such device"))
    shown = rows(run)
    assert shown["front"] == f"{state}: /dev/video0: [Errno 19] no such device 7 97%"
    assert "a dog barking 80%" in shown["rear"]
    assert "a dog barking 80%" in shown["fused"], "of the streams that are left"
    assert line(run) == f"embeddings: front 7, rear 7, fused 7; {state}: front"
    run.states.note(status("front", "online"))
    assert "a dog barking 80%" in rows(run)["front"]
    assert line(run) == "embeddings: front 7, rear 7, fused 7"


def test_nothing_is_fused_while_all_streams_are_away() -> None:
    run = pipeline("front", "rear")
    labelled(run, "front", "rear", "fused")
    run.states.note(status("rear", "stalled", "repeats one picture"))
    run.states.note(status("front", "offline", "unplugged"))
    assert "no stream is online" in rows(run)["fused"]
    assert line(run).endswith("; offline: front; stalled: rear")


def test_a_stream_that_never_came_is_told_before_the_first_embedding() -> None:
    run = pipeline("front")
    run.states.note(status("front", "offline", "no such device"))
    assert line(run) == "offline: front"


def test_a_file_that_was_read_to_its_end_keeps_its_label() -> None:
    run = pipeline("front", live=False)
    labelled(run, "front")
    run.states.note(status("front", "offline", "ended"))
    assert "a dog barking 80%" in rows(run)["front"]
    assert line(run) == "embeddings: front 7"


def test_a_long_reason_leaves_room_for_the_numbers() -> None:
    run = pipeline("front")
    labelled(run, "front")
    run.states.note(status("front", "offline", "why " * 200))
    for width in (60, 80, 100):
        assert set(rows(run, width)) == {"front"}, "one line"
        shown = rows(run, width)["front"]
        assert shown.startswith("offline: why why")
        assert shown.endswith("… 7 97%")
    assert len(shortened("x" * 500)) == len(shortened("why " * 200)) == 60
    assert shortened("short") == "short"


def test_an_outage_is_counted_once_and_an_end_is_none() -> None:
    states = SourceStates(["front", "rear", "heat", "mic"])
    for each in (
        status("front", "online"),
        status("front", "stalled", "no sample for 1.5 s"),
        status("front", "offline", "unplugged"),
        status("front", "offline", "unplugged", restarts=3),
        status("front", "online", restarts=4),
        status("rear", "offline", "no such device"),
        status("heat", "online"),
        status("heat", "offline", "ended"),
    ):
        states.note(each)
    assert list(states.away) == ["rear", "heat"]
    assert states.report() == {
        "front": {"state": "online", "why": "", "outages": 1, "restarts": 4},
        "rear": {"state": "offline", "why": "no such device", "outages": 1, "restarts": 0},
        "heat": {"state": "offline", "why": "ended", "outages": 0, "restarts": 0},
        "mic": {"state": None, "why": "", "outages": 0, "restarts": 0},
    }


def test_the_summary_tells_what_was_lost_on_the_way() -> None:
    states = SourceStates(["front", "rear", "heat", "mic"])
    for each in (
        status("front", "offline", "unplugged"),
        status("front", "online", restarts=1),
        status("front", "offline", "unplugged", restarts=1),
        status("front", "online", restarts=4),
        status("rear", "offline", "no such device"),
        status("heat", "offline", "ended"),
    ):
        states.note(each)
    report: dict[str, Any] = {
        "ticks": {"delivered": 7},
        "wall_s": 3.5,
        "peak_memory_mb": 512.0,
        "sources": states.report(),
    }
    assert summary(report).splitlines() == [
        "7 ticks in 3.5 s, 512 MB at most",
        "stream front: 2 outages, 4 restarts",
        "stream rear: 1 outage, offline at the end: no such device",
    ]
