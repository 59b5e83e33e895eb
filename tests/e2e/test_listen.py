"""`streamer listen` beside a robot that knows the truth."""

import asyncio
import json
import os
import sys
from pathlib import Path

from sinks.mqtt.sink import MqttSink
from streamer.clock import SystemClock
from tests.e2e.command import flags
from tests.messages import embedding, truth
from tests.mosquitto import mosquitto


async def test_the_table_has_a_row_of_truth_and_marks_only_what_is_not_calibrated(
    tmp_path: Path,
) -> None:
    async with mosquitto(tmp_path) as broker:
        at = flags([f"sinks=[{{kind: mqtt, port: {broker.port}}}]"])
        page = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "streamer", "listen", "demo", *at, "--count", "5", "--json"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "COLUMNS": "160", "NO_COLOR": "1"},
        )
        async with MqttSink(port=broker.port).open(SystemClock()) as sink:
            number = 0
            async with asyncio.timeout(100):
                while page.returncode is None:
                    await sink.publish(truth(number))
                    await sink.publish(embedding(number, labelled=True))
                    number += 1
                    await asyncio.sleep(0.02)
        out, err = await asyncio.wait_for(page.communicate(), 10)
    assert page.returncode == 0, err.decode()
    report = json.loads(out.splitlines()[-1])
    assert report["truths"]["robot/truth"] >= 4
    assert set(report["streams"]) == {"robot/cam"}
    (row,) = [line for line in err.decode().splitlines() if "ground truth" in line]
    assert "a dog barking, a kettle boiling" in row
    assert row.count("a dog barking") == 1, "known to two senses, told once"
    assert "not calibrated" not in err.decode(), "these labels are"
