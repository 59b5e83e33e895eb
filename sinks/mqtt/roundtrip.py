"""Whether a broker carries messages: publish, and read back.

Neither a connection nor a granted subscription says so. mosquitto grants a subscription that its
access list forbids, and the list may forbid publishing alone.
"""

import asyncio
import uuid
from contextlib import aclosing
from dataclasses import dataclass, replace
from statistics import median

import aiomqtt

from sinks.mqtt.link import Endpoint, Link, LinkLost, Protocol, connected
from sinks.wire.topics import Topics

_TRIPS = 5


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """`seconds` from publish to reading back, the median of five; `protocol` that was spoken."""

    seconds: float
    protocol: Protocol


async def round_trip(endpoint: Endpoint, topics: Topics) -> RoundTrip:
    """Publish random bytes to a topic that nobody else uses, and read them back.

    Every step has the endpoint's `timeout_s`. Raises `LinkLost`.
    """
    try:
        return await _round_trip(endpoint, topics)
    except LinkLost as lost:
        if not lost.unsupported or endpoint.protocol != 5:
            raise
        return await _round_trip(replace(endpoint, protocol="3.1.1"), topics)


async def _round_trip(endpoint: Endpoint, topics: Topics) -> RoundTrip:
    name = uuid.uuid4().hex[:12]
    topic = f"{topics.root}/probe/{name}"
    refusal: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def settled(mid: int, refused: str | None) -> None:
        del mid
        if refused and not refusal.done():
            refusal.set_result(refused)

    async with connected(endpoint, f"probe-{name}", settled=settled) as link:
        await _subscribe(link, topic)
        seconds = [await _trip(link, endpoint, topic, refusal) for _ in range(_TRIPS)]
        await link.say_goodbye()
    return RoundTrip(median(seconds), endpoint.protocol)


async def _subscribe(link: Link, topic: str) -> None:
    try:
        codes = await link.subscribe(topic, qos=1)
    except aiomqtt.MqttError as error:
        raise LinkLost(str(error)) from None
    for code in codes:
        # MQTT 5 gives reason codes, 3.1.1 numbers; both fail from 128 on.
        if (code if isinstance(code, int) else code.value) >= 0x80:
            raise LinkLost(f"refused: subscribing to {topic}: {code}", refused=True)


async def _trip(
    link: Link, endpoint: Endpoint, topic: str, refusal: "asyncio.Future[str]"
) -> float:
    loop = asyncio.get_running_loop()
    payload = uuid.uuid4().bytes
    reading = asyncio.ensure_future(_read(link, payload))
    started_s = loop.time()
    try:
        link.send(
            topic,
            payload,
            qos=1,
            retain=False,
            content_type="application/octet-stream",
            expiry_s=60,
        )
        await asyncio.wait(
            [reading, refusal], timeout=endpoint.timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        seconds = loop.time() - started_s
        if reading.done():
            reading.result()
            return seconds
        if refusal.done():
            raise LinkLost(f"refused: publishing to {topic}: {refusal.result()}", refused=True)
        raise LinkLost(f"published to {topic}, and nothing came back in {endpoint.timeout_s:g} s")
    finally:
        reading.cancel()
        await asyncio.wait([reading])


async def _read(link: Link, payload: bytes) -> None:
    async with aclosing(link.arriving()) as arriving:
        async for message in arriving:
            if message.payload == payload:
                return
