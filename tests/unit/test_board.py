"""What the demo's view says, read as text."""

import io
from dataclasses import replace

from rich.console import Console, RenderableType

from streamer.cli.demo.board import WIDE, Board, summary
from streamer.cli.demo.scores import Scores
from streamer.clock import VirtualClock
from streamer.metrics import Latencies
from streamer.types import NS_PER_S, Embedding, Span, Truth
from tests.messages import T_NS, embedding, labels

NAMES = ("the robot turning left", "a dog barking", "a cat meowing")
WHERE = "mqtt://127.0.0.1:18883"


def drawn(what: RenderableType, width: int = WIDE + 20) -> list[str]:
    page = Console(width=width, file=io.StringIO(), record=True)
    page.print(what)
    return page.export_text().splitlines()


def row(lines: list[str], stream: str) -> str:
    (found,) = [line for line in lines if line.lstrip().startswith(stream)]
    return found


def believing(stream: str, *, none: float | None = None, calibrated: bool = True) -> Embedding:
    """Always that the robot turns left; captured 10 ns before the window's end."""
    said = replace(labels(0, 3), names=NAMES, none=none, calibrated=calibrated)
    said.probabilities[:] = (0.8, 0.1, 0.1)
    return replace(embedding(0, stream=stream), labels=said)


async def board(*embeddings: Embedding, present: tuple[str, ...] | None) -> list[str]:
    scores = Scores(["cam", "mic"])
    if present is not None:
        span = Span(T_NS - 10 * NS_PER_S, T_NS)
        await scores.publish(Truth("truth", span, {"vision": present}))
    for each in embeddings:
        await scores.publish(each)
    encode = Latencies()
    encode.add(31_000_000)
    clock = VirtualClock(T_NS + NS_PER_S // 4)
    return drawn(Board(scores, encode, clock, WHERE, 8.0))


async def test_a_belief_stands_beside_the_truth_of_its_own_window() -> None:
    lines = await board(believing("cam"), present=("a dog barking", "the robot turning left"))
    said = row(lines, "cam")
    for part in ("turning left", "80%", "✓", "turning left +1", "1/1", "100%", "0.3 s", "97%"):
        assert part in said
        said = said.partition(part)[2]
    assert "nothing yet" in row(lines, "mic")
    assert "scene 2, 2 s" in lines[1], "the world began 10.25 s ago"
    assert "encoding 31 ms a tick" in lines[1]
    assert lines[-1].strip() == WHERE


async def test_a_wrong_belief_and_one_that_nobody_can_judge_look_different() -> None:
    wrong = row(await board(believing("cam"), present=("a dog barking",)), "cam")
    assert "✗" in wrong
    assert "0/1   0%" in wrong
    nothing = row(await board(believing("cam"), present=()), "cam")
    assert "nothing to perceive" in nothing
    assert "✗" not in nothing
    assert "/1" not in nothing
    waiting = row(await board(believing("cam"), present=None), "cam")
    assert "turning left" in waiting
    assert "✓" not in waiting


async def test_none_of_these_is_said_with_its_own_probability() -> None:
    lines = await board(believing("cam", none=0.6), present=("a dog barking",))
    assert "none of these" in row(lines, "cam")
    assert "60%" in row(lines, "cam")


async def test_what_is_not_calibrated_is_marked() -> None:
    lines = await board(believing("cam", calibrated=False), present=("a dog barking",))
    assert "80%*" in row(lines, "cam")
    assert lines[-1].strip().startswith("* not calibrated")


async def test_a_narrow_terminal_keeps_what_says_whether_it_works() -> None:
    scores = Scores(["cam"])
    await scores.publish(Truth("truth", Span(T_NS - 10 * NS_PER_S, T_NS), {"vision": NAMES[:1]}))
    await scores.publish(believing("cam"))
    lines = drawn(Board(scores, Latencies(), VirtualClock(T_NS), WHERE, None), 80)
    said = row(lines, "cam")
    assert "turning left" in said
    assert "1/1 100%" in said
    assert "/s" not in said
    assert max(map(len, lines)) <= 80


async def test_the_summary_adds_up_the_run() -> None:
    scores = Scores(["cam", "fused"])
    await scores.publish(Truth("truth", Span(T_NS - 10 * NS_PER_S, T_NS), {"vision": NAMES[1:2]}))
    await scores.publish(believing("cam"))
    dropped = {"dropped": {"overload": 2}}
    report = {
        "ticks": {"delivered": 7, **dropped},
        "embeddings": {"dropped": {}},
        "streams": {"cam": {"samples": {"dropped": {"late": 3}}}},
        "sinks": [{"kind": "mqtt", "dropped": {}}],
        "latency": {"encode": {"n": 1, "p50_ms": 31.4, "p99_ms": 44.0}, "wait": {"n": 0}},
        "peak_memory_mb": 512.0,
    }
    lines = drawn(summary(scores, report, 0.43))
    assert row(lines, "cam").split() == ["cam", "1", "1", "0", "0%", "0", "0"]
    assert row(lines, "fused").split() == ["fused", "0", "0", "0", "-", "0", "0"]
    text = "\n".join(lines)
    assert "0/1   0% right over all senses" in text
    assert "7 ticks, dropped: 2 ticks (overload), 3 samples of cam (late)" in text
    assert "encode 31 / 44 ms" in text
    assert "CPU 43% of a core, 512 MB at most" in text
