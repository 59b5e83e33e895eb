"""One subscription that is kept up: through absent, refusing and restarted brokers."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import aiomqtt

from sinks.mqtt.backoff import Backoff
from sinks.mqtt.link import Endpoint, Link, LinkLost, connected

log = logging.getLogger(__name__)


class Line:
    """Raw messages on the topics that `where`, a filter, matches."""

    def __init__(self, endpoint: Endpoint, where: str, identifier: str) -> None:
        self.connected = False
        self.connections = 0
        self.why = "not connected yet"
        self._endpoint, self._where, self._identifier = endpoint, where, identifier

    async def messages(self) -> AsyncGenerator[aiomqtt.Message]:
        """Every message, for ever; waits for the broker whenever it is away. Close it with
        `contextlib.aclosing`."""
        backoff = Backoff()
        while True:
            try:
                async with connected(self._endpoint, self._identifier) as link:
                    await self._subscribe(link)
                    async with aclosing(link.arriving()) as arriving:
                        async for message in arriving:
                            yield message
            except LinkLost as lost:
                if str(lost) != self.why:
                    log.warning("%s: %s; trying again", self._endpoint, lost)
                self.connected, self.why = False, str(lost)
                if lost.unsupported and self._endpoint.protocol == 5:
                    self._endpoint = replace(self._endpoint, protocol="3.1.1")
                pause_s = backoff.pause_s("refused" if lost.refused else "absent")
                await asyncio.sleep(pause_s)

    async def _subscribe(self, link: Link) -> None:
        try:
            codes = await link.subscribe(self._where, qos=1)
        except aiomqtt.MqttError as error:
            raise LinkLost(str(error)) from None
        for code in codes:
            # MQTT 5 gives reason codes, 3.1.1 numbers; both fail from 128 on.
            if (code if isinstance(code, int) else code.value) >= 0x80:
                raise LinkLost(f"refused: {self._where}: {code}", refused=True)
        self.connected, self.why = True, ""
        self.connections += 1
