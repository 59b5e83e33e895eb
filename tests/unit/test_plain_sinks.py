"""Sinks without a network: JSON lines and memory."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from sinks.jsonl import JsonlSink, OpenJsonl
from sinks.memory import MemorySink
from sinks.wire.session import Session
from sinks.wire.topics import Topics
from streamer.clock import VirtualClock
from streamer.errors import ConfigError, SinkLost
from tests.messages import META, T_NS, embedding, recording_status, source_status, truth

CLOCK = VirtualClock(T_NS)


async def test_json_lines_hold_the_messages_in_order(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    async with JsonlSink(path=path).open(CLOCK) as sink:
        await sink.publish(META)
        await sink.publish(source_status())
        await sink.publish(recording_status())
        await sink.publish(embedding(0, labelled=True))
        await sink.publish(embedding(1))
        await sink.publish(truth(0))
        await sink.publish(truth(1))
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["topic"] for line in lines] == [
        "meta",
        "source/cam/status",
        "recording/status",
        "embedding/vision/cam",
        "label/vision/cam",
        "embedding/vision/cam",
        "truth/truth",
        "truth/truth",
    ]
    assert [line.get("seq") for line in lines] == [None, None, None, 0, 0, 1, 0, 1]
    np.testing.assert_allclose(lines[3]["e"], embedding(0).vector, atol=1e-8)
    assert len(lines[4]["top"]) == 8
    assert lines[6]["present"]["audio"] == ["a dog barking"]
    assert sink.report()["delivered"] == 8


async def test_vectors_can_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    async with JsonlSink(path=path, vectors=False).open(CLOCK) as sink:
        await sink.publish(embedding())
    assert "e" not in json.loads(path.read_text(encoding="utf-8"))


async def test_a_file_is_added_to_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("kept\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"path: .* exists; `append: true`"):
        async with JsonlSink(path=path).open(CLOCK):
            pass
    async with JsonlSink(path=path, append=True).open(CLOCK) as sink:
        await sink.publish(META)
    assert path.read_text(encoding="utf-8").startswith("kept\n{")


async def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="path: no such folder"):
        async with JsonlSink(path=tmp_path / "none" / "out.jsonl").open(CLOCK):
            pass


async def test_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    async with JsonlSink(path=Path("-")).open(CLOCK) as sink:
        await sink.publish(META)
    assert json.loads(capsys.readouterr().out)["topic"] == "meta"


async def test_a_full_disk_ends_it_with_a_clear_error() -> None:
    # /dev/full takes nothing; the error comes when the line is flushed.
    async with JsonlSink(path=Path("/dev/full"), append=True).open(CLOCK) as sink:
        with pytest.raises(SinkLost, match="jsonl: cannot write: No space left"):
            await sink.publish(META)
        assert sink.report()["dropped"] == {"lost": 1}


async def test_a_name_that_needs_escaping_stays_json() -> None:
    text = io.StringIO()
    sink = OpenJsonl(text, Session(Topics("p", "r"), "s", top_k=1), CLOCK)
    status = source_status()
    await sink.publish(type(status)('quo"te', "vision", "online"))
    assert json.loads(text.getvalue())["topic"] == 'source/quo"te/status'


async def test_memory_keeps_the_newest_and_counts_the_rest() -> None:
    sent = [*(embedding(number, dim=4) for number in range(4)), truth()]
    async with MemorySink(limit=3).open(CLOCK) as sink:
        for message in sent:
            await sink.publish(message)
    assert list(sink.messages) == sent[2:]
    assert sink.report() == {
        "produced": 5,
        "delivered": 3,
        "dropped": {"overflow": 2},
        "pending": 0,
    }


async def test_memory_that_may_lose_nothing_says_when_it_is_full() -> None:
    async with MemorySink(limit=1).open(CLOCK, lossless=True) as sink:
        await sink.publish(META)
        with pytest.raises(SinkLost, match="set a higher limit"):
            await sink.publish(META)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_of_nothing_is_refused(limit: int) -> None:
    with pytest.raises(ValidationError):
        MemorySink(limit=limit)
