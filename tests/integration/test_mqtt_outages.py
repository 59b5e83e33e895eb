"""A broker that is absent, killed, restarted or hung. Every message is accounted for."""

import asyncio
import json
import logging
import socket
import sys
from pathlib import Path
from typing import Any

import cbor2
import psutil
import pytest

from sinks.mqtt.link import connected
from sinks.mqtt.sender import Sender
from sinks.mqtt.sink import MqttSink
from streamer.clock import SystemClock
from tests.collector import Collector, collecting, eventually
from tests.messages import META, embedding, source_status
from tests.mosquitto import Mosquitto, free_port, mosquitto
from tests.proxy import proxy

OPEN = ("allow_anonymous true", "set_tcp_nodelay true")


def durable(folder: Path) -> tuple[str, ...]:
    """A broker whose acknowledgement survives its death."""
    return (
        *OPEN,
        "persistence true",
        f"persistence_location {folder}/",
        "autosave_on_changes true",
        "autosave_interval 1",
        "max_queued_messages 0",
    )


def balanced(sink: Sender) -> dict[str, int]:
    """The account adds up; returns what was dropped."""
    account = sink.account
    dropped = account.dropped
    assert account.produced == account.delivered + sum(dropped.values()) + account.pending
    return dropped


def seqs(heard: Collector, part: str) -> list[int]:
    found: list[dict[str, Any]] = [
        cbor2.loads(m.payload) if part == "/embedding/" else json.loads(m.payload)
        for m in heard.on(part)
    ]
    return [item["seq"] for item in found]


def state(heard: Collector) -> str:
    return json.loads(heard.on("robot/status")[-1].payload)["state"]


async def test_a_broker_that_is_absent_at_the_start_gets_everything_when_it_comes(
    tmp_path: Path,
) -> None:
    port = free_port()
    async with MqttSink(port=port).open(SystemClock()) as sink:
        await sink.publish(META)
        for number in range(20):
            await sink.publish(embedding(number, labelled=True))
        await eventually(lambda: "refused" in sink.why.lower())
        assert sink.report()["connected"] is False
        assert sink.account.pending == 41
        balanced(sink)
        async with mosquitto(tmp_path, port=port) as broker:
            started_s = asyncio.get_running_loop().time()
            await eventually(lambda: sink.connected)
            # The pause while nobody is there is at most 0.5 s.
            assert asyncio.get_running_loop().time() - started_s < 1.0
            async with collecting(broker.port) as heard:
                await eventually(lambda: not len(sink._outbox))  # pyright: ignore[reportPrivateUsage]
                # The retained ones are there for whoever comes later.
                await heard.until(lambda: len(heard.on("/meta")) == 1)
                assert heard.on("/meta")[0].retain
                await sink.drain(5)
    # The run ended with the broker gone: nothing of what it had acknowledged is lost.
    assert sink.account.delivered == 41
    assert balanced(sink) == {}


class Publishing:
    """Labelled embeddings at 100 Hz, until stopped."""

    def __init__(self, sink: Sender) -> None:
        self.sent = 0
        self._sink = sink
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self._publish())

    async def _publish(self) -> None:
        while not self._stop.is_set():
            await self._sink.publish(embedding(self.sent, dim=64, labelled=True))
            self.sent += 1
            await asyncio.sleep(0.01)

    async def more(self, count: int) -> None:
        goal = self.sent + count
        await eventually(lambda: self.sent >= goal)

    async def stop(self) -> int:
        self._stop.set()
        await self._task
        return self.sent


