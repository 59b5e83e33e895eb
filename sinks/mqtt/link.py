"""One connection to an MQTT broker, from CONNECT to its end. Never used twice.

aiomqtt does the protocol. What it leaves to its users is here: rejected publishes are reported, a
dead connection ends every wait, and a failed attempt leaves no socket behind.
"""

import asyncio
import logging
import re
import socket
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

import aiomqtt
import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from streamer.errors import SinkLost

Protocol = Literal[5, "3.1.1"]
_VERSIONS = {5: aiomqtt.ProtocolVersion.V5, "3.1.1": aiomqtt.ProtocolVersion.V311}

# Without it small packets wait for acknowledgements of the ones before: 40 ms stalls.
_NODELAY = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)
_UNSUPPORTED_VERSION = 0x84
_UNSPECIFIED = 0x80
_LOST = "connection lost"

# What paho logs as errors is here the expected course of things, and told once by who reconnects.
_SILENT = logging.Logger("paho", logging.CRITICAL + 1)
_INCOMING = 10_000


class LinkLost(SinkLost):
    """The connection could not be made, or ended.

    `refused`: the broker answered, and said no; trying again soon would only be noise.
    `unsupported`: it does not speak this version of MQTT.
    """

    def __init__(self, why: str, *, refused: bool = False, unsupported: bool = False) -> None:
        super().__init__(why)
        self.refused = refused
        self.unsupported = unsupported


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the broker is and how to speak to it. The password stays out of repr and logs."""

    host: str
    port: int
    protocol: Protocol = 5
    user: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None
    timeout_s: float = 2.0
    keepalive_s: int = 5

    def __repr__(self) -> str:
        return f"Endpoint({self})"

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


class _NewestKept(asyncio.Queue[aiomqtt.Message]):
    """Where aiomqtt's own queue, when full, throws away what is newest."""

    def put_nowait(self, item: aiomqtt.Message) -> None:
        if self.full():
            self.get_nowait()
        super().put_nowait(item)


Settled = Callable[[int, str | None], None]


