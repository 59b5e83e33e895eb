"""Carries drafts to a broker that may be slow, hung, away or refusing.

Nothing here blocks a live run: `publish` puts drafts into the outbox, one task takes them out. A
lossless run waits for room instead of dropping. Time that concerns the network is the event
loop's; the run's clock, which may be virtual, only stamps what is sent.
"""

import asyncio
import logging
import math
from dataclasses import replace

import aiomqtt

from sinks.mqtt.backoff import Backoff, Trouble
from sinks.mqtt.flight import Flight
from sinks.mqtt.link import Endpoint, Link, LinkLost, connected
from sinks.mqtt.retained import Retained
from sinks.wire.session import Draft, Session
from streamer.channels import Outbox, Parcel
from streamer.protocols import Clock
from streamer.types import Message

log = logging.getLogger(__name__)

WINDOW = 16
"""Publishes under way at once. Brokers allow 20 unless they say otherwise, and what is under way
is all the memory that a hung broker can hold."""

STEADY_S = 0.5
"""A connection that ends sooner was not a good one, however well it began."""

_NEVER_NS = 2**63 - 1
_OVERHEAD = 512
_PACKET_OVERHEAD = 64


class Sender:
    """The way of one run to one broker."""

    def __init__(
        self,
        endpoint: Endpoint,
        session: Session,
        outbox: Outbox[Draft],
        clock: Clock,
        *,
        lossless: bool,
    ) -> None:
        self.endpoint = endpoint
        self.connected = False
        self.connections = 0
        self.why = "not connected yet"
        self.account = outbox.account
        self._session = session
        self._outbox = outbox
        self._clock = clock
        self._lossless = lossless
        self._loop = asyncio.get_running_loop()
        self._retained = Retained(outbox.account)
        self._refusals: set[str] = set()
        self._flight = self._new_flight()
        self._work = asyncio.Event()
        self._moved = asyncio.Event()
        self._state = session.state
        self._left = False
        self._since_s = 0.0
        self._announce(session.status(self._state, clock.now_ns()))

    async def publish(self, message: Message) -> None:
        """Into the outbox. Waits only in a lossless run, for room."""
        try:
            drafts = self._session.drafts(message)
        except ValueError as error:
            # A vector of NaN, for example. It must not go out, and must not stop the others.
            self.account.produced += 1
            self.account.drop("invalid")
            self._once("invalid", f"{type(message).__name__} not sent: {error}")
            return
        for draft in drafts:
            if draft.retain:
                self._retained.put(draft)
            else:
                await self._post(draft)
        if self._session.state != self._state:
            self._state = self._session.state
            self._announce(self._session.status(self._state, self._clock.now_ns()))
        self._work.set()

    def report(self) -> dict[str, object]:
        """JSON-ready: the connection, and the account of every message so far."""
        return {
            "connected": self.connected,
            "why": self.why,
            "reconnects": max(0, self.connections - 1),
            "queued_bytes": self._outbox.bytes,
            **self.account.report(),
        }

    async def run(self) -> None:
        """Connect, send, and connect again, until cancelled."""
        backoff = Backoff()
        while True:
            try:
                await self._converse()
            except LinkLost as lost:
                if lost.unsupported and self.endpoint.protocol == 5:
                    log.warning("%s does not speak MQTT 5; using 3.1.1", self.endpoint)
                    self.endpoint = replace(self.endpoint, protocol="3.1.1")
                pause_s = backoff.pause_s(self._lost(lost))
                await asyncio.sleep(pause_s)

    async def drain(self, patience_s: float) -> None:
        """Return when nothing is left to send, or when nothing was settled for `patience_s`."""
        settled, deadline_s = -1, 0.0
        while self._busy:
            now_s = self._loop.time()
            if (count := self.account.produced - self.account.pending) != settled:
                settled, deadline_s = count, now_s + patience_s
            if not await self._movement(deadline_s - now_s):
                return

    async def leave(self) -> None:
        """Say offline and wait for the broker's answer, or until its time is up."""
        self._announce(self._session.status("offline", self._clock.now_ns(), "closed"))
        # Its acknowledgement also settles the QoS 0 messages before it.
        while self.connected and self._busy:
            if not await self._movement(self.endpoint.timeout_s):
                return
        self._left = self.connected

    def close_account(self) -> None:
        """After the end of `run`: what is left is dropped as `closed`."""
        self._outbox.discard("closed")
        self._retained.discard("closed")
        if closed := self.account.dropped.get("closed"):
            log.warning("%s: %d messages were not sent (%s)", self.endpoint, closed, self.why)

    # -- towards the outbox ------------------------------------------------------------------

    async def _post(self, draft: Draft) -> None:
        size = len(draft.body.data) + len(draft.topic) + _OVERHEAD
        if self._lossless:
            await self._outbox.room(size)
        now_ns = self._now_ns()
        stale = math.isinf(draft.stale_s)
        stale_ns = _NEVER_NS if stale else now_ns + int(draft.stale_s * 1e9)
        self._outbox.put(Parcel(draft, size, stale_ns), now_ns)
        self._work.set()

    def _announce(self, draft: Draft) -> None:
        self._retained.announce(draft)
        self._work.set()

    # -- one connection ----------------------------------------------------------------------

    async def _converse(self) -> None:
        """One connection until its end. Raises `LinkLost`."""
        topics, why = self._session.topics, None
        will = aiomqtt.Will(topics.status, self._session.last_will(), 1, retain=True)
        identifier = f"{topics.prefix}-{topics.robot}"
        async with connected(self.endpoint, identifier, will=will, settled=self._settled) as link:
            self._found()
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._send(link), name="mqtt send")
                    group.create_task(self._probe(link), name="mqtt probe")
                    group.create_task(link.ended(), name="mqtt end")
            except* LinkLost as losses:
                why = losses.exceptions[0]
            finally:
                if self._left:
                    # Otherwise the broker is to say offline for us: the last will.
                    await link.say_goodbye()
                self._flight.end()
                self._moved.set()
        if why is not None:
            raise why

    async def _send(self, link: Link) -> None:
        window = min(WINDOW, link.receive_maximum)
        while True:
            while len(self._flight) < window and self._send_one(link):
                pass
            self._work.clear()
            await self._work.wait()

    def _send_one(self, link: Link) -> bool:
        parcel = None
        draft = self._retained.take()
        if draft is None:
            parcel = self._outbox.take(self._now_ns())
            if parcel is None:
                return False
            draft = parcel.item
        payload = draft.body.stamped(self._clock.now_ns())
        if len(payload) + len(draft.topic) + _PACKET_OVERHEAD > link.max_packet:
            if parcel is None:
                self._retained.settle(draft, "oversize")
            else:
                self.account.drop("oversize")
            self._once(draft.topic, f"the broker takes no packets of {len(payload)} bytes")
            return True
        qos = self._flight.qos(draft)
        try:
            mid = link.send(
                draft.topic,
                payload,
                qos=qos,
                retain=draft.retain,
                content_type=draft.body.content_type,
                expiry_s=draft.expiry_s,
            )
        except LinkLost:
            if parcel is not None:
                self._outbox.unget([parcel], self._now_ns())
            raise
        self._flight.begin(mid, draft, parcel, qos)
        return True

    async def _probe(self, link: Link) -> None:
        """End a connection whose broker hangs: TCP alone would not notice for minutes."""
        timeout_s = self.endpoint.timeout_s
        while True:
            await asyncio.sleep(timeout_s / 4)
            if self._flight.waited_s > timeout_s:
                raise LinkLost(f"no answer within {timeout_s:g} s")
            if self._loop.time() - self._flight.heard_s < timeout_s:
                continue
            mark = self._flight.mark
            try:
                # aiomqtt has no ping; this needs an answer, changes nothing, and no other hears it.
                await link.unsubscribe(f"{self._session.topics.root}/probe", timeout=timeout_s)
            except aiomqtt.MqttError:
                raise LinkLost(f"no answer within {timeout_s:g} s") from None
            self._flight.heard(mark)
            self._moved.set()

    def _settled(self, mid: int, refused: str | None) -> None:
        self._flight.settled(mid, refused)
        self._moved.set()
        self._work.set()

    # -- its state ---------------------------------------------------------------------------

    def _found(self) -> None:
        self._flight = self._new_flight()
        self._retained.again()
        self._work.set()
        self.connected, self.why = True, ""
        self.connections += 1
        self._since_s = self._loop.time()
        log.info("%s: connected", self.endpoint)

    def _lost(self, lost: LinkLost) -> Trouble:
        """Note the loss, logged once for each reason; returns what kind of trouble it is."""
        why = str(lost)
        trouble: Trouble = "refused" if lost.refused else "absent"
        if self.connected and self._loop.time() - self._since_s < STEADY_S:
            trouble = "thrown out"
            why += f" at once; is another robot {self._session.topics.robot!r} on this broker?"
        if why != self.why:
            log.warning("%s: %s; trying again", self.endpoint, why)
        self.connected, self.why = False, why
        self._moved.set()
        return trouble

    def _once(self, key: str, message: str) -> None:
        if key not in self._refusals:
            self._refusals.add(key)
            log.error("%s: %s", self.endpoint, message)

    @property
    def _busy(self) -> bool:
        return bool(self._outbox or self._retained.pending or self._flight)

    async def _movement(self, patience_s: float) -> bool:
        self._moved.clear()
        try:
            await asyncio.wait_for(self._moved.wait(), max(0.0, patience_s))
        except TimeoutError:
            return False
        return True

    def _new_flight(self) -> Flight:
        return Flight(self._outbox, self._retained, self._loop.time, self._refusals)

    def _now_ns(self) -> int:
        return int(self._loop.time() * 1e9)