async def test_through_many_cuts_qos_1_loses_nothing_and_the_rest_is_declared(
    tmp_path: Path,
) -> None:
    # The broker lives; the connection to it is reset 8 times, in the middle of packets.
    cuts = 8
    async with mosquitto(tmp_path, *OPEN, "max_queued_messages 0") as broker:
        async with collecting(broker.port) as heard, proxy(broker.port) as line:
            async with MqttSink(port=line.port).open(SystemClock()) as sink:
                publishing = Publishing(sink)
                for _ in range(cuts):
                    await eventually(lambda: sink.connected)
                    await publishing.more(60)
                    await line.cut()
                    await eventually(lambda: not sink.connected)
                    await publishing.more(3)
                    await line.listen()
                    balanced(sink)
                await eventually(lambda: sink.connected)
                sent = await publishing.stop()
            await heard.until(lambda: len(set(seqs(heard, "/label/"))) == sent)
            await heard.until(lambda: state(heard) == "offline")
            scores, vectors = seqs(heard, "/label/"), seqs(heard, "/embedding/")
    dropped = balanced(sink)
    assert sink.account.pending == 0
    assert sink.account.produced == 2 * sent
    # At least once, and first in order: a repeated one never comes before its elders.
    assert list(dict.fromkeys(scores)) == list(range(sent))
    # What did not arrive, and nothing else, was declared lost; what is in doubt may have arrived.
    assert set(dropped) <= {"in_doubt"}
    assert sent - len(set(vectors)) <= dropped.get("in_doubt", 0)


async def test_a_broker_that_is_killed_is_found_again_within_a_second(tmp_path: Path) -> None:
    kills = 5
    loop = asyncio.get_running_loop()
    broker = Mosquitto(tmp_path, *durable(tmp_path))
    await asyncio.to_thread(broker.start)
    recoveries_s: list[float] = []
    try:
        async with collecting(broker.port) as heard:
            async with MqttSink(port=broker.port).open(SystemClock()) as sink:
                publishing = Publishing(sink)
                for _ in range(kills):
                    await eventually(lambda: sink.connected and heard.ready.is_set())
                    await publishing.more(20)
                    broker.kill()
                    await eventually(lambda: not sink.connected)
                    await publishing.more(20)
                    await asyncio.to_thread(broker.start)
                    up_s = loop.time()
                    await eventually(lambda: sink.connected)
                    recoveries_s.append(loop.time() - up_s)
                await eventually(heard.ready.is_set)
                last = publishing.sent
                sent = await publishing.stop()
            await heard.until(lambda: state(heard) == "offline")
            scores = set(seqs(heard, "/label/"))
    finally:
        broker.kill()
    assert max(recoveries_s) < 1.0
    assert sink.report()["reconnects"] == kills
    assert set(balanced(sink)) <= {"in_doubt"}
    assert sink.account.pending == 0
    # A killed broker forgets what it has acknowledged and not yet written to anybody: a few.
    assert len(set(range(sent)) - scores) <= kills * 20
    assert set(range(last, sent)) <= scores


