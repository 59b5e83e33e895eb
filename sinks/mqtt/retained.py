"""The newest draft of every retained topic, and which of them the broker has yet to hear."""

from sinks.wire.session import Draft
from streamer.channels import Account


class Retained:
    """States, not events: only the newest draft on a topic counts.

    An older one that was never acknowledged is dropped as `superseded`. After every reconnect all
    of them are announced again, since the broker may have forgotten them.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._newest: dict[str, Draft] = {}
        self._unsent: dict[str, None] = {}
        self._owed: set[str] = set()

    @property
    def pending(self) -> bool:
        return bool(self._unsent)

    def put(self, draft: Draft) -> None:
        self._account.produced += 1
        if draft.topic in self._owed:
            self._account.drop("superseded")
        self._owed.add(draft.topic)
        self._set(draft)

    def announce(self, draft: Draft) -> None:
        """Like `put`, for what the sink itself has to say; no account is kept of it."""
        self._set(draft)

    def again(self) -> None:
        """Everything is to be sent: this is a new connection."""
        self._unsent = dict.fromkeys(self._newest)

    def take(self) -> Draft | None:
        """The next draft to be sent, in the order in which the topics first appeared."""
        for topic in self._unsent:
            del self._unsent[topic]
            return self._newest[topic]
        return None

    def settle(self, draft: Draft, refused: str | None) -> None:
        """The broker answered: `refused` is the cause if it did not take the draft."""
        if self._newest.get(draft.topic) is not draft or draft.topic not in self._owed:
            return
        self._owed.discard(draft.topic)
        if refused is None:
            self._account.delivered += 1
        else:
            self._account.drop(refused)

    def discard(self, cause: str) -> None:
        """Drop what is owed; the run is over."""
        if self._owed:
            self._account.drop(cause, len(self._owed))
        self._owed.clear()
        self._unsent.clear()

    def _set(self, draft: Draft) -> None:
        self._newest[draft.topic] = draft
        self._unsent[draft.topic] = None
