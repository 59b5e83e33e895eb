"""How long a log is, for the progress of reading it."""

from sources.replay.foreign import ForeignLog
from sources.replay.log import Log
from sources.replay.own import OwnLog
from streamer.types import Truth


def began(log: Log) -> int | None:
    """When the first thing in it happened; None where nothing did."""
    found = (event for event in log.events() if not isinstance(event, Truth))
    return next((event.now_ns for event in found), None)


def span(log: Log) -> tuple[int, int] | None:
    """From when to when it goes, without reading all of it; None where it does not say."""
    begin_ns, end_ns = None, None
    if isinstance(log, OwnLog):
        begin_ns, end_ns = began(log), log.end_ns
    elif isinstance(log, ForeignLog):
        begin_ns, end_ns = log.container.start_ns, log.container.end_ns
    return None if begin_ns is None or end_ns is None else (begin_ns, end_ns)
