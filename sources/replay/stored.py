"""What a log of ours says of itself beside its samples: digests, what was published, losses."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cbor2

from sources.recording.digest import TickDigest
from sources.recording.format import DIGEST, EMBEDDING, JOURNAL, META, WINDOWS
from sources.recording.journal import decode
from sources.replay.container import Chunk, McapLog, Message, Metadata
from streamer.errors import SourceLost

LARGEST = 1 << 20


@dataclass(slots=True)
class Told:
    """What was found by reading all of a log. `summary`: its last word, or None without one."""

    summary: dict[str, str] | None = None
    model_hash: str = ""
    """Of the model whose embeddings are in it."""
    embeddings: int = 0
    lost: Counter[str] = field(default_factory=Counter[str])
    """What the recorder had to leave out, by cause."""
    damage: str = ""
    """What is wrong with the file; "" for one that is sound, or that just stops."""


def told(path: Path) -> Told:
    """Every byte of the file is looked at. Raises `SourceLost`."""
    found = Told()
    log = McapLog(path)
    try:
        for part in log.parts():
            if isinstance(part, Metadata):
                if part.name == DIGEST:
                    found.summary = part.data
            elif isinstance(part, Chunk):
                for message in part.messages:
                    _look(message, found)
        problems = next(iter(log.problems), "")
        if log.closed or log.whole or any(not p.startswith("cut off") for p in log.problems):
            found.damage = problems or ("" if log.sealed() else "its end is damaged or missing")
    finally:
        log.close()
    return found


def _look(message: Message, found: Told) -> None:
    topic = message.channel.topic
    if topic.startswith(EMBEDDING):
        found.embeddings += 1
    elif topic == META and len(message.payload) <= LARGEST:
        meta = _map(message.payload)
        found.model_hash = str(meta.get("model_hash", ""))[:256]
    elif topic == JOURNAL:
        try:
            lost = decode(message.payload).lost
        except ValueError as error:
            found.damage = found.damage or str(error)
            return
        for causes in lost.values():
            found.lost.update(causes)


def windows(path: Path) -> Iterator[TickDigest]:
    """The digests of the windows, tick by tick, as the recording cut them."""
    for message in messages(path, WINDOWS):
        tick = _map(message.payload)
        end_ns, found = tick.get("end"), tick.get("windows")
        if isinstance(end_ns, int) and isinstance(found, dict):
            yield TickDigest(end_ns, {str(stream): str(one) for stream, one in found.items()})


def messages(path: Path, topic: str) -> Iterator[Message]:
    """Those of all topics that begin so. Raises `SourceLost`."""
    log = McapLog(path)
    try:
        for part in log.parts():
            if isinstance(part, Chunk):
                for message in part.messages:
                    if message.channel.topic.startswith(topic):
                        if len(message.payload) > LARGEST:
                            raise SourceLost(f"{path}: {topic}: {len(message.payload)} bytes")
                        yield message
    finally:
        log.close()


def _map(payload: bytes) -> dict[Any, Any]:
    """Empty for whatever is no map: the comparison will miss it."""
    try:
        # JSON as MQTT has it, the rest CBOR.
        found: object = json.loads(payload) if payload[:1] == b"{" else cbor2.loads(payload)
    except (cbor2.CBORError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
