"""A subscriber for tests that keeps the raw messages; it shares no code with `sinks`."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiomqtt
import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


@dataclass
class Collector:
    messages: list[aiomqtt.Message] = field(default_factory=list[aiomqtt.Message])
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def on(self, part: str) -> list[aiomqtt.Message]:
        """The messages whose topic contains `part`, in the order of their coming."""
        return [message for message in self.messages if part in str(message.topic)]

    async def until(self, done: Callable[[], bool], within_s: float = 10) -> None:
        async with asyncio.timeout(within_s):
            while not done():
                self._news.clear()
                await self._news.wait()

    def add(self, message: aiomqtt.Message) -> None:
        self.messages.append(message)
        self._news.set()


async def eventually(done: Callable[[], bool], within_s: float = 10) -> None:
    """Wait for a condition that nobody announces."""
    async with asyncio.timeout(within_s):
        while not done():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class _Client(aiomqtt.Client):
    """aiomqtt's iterator forgets what is still in its queue when the connection ends, though it
    has acknowledged it; so messages are taken as they come."""

    collector: Collector

    def _on_message(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        super()._on_message(client, userdata, message)
        while not self._queue.empty():
            self.collector.add(self._queue.get_nowait())


async def _collect(collector: Collector, port: int, qos: int, user: str | None) -> None:
    # A session that outlives the connection: what comes meanwhile is kept by the broker.
    keep = Properties(PacketTypes.CONNECT)
    keep.SessionExpiryInterval = 3600
    while True:
        try:
            client = _Client(
                "127.0.0.1",
                port,
                identifier=f"collector-{id(collector)}",
                username=user,
                password=user,
                protocol=aiomqtt.ProtocolVersion.V5,
                clean_start=False,
                properties=keep,
                timeout=2,
            )
            client.collector = collector
            async with client:
                await client.subscribe("#", qos=qos)
                collector.ready.set()
                async for _ in client.messages:
                    pass
        except aiomqtt.MqttError:
            collector.ready.clear()
            await asyncio.sleep(0.05)


@asynccontextmanager
async def collecting(
    port: int, *, qos: int = 1, user: str | None = None
) -> AsyncGenerator[Collector]:
    """Collects until left, through as many restarts of the broker as come."""
    collector = Collector()
    task = asyncio.create_task(_collect(collector, port, qos, user))
    try:
        async with asyncio.timeout(10):
            await collector.ready.wait()
        yield collector
    finally:
        task.cancel()
        await asyncio.wait([task])
