"""`broker: embedded`: mosquitto as a child, amqtt where there is none, and what can go wrong."""

import asyncio
import os
import signal
import socket
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from sinks.mqtt.broker import embedded
from sinks.mqtt.link import Endpoint
from sinks.mqtt.sink import MqttSink
from sinks.mqtt.subscribe import Subscriber
from sinks.wire.embedding import Received
from sinks.wire.reports import StatusReport
from sinks.wire.topics import Topics
from streamer.clock import SystemClock
from streamer.errors import SinkLost
from tests.collector import collecting, eventually
from tests.messages import embedding
from tests.mosquitto import free_port, mosquitto
from tests.needs import program
from tests.proxy import Proxy


async def test_the_embedded_mosquitto_serves_others_and_is_gone_afterwards() -> None:
    program("mosquitto")
    async with MqttSink(broker="embedded", port=0).open(SystemClock()) as sink:
        port = sink.endpoint.port
        async with collecting(port) as heard:
            await sink.publish(embedding(labelled=True))
            await heard.until(lambda: len(heard.on("/label/")) == 1)
        assert sink.endpoint.protocol == 5
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


async def test_a_port_that_is_taken_is_an_error_with_its_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = MqttSink(broker="embedded", port=taken.getsockname()[1])
        with pytest.raises(SinkLost, match=r"is taken .* set another port"):
            async with config.open(SystemClock()):
                pass


OWNER = """
import asyncio, sys
from sinks.mqtt.broker import embedded
from sinks.mqtt.link import Endpoint
from sinks.mqtt.sink import MqttSink
from streamer.clock import SystemClock

async def main():
    async with MqttSink(broker="embedded", port=int(sys.argv[1])).open(SystemClock()):
        print("up", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_the_embedded_broker_dies_with_a_killed_parent() -> None:
    program("mosquitto")
    port = free_port()
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, str(port), stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    assert await asyncio.wait_for(owner.stdout.readline(), 20) == b"up\n"
    assert accepts(port)
    os.kill(owner.pid, signal.SIGKILL)
    await owner.wait()
    await eventually(lambda: not accepts(port), 5)


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


# amqtt's own: it leaves sockets to the collector, and calls what Python has deprecated.
@pytest.mark.filterwarnings("ignore")
async def test_without_mosquitto_amqtt_serves_mqtt_3_1_1() -> None:
    async with (
        embedded(Endpoint("127.0.0.1", 0), mosquitto=None) as where,
        MqttSink(port=where.port, protocol="3.1.1").open(SystemClock()) as sink,
    ):
        assert where.protocol == "3.1.1"
        listener = Subscriber(sink.endpoint, Topics("streamer", "+"))
        streams: list[str] = []
        async with asyncio.timeout(5), aclosing(listener.messages()) as messages:
            # The retained status is the first to come; then the listener is there.
            async for heard in messages:
                if isinstance(heard.content, StatusReport):
                    await sink.publish(embedding(labelled=True))
                if isinstance(heard.content, Received):
                    streams.append(heard.content.embedding.stream)
                    break
        assert streams == ["cam"]
    assert sink.report()["pending"] == 0


class Elderly(Proxy):
    """A broker from before MQTT 5: says so as MQTT 3.1.1 does."""

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connect = await reader.readuntil(b"\0\4MQTT")
        connect += await reader.readexactly(1)
        if connect[-1] == 5:
            writer.write(bytes.fromhex("20020001"))
            await writer.drain()
            writer.close()
            return
        reader = _Again(connect, reader)
        await super()._accept(reader, writer)


class _Again(asyncio.StreamReader):
    """What was read is read again."""

    def __init__(self, first: bytes, rest: asyncio.StreamReader) -> None:
        super().__init__()
        self._first, self._rest = first, rest

    async def read(self, n: int = -1) -> bytes:
        first, self._first = self._first, b""
        return first or await self._rest.read(n)


async def test_a_broker_without_mqtt_5_is_spoken_to_in_3_1_1(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker:
        old = Elderly(broker.port)
        await old.listen()
        try:
            async with MqttSink(port=old.port).open(SystemClock()) as sink:
                await sink.publish(embedding(labelled=True))
            assert sink.endpoint.protocol == "3.1.1"
            assert sink.report()["delivered"] == 2
        finally:
            await old.cut()


async def test_a_listener_reconnects_counts_gaps_and_survives_nonsense(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker:
        listener = Subscriber(
            await MqttSink(port=broker.port).endpoint(), Topics("streamer", "robot")
        )
        numbers: list[int] = []

        async def listen() -> None:
            async with aclosing(listener.messages()) as messages:
                async for heard in messages:
                    assert heard.robot == "robot"
                    if isinstance(heard.content, Received):
                        numbers.append(heard.content.seq)

        listening = asyncio.create_task(listen())
        await eventually(lambda: listener.connected)
        config = MqttSink(port=broker.port, outbox_items=16)
        async with config.open(SystemClock()) as sink:
            await sink.publish(embedding(0, dim=8))
            await eventually(lambda: numbers == [0])
            # More than the outbox holds, at once: 1..4 make room and are missing.
            for number in range(1, 21):
                await sink.publish(embedding(number, dim=8))
            await eventually(lambda: numbers == [0, *range(5, 21)])
        (continuity,) = listener.continuity.values()
        assert (continuity.received, continuity.missing, continuity.duplicates) == (17, 4, 0)

        publish = await asyncio.create_subprocess_exec(
            *(program("mosquitto_pub"), "-p", str(broker.port), "-m", "nonsense"),
            *("-t", "streamer/v1/robot/embedding/vision/cam"),
        )
        await publish.wait()
        await eventually(lambda: listener.malformed == 1)

        broker.kill()
        await eventually(lambda: not listener.connected)
        await asyncio.to_thread(broker.start)
        await eventually(lambda: listener.connected)
        assert listener.connections == 2
        async with config.open(SystemClock()) as sink:
            await sink.publish(embedding(0, dim=8))
            await eventually(lambda: len(numbers) == 18)
        assert continuity.sessions == 2
        listening.cancel()
        await asyncio.wait([listening])
