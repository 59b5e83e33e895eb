"""Digests of a replay in a file: JSON, one object a line, so that no file needs to fit in memory.

{"v": 1, "kind": "streamer.digests", "plan": {...}, "model": ..., "model_hash": ...}
{"end": <ns>, "windows": {"camera": "<32 hex digits>", ...}}             a line for each tick
{"end": <ns>, "stream": "camera", "e": "<base64 of float16>"}            for each embedding
{"ticks": 118, "windows": "<64 hex digits>"}                             last
"""

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from sources.recording.about import plan_of, plan_told
from sources.recording.digest import RunningDigest, TickDigest
from streamer.cli.replay.compare import Stored
from streamer.errors import ConfigError
from streamer.plan import Plan
from streamer.protocols import OpenEncoder
from streamer.types import Embedding, Vector

KIND = "streamer.digests"
VERSION = 1
LONGEST_LINE = 1 << 20


class DigestWriter:
    """Into a new file. Raises OSError."""

    def __init__(self, file: TextIO, plan: Plan, encoder: OpenEncoder) -> None:
        self._file = file
        head = {"v": VERSION, "kind": KIND, "plan": plan_told(plan)}
        self._write(head | {"model": encoder.name, "model_hash": encoder.hash})

    def tick(self, tick: TickDigest) -> None:
        self._write({"end": tick.end_ns, "windows": dict(tick.windows)})

    def embedding(self, embedding: Embedding) -> None:
        packed = base64.b64encode(embedding.vector.astype("<f2").tobytes()).decode()
        self._write({"end": embedding.span.end_ns, "stream": embedding.stream, "e": packed})

    def finish(self, running: RunningDigest) -> None:
        self._write({"ticks": running.ticks, "windows": running.hexdigest()})

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")


@dataclass(frozen=True, slots=True)
class DigestFile:
    """A file that `DigestWriter` wrote; untrusted. Raises `ConfigError`."""

    path: Path
    plan: Plan
    model_hash: str
    summary: dict[str, str]
    embeddings: int

    def windows(self) -> Iterator[TickDigest]:
        for line in _lines(self.path):
            found = line.get("windows")
            if "end" in line and isinstance(found, dict):
                yield TickDigest(
                    _int(self.path, line["end"]), {str(s): str(d) for s, d in found.items()}
                )

    def embeddings_of(self) -> Iterator[Stored]:
        for line in _lines(self.path):
            if "e" in line:
                yield Stored(
                    _int(self.path, line.get("end")), str(line.get("stream")), _vector(line["e"])
                )


def open_digests(path: Path) -> DigestFile:
    """Looks at all of it once. Raises `ConfigError`."""
    lines = _lines(path)
    head = next(lines, {})
    if head.get("kind") != KIND or head.get("v") != VERSION:
        raise ConfigError(f"{path}: expected digests that `streamer replay --digests` wrote")
    try:
        plan = plan_of(head.get("plan"))
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None
    embeddings, last = 0, head
    for line in lines:
        embeddings += "e" in line
        last = line
    if not (isinstance(last.get("windows"), str) and "ticks" in last):
        raise ConfigError(f"{path}: cut off: the digest of all windows, its last line, is missing")
    summary = {"windows": str(last["windows"]), "ticks": str(last["ticks"])}
    return DigestFile(path, plan, str(head.get("model_hash", "")), summary, embeddings)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8") as file:
            number = 0
            while text := file.readline(LONGEST_LINE):
                number += 1
                line: object = json.loads(text) if len(text) < LONGEST_LINE else None
                if not isinstance(line, dict):
                    raise ConfigError(f"{path}:{number}: expected a JSON object in one line")
                yield line
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise ConfigError(f"{path}: expected JSON, one object a line") from None


def _int(path: Path, number: object) -> int:
    if not isinstance(number, int):
        raise ConfigError(f"{path}: end: expected nanoseconds, got {str(number)[:40]!r}")
    return number


def _vector(text: object) -> Vector | None:
    try:
        packed = base64.b64decode(str(text), validate=True)
        vector = np.frombuffer(packed, "<f2").astype(np.float32)
    except (binascii.Error, ValueError):
        return None
    length = float(np.linalg.norm(vector))
    return vector / np.float32(length) if 0.9 < length < 1.1 else None