async def test_a_broker_that_forgot_everything_is_told_the_states_again(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker:
        async with MqttSink(port=broker.port).open(SystemClock()) as sink:
            await sink.publish(META)
            await sink.publish(source_status("stalled"))
            await sink.publish(source_status("online"))
            await sink.drain(5)
            broker.kill()
            await eventually(lambda: not sink.connected)
            await asyncio.to_thread(broker.start)
            await eventually(lambda: sink.connected)
            await sink.drain(5)
            async with collecting(broker.port) as heard:
                await heard.until(lambda: len(heard.messages) == 3)
        found = {
            str(m.topic).rpartition("robot/")[2]: json.loads(m.payload) for m in heard.messages
        }
        assert found.keys() == {"status", "meta", "source/cam/status"}
        assert found["source/cam/status"]["state"] == found["status"]["state"] == "online"
    assert sink.report()["produced"] == 3
    assert sink.report()["pending"] == 0


async def test_a_hung_broker_is_noticed_and_costs_bounded_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    config = MqttSink(outbox_items=64)
    async with mosquitto(tmp_path) as broker:
        config = config.model_copy(update={"port": broker.port})
        async with config.open(SystemClock()) as sink:
            await sink.publish(embedding(0, dim=64))
            await eventually(lambda: sink.account.delivered == 1)
            broker.stop()
            stopped_s = loop.time()
            number = 1
            while sink.connected:
                # QoS 0 alone: no acknowledgement is due that could be missed.
                await sink.publish(embedding(number, dim=64))
                number += 1
                assert sink.account.pending <= 64 + 16 + number
                assert len(sink._flight) <= 16  # pyright: ignore[reportPrivateUsage]
                await asyncio.sleep(0.02)
                assert loop.time() - stopped_s < 5.0, "a hung broker goes unnoticed"
            assert "no answer within 2 s" in sink.why
            assert sink.account.dropped["in_doubt"] >= 1
            broker.resume()
            await eventually(lambda: sink.connected)
            await sink.publish(embedding(number, dim=64))
            await sink.drain(5)
            dropped = balanced(sink)
            assert set(dropped) <= {"in_doubt", "overflow"}
        async with collecting(broker.port) as heard:
            # The will of the connection that hung came before the word of the new one.
            await heard.until(lambda: len(heard.on("/status")) == 1)
            assert json.loads(heard.on("/status")[0].payload)["why"] == "closed"
    lost = [r for r in caplog.records if "no answer" in r.message and r.levelno == logging.WARNING]
    assert len(lost) == 1


DYING = """
import asyncio, sys
from sinks.mqtt.link import connected
from sinks.mqtt.sink import MqttSink
from streamer.clock import SystemClock

async def main():
    async with MqttSink(port=int(sys.argv[1])).open(SystemClock()):
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_the_last_will_tells_of_a_death_and_the_return_of_a_new_session(
    tmp_path: Path,
) -> None:
    async with mosquitto(tmp_path) as broker, collecting(broker.port) as heard:

        def states() -> list[tuple[str, str]]:
            found = [json.loads(m.payload) for m in heard.on("robot/status")]
            return [(item["state"], item["sid"]) for item in found]

        robot = await asyncio.create_subprocess_exec(sys.executable, "-c", DYING, str(broker.port))
        await heard.until(lambda: len(states()) == 1)
        robot.kill()
        await robot.wait()
        await heard.until(lambda: len(states()) == 2)
        async with MqttSink(port=broker.port).open(SystemClock()):
            await heard.until(lambda: len(states()) == 3)
        await heard.until(lambda: len(states()) == 4)
    sids = [sid for _, sid in states()]
    assert [state for state, _ in states()] == ["online", "offline", "online", "offline"]
    assert heard.on("robot/status")[0].qos == 1
    assert sids[0] == sids[1] != sids[2] == sids[3]


async def test_two_robots_of_one_name_do_not_fight_in_a_tight_loop(tmp_path: Path) -> None:
    # Each connection ends the other. Calling again at once would be hundreds in a second.
    async with mosquitto(tmp_path) as broker:
        config = MqttSink(port=broker.port, drain_s=0.1)
        async with config.open(SystemClock()) as first, config.open(SystemClock()) as second:
            await eventually(lambda: first.connections + second.connections >= 4)
            begun = first.connections + second.connections
            ends_s = asyncio.get_running_loop().time() + 2
            while asyncio.get_running_loop().time() < ends_s:
                await first.publish(embedding(dim=8))
                await asyncio.sleep(0.05)
                balanced(first)
            print("connections", first.connections + second.connections - begun)
            assert 2 <= first.connections + second.connections - begun <= 20


async def test_status_is_retained_and_degraded_while_a_source_is_away(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker:
        async with MqttSink(port=broker.port).open(SystemClock()) as sink:
            await sink.publish(source_status("stalled", "silent"))
            await sink.drain(5)
            async with collecting(broker.port) as heard:
                await heard.until(lambda: len(heard.messages) == 2)
                found = {str(m.topic).rpartition("robot/")[2]: m for m in heard.messages}
                assert all(m.retain for m in found.values())
                assert json.loads(found["status"].payload)["state"] == "degraded"
                assert json.loads(found["source/cam/status"].payload)["why"] == "silent"
                await sink.publish(source_status("online"))
                await heard.until(lambda: state(heard) == "online")
                # A file that came to its end has not failed.
                await sink.publish(source_status("offline", "ended"))
                await heard.until(lambda: len(heard.on("source/cam")) == 3)
                assert state(heard) == "online"


async def test_a_lossless_run_waits_for_a_broker_that_went_away(tmp_path: Path) -> None:
    count = 300
    async with mosquitto(tmp_path, *OPEN, "max_queued_messages 0") as broker:
        async with collecting(broker.port) as heard, proxy(broker.port) as line:
            config = MqttSink(port=line.port, outbox_items=16)
            async with config.open(SystemClock(), lossless=True) as sink:

                async def publish() -> None:
                    for number in range(count):
                        await sink.publish(embedding(number, dim=8, labelled=True))

                publishing = asyncio.create_task(publish())
                await heard.until(lambda: len(heard.messages) > 100)
                await line.cut()
                await eventually(lambda: not sink.connected)
                # Room is left for some, then it waits.
                await eventually(lambda: sink.account.pending >= 16)
                held = sink.account.produced
                assert not publishing.done()
                await line.listen()
                await publishing
                assert sink.account.produced > held
            await heard.until(lambda: len(set(seqs(heard, "/label/"))) == count)
            await heard.until(lambda: len(set(seqs(heard, "/embedding/"))) == count)
    assert balanced(sink) == {}
    assert sink.account.delivered == 2 * count


async def test_a_run_that_ends_without_its_broker_says_what_it_could_not_send() -> None:
    # Longer than the pauses between attempts, which are no progress.
    loop = asyncio.get_running_loop()
    config = MqttSink(port=free_port(), drain_s=0.7)
    async with config.open(SystemClock()) as sink:
        await sink.publish(embedding(labelled=True))
        await sink.publish(META)
        ended_s = loop.time()
    assert loop.time() - ended_s < 1.5
    assert sink.report()["dropped"] == {"closed": 3}
    assert sink.report()["pending"] == 0


async def test_a_black_hole_is_given_up_and_leaves_no_sockets() -> None:
    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Accepts, and never answers CONNECT.
        while await reader.read(100):
            pass
        writer.close()

    hole = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = hole.sockets[0].getsockname()[1]
    config = MqttSink(port=port, timeout_s=0.1, drain_s=0)
    process = psutil.Process()
    async with config.open(SystemClock()) as sink:
        await eventually(lambda: "timed out" in sink.why)
        files = process.num_fds()
        await asyncio.sleep(1.5)
        # One for the attempt under way here, and one there.
        assert process.num_fds() <= files + 2
    hole.close()
    assert sink.report()["connected"] is False


async def test_small_packets_are_not_held_back(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker:
        endpoint = await MqttSink(port=broker.port).endpoint()
        async with connected(endpoint, "test") as link:
            open_socket = link._client.socket()  # pyright: ignore[reportPrivateUsage]
            assert isinstance(open_socket, socket.socket)
            assert open_socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


async def test_a_slow_subscriber_costs_the_publisher_nothing(tmp_path: Path) -> None:
    async with mosquitto(tmp_path, *OPEN, "max_queued_messages 10") as broker:
        # Says it will take them, and then never reads.
        reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
        writer.write(bytes.fromhex("100d 0004 4d515454 04 02 0000 0001 73"))
        writer.write(bytes.fromhex("8206 0001 0001 23 01"))
        assert await reader.readexactly(4) == bytes.fromhex("20020000")
        async with MqttSink(port=broker.port).open(SystemClock()) as sink:
            for number in range(300):
                await sink.publish(embedding(number, labelled=True))
            await sink.drain(5)
        assert balanced(sink) == {}
        assert sink.account.delivered == 600
        writer.close()