class Link(aiomqtt.Client):
    """`settled(mid, refused)` is called when a QoS 0 publish has been written to the socket, and
    when the broker has answered a QoS 1 publish; `refused` is its reason if it said no."""

    def __init__(
        self, endpoint: Endpoint, identifier: str, will: aiomqtt.Will | None, settled: Settled
    ) -> None:
        super().__init__(
            endpoint.host,
            endpoint.port,
            username=endpoint.user,
            password=endpoint.password,
            tls_context=endpoint.tls,
            identifier=identifier,
            logger=_SILENT,
            protocol=_VERSIONS[endpoint.protocol],
            clean_session=None if endpoint.protocol == 5 else True,
            will=will,
            timeout=endpoint.timeout_s,
            keepalive=endpoint.keepalive_s,
            queue_type=_NewestKept,
            max_queued_incoming_messages=_INCOMING,
            socket_options=_NODELAY,
        )
        self._endpoint = endpoint
        # Replaced on the instance: paho's own forgets to close the socket of a TLS handshake that
        # failed, and there is no other way to bring one's own.
        vars(self._client)["_create_socket"] = self._create_socket
        self._settled = settled
        self._speaks_5 = endpoint.protocol == 5
        self.max_packet = 2**28 - 1
        self.receive_maximum = 65_535

    def send(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        retain: bool,
        content_type: str,
        expiry_s: int | None,
    ) -> int:
        """Hand a message to the connection; its fate is told to `settled` under the id returned.

        Raises `LinkLost`.
        """
        properties = None
        if self._speaks_5:
            properties = Properties(PacketTypes.PUBLISH)
            properties.ContentType = content_type
            if expiry_s is not None:
                properties.MessageExpiryInterval = expiry_s
        info = self._client.publish(topic, payload, qos, retain, properties)
        if info.rc != paho.MQTT_ERR_SUCCESS:
            raise LinkLost(_LOST)
        return info.mid

    async def ended(self) -> None:
        """Wait for the end of the connection, which is always a `LinkLost`."""
        await asyncio.wait([self._disconnected])
        error = self._disconnected.exception()
        # An MQTT 5 broker says why it disconnects; for example that another client has this name.
        said = isinstance(error, aiomqtt.MqttCodeError) and isinstance(error.rc, ReasonCode)
        why = _words(error) if error else "closed by the broker"
        raise LinkLost(why, refused=said and why != _LOST)

    async def arriving(self) -> AsyncGenerator[aiomqtt.Message]:
        """Messages until the end of the connection, which is a `LinkLost`.

        aiomqtt's own iterator forgets what is still in its queue at the end, though the broker has
        been told that it arrived.
        """
        while True:
            while not self._queue.empty():
                yield self._queue.get_nowait()
            if self._disconnected.done():
                await self.ended()
            coming = asyncio.ensure_future(self._queue.get())
            try:
                await asyncio.wait(
                    [coming, self._disconnected], return_when=asyncio.FIRST_COMPLETED
                )
                if coming.done():
                    yield coming.result()
            finally:
                coming.cancel()

    async def dial(self) -> None:
        """Connect. Raises `LinkLost`, and then nothing is left open."""
        connecting = asyncio.ensure_future(self.__aenter__())
        try:
            # A thread cannot be cancelled: whoever cancels this waits until its time is up.
            await asyncio.shield(connecting)
        except asyncio.CancelledError:
            await asyncio.gather(connecting, return_exceptions=True)
            await self.hang_up()
            raise
        except aiomqtt.MqttError as error:
            await self.hang_up()
            raise _refusal(error) from None
        if self._client.socket() is None:
            # Let in and thrown out in one breath, before aiomqtt began to look.
            await self.hang_up()
            raise LinkLost(_LOST, refused=True)

    def _create_socket(self) -> socket.socket:
        """TCP and TLS, in a thread; each has `timeout_s`."""
        where, tls = self._endpoint, self._endpoint.tls
        plain = socket.create_connection((where.host, where.port), timeout=where.timeout_s)
        return tls.wrap_socket(plain, server_hostname=where.host) if tls else plain

    async def hang_up(self) -> None:
        """Close the socket, whatever state the connection is in. A second call does nothing."""
        # There is no public way to drop a connection whose broker does not read.
        self._client._sock_close()  # pyright: ignore[reportPrivateUsage]
        if self._misc_task is not None:
            self._misc_task.cancel()
            await asyncio.wait([self._misc_task])
        if self._disconnected.done():
            self._disconnected.exception()

    async def say_goodbye(self) -> None:
        """DISCONNECT, so that the broker keeps the last will to itself."""
        with suppress(aiomqtt.MqttError):
            await self.__aexit__(None, None, None)

    def _on_connect(
        self,
        client: paho.Client,
        userdata: Any,
        flags: paho.ConnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        self.max_packet = getattr(properties, "MaximumPacketSize", self.max_packet)
        self.receive_maximum = getattr(properties, "ReceiveMaximum", self.receive_maximum)
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_disconnect(
        self,
        client: paho.Client,
        userdata: Any,
        flags: paho.DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        super()._on_disconnect(client, userdata, flags, reason_code, properties)
        if self._disconnected.done():
            # Looked at, so that asyncio does not complain if nobody else looks.
            self._disconnected.exception()

    def _on_publish(
        self,
        client: paho.Client,
        userdata: Any,
        mid: int,
        reason_code: ReasonCode,
        properties: Properties,
    ) -> None:
        self._settled(mid, str(reason_code) if reason_code.is_failure else None)

    def _on_socket_register_write(self, client: paho.Client, userdata: Any, sock: Any) -> None:
        # The original registers a number that may by then be closed, or belong to another file.
        def register() -> None:
            if client.socket() is sock:
                self._loop.add_writer(sock.fileno(), self._write)

        self._loop.call_soon_threadsafe(register)

    def _write(self) -> None:
        try:
            self._client.loop_write()
        except OSError as error:
            if not self._disconnected.done():
                self._disconnected.set_exception(error)


def _words(error: BaseException) -> str:
    if isinstance(error, aiomqtt.MqttCodeError) and isinstance(error.rc, ReasonCode):
        # paho's name for a connection that ended without a word.
        return _LOST if error.rc.value == _UNSPECIFIED else str(error.rc)
    # "[Errno 111] " tells people nothing.
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error))


def _refusal(error: aiomqtt.MqttError) -> LinkLost:
    if isinstance(error, aiomqtt.MqttCodeError):
        code = error.rc.value if isinstance(error.rc, ReasonCode) else error.rc
        return LinkLost(
            f"refused: {_words(error)}", refused=True, unsupported=code == _UNSUPPORTED_VERSION
        )
    return LinkLost(_words(error), refused=isinstance(error.__context__, ssl.SSLError))


@asynccontextmanager
async def connected(
    endpoint: Endpoint,
    identifier: str,
    *,
    will: aiomqtt.Will | None = None,
    settled: Settled = lambda mid, refused: None,
) -> AsyncGenerator[Link]:
    """A connection. Raises `LinkLost`; inside, whoever reads or waits for `ended` sees its end."""
    link = Link(endpoint, identifier, will, settled)
    await link.dial()
    try:
        yield link
    finally:
        await link.hang_up()
