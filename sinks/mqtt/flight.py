"""The publishes under way on one connection, and what their end means for the account.

QoS 1: the acknowledgement tells, and may refuse. QoS 0 has none, but a broker reads a connection
in order: what was written before something that it answered has been read. Until then QoS 0
messages are pending; if the connection ends first they are dropped as `in_doubt`.

MQTT does not tell either that a QoS 0 message was not allowed. So the first on each topic, and then
one every `AUDIT_S`, is sent as QoS 1.
"""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from sinks.mqtt.retained import Retained
from sinks.wire.session import Draft
from streamer.channels import Outbox, Parcel

log = logging.getLogger(__name__)

AUDIT_S = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class _Sent:
    """`parcel` is None for retained drafts, whose newest is kept elsewhere."""

    draft: Draft
    parcel: Parcel[Draft] | None
    qos: int
    order: int
    sent_s: float


class Flight:
    """`now_s` is the event loop's time. `refusals` remembers topics already complained about, so
    that it is said once in a run and not once in a connection."""

    def __init__(
        self,
        outbox: Outbox[Draft],
        retained: Retained,
        now_s: Callable[[], float],
        refusals: set[str],
    ) -> None:
        self.heard_s = now_s()
        self._outbox = outbox
        self._retained = retained
        self._account = outbox.account
        self._now_s = now_s
        self._refusals = refusals
        self._under_way: dict[int, _Sent] = {}
        self._doubtful: deque[int] = deque()
        self._order = 0
        self._audited_s: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    @property
    def mark(self) -> int:
        """Where the connection stands: everything handed over so far lies before it."""
        return self._order

    @property
    def waited_s(self) -> float:
        """How long the oldest publish has been under way."""
        for sent in self._under_way.values():
            return self._now_s() - sent.sent_s
        return 0.0

    def qos(self, draft: Draft) -> int:
        """The draft's own, or 1 when it is time to ask whether its topic is allowed."""
        audited_s = self._audited_s.get(draft.topic)
        due = audited_s is None or self._now_s() - audited_s >= AUDIT_S
        return 1 if due else draft.qos

    def begin(self, mid: int, draft: Draft, parcel: Parcel[Draft] | None, qos: int) -> None:
        self._under_way[mid] = _Sent(draft, parcel, qos, self._order, self._now_s())
        self._order += 1

    def settled(self, mid: int, refused: str | None) -> None:
        """A QoS 0 publish was written to the socket, or a QoS 1 publish was answered."""
        sent = self._under_way.pop(mid, None)
        if sent is None:
            return
        if sent.qos == 0:
            self._doubtful.append(sent.order)
            return
        self.heard(sent.order)
        topic = sent.draft.topic
        if refused is None:
            self._audited_s[topic] = self._now_s()
        else:
            self._audited_s.pop(topic, None)
            if topic not in self._refusals:
                self._refusals.add(topic)
                log.error("the broker refuses %s: %s", topic, refused)
        if sent.parcel is None:
            self._retained.settle(sent.draft, "rejected" if refused else None)
        elif refused is None:
            self._account.delivered += 1
        else:
            self._account.drop("rejected")

    def heard(self, mark: int) -> None:
        """The broker answered something sent at `mark`, and so has read what was before it."""
        self.heard_s = self._now_s()
        while self._doubtful and self._doubtful[0] < mark:
            self._doubtful.popleft()
            self._account.delivered += 1

    def end(self) -> None:
        """The connection is gone. QoS 1 goes back to the outbox: at least once, so `seq` repeats.
        QoS 0 may or may not have arrived."""
        doubtful = len(self._doubtful)
        back: list[Parcel[Draft]] = []
        for sent in self._under_way.values():
            if sent.parcel is not None and sent.qos == 1:
                back.append(sent.parcel)
            elif sent.parcel is not None:
                doubtful += 1
        if doubtful:
            self._account.drop("in_doubt", doubtful)
        self._doubtful.clear()
        self._under_way.clear()
        self._outbox.unget(back, int(self._now_s() * 1e9))
