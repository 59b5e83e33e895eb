"""The page of Python in the documentation reads what the program publishes."""

import asyncio
import sys
from pathlib import Path

from sinks.mqtt.sink import MqttSink
from streamer.clock import SystemClock
from tests.messages import embedding
from tests.mosquitto import mosquitto
from tests.needs import ROOT

PAGE = ROOT / "docs" / "subscriber.py"


def test_the_page_is_one_page_and_imports_nothing_of_this_project() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 90
    for package in ("streamer", "sinks", "encoders", "sources", "configs"):
        assert f"import {package}" not in text
        assert f"from {package}" not in text


async def test_the_page_prints_one_line_an_embedding_and_leaves_with_0(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker:
        page = await asyncio.create_subprocess_exec(
            *(sys.executable, str(PAGE), "--port", str(broker.port), "--count", "5"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with MqttSink(port=broker.port).open(SystemClock()) as sink:
            number = 0
            while page.returncode is None and number < 500:
                await sink.publish(embedding(number))
                number += 1
                await asyncio.sleep(0.02)
        out, err = await asyncio.wait_for(page.communicate(), 10)
    assert (page.returncode, err) == (0, b"")
    lines = out.decode().splitlines()
    assert len(lines) == 5
    first = int(lines[0].split("seq=")[1].split()[0])
    for i, line in enumerate(lines):
        topic, *pairs = line.split()
        found = dict(pair.split("=") for pair in pairs)
        assert topic == "streamer/v1/robot/embedding/vision/cam"
        assert int(found["seq"]) == first + i
        assert int(found["t1"]) == embedding(first + i).span.end_ns
        assert found["dim"] == "1024"
        assert abs(float(found["norm"]) - 1) < 1e-3
        assert float(found["latency"]) > 0
