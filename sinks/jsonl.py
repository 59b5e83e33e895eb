"""Messages as JSON, one object a line, into a file or onto standard output.

A line is the JSON message of `docs/reference/wire.md` with its `topic` (without prefix and robot)
in front. Embeddings, which MQTT carries as CBOR, have the same keys here, times in microseconds
and the vector as a list of numbers.
"""

import json
import sys
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Literal

from pydantic import BaseModel, ConfigDict, Field

from sinks.wire.reports import encode_embedding_json
from sinks.wire.session import Session
from sinks.wire.topics import Topics
from streamer.channels import Account
from streamer.errors import ConfigError, SinkLost
from streamer.protocols import Clock
from streamer.types import Message


class OpenJsonl:
    """Written and flushed line by line, so that a reader sees each at once."""

    def __init__(self, stream: IO[str], session: Session, clock: Clock) -> None:
        self.account = Account()
        self._stream = stream
        self._session = session
        self._clock = clock
        self._root = f"{session.topics.root}/"

    async def publish(self, message: Message) -> None:
        """Raises `SinkLost` if a line cannot be written, for example on a full disk."""
        try:
            drafts = self._session.drafts(message)
        except ValueError:
            self.account.produced += 1
            self.account.drop("invalid")
            return
        for draft in drafts:
            self.account.produced += 1
            topic = json.dumps(draft.topic.removeprefix(self._root), ensure_ascii=False)
            text = draft.body.stamped(self._clock.now_ns()).decode()
            try:
                self._stream.write(f'{{"topic":{topic},{text[1:]}\n')
                self._stream.flush()
            except OSError as error:
                self.account.drop("lost")
                raise SinkLost(f"jsonl: cannot write: {error.strerror}") from None
            self.account.delivered += 1

    def report(self) -> dict[str, object]:
        return self.account.report()


class JsonlSink(BaseModel):
    """`path` "-" is standard output. A file that exists is an error unless `append` is set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["jsonl"] = "jsonl"
    path: Path
    append: bool = False
    vectors: bool = True
    top_k: int | None = Field(default=None, ge=1)

    @asynccontextmanager
    async def open(self, clock: Clock, *, lossless: bool = False) -> AsyncGenerator[OpenJsonl]:
        """Raises `ConfigError` if the file cannot be made."""
        session = Session(
            Topics("jsonl", "file"),
            uuid.uuid4().hex[:16],
            dtype="float32",
            top_k=self.top_k,
            lossless=lossless,
            encode=partial(encode_embedding_json, vectors=self.vectors),
        )
        if self.path == Path("-"):
            yield OpenJsonl(sys.stdout, session, clock)
            return
        stream = self._file()
        try:
            yield OpenJsonl(stream, session, clock)
        finally:
            # On a full disk what is buffered cannot be written now either, and that has been told.
            with suppress(OSError):
                stream.close()

    def _file(self) -> IO[str]:
        if not self.path.parent.is_dir():
            raise ConfigError(f"path: no such folder: {self.path.parent}")
        try:
            return self.path.open("a" if self.append else "x", encoding="utf-8")
        except FileExistsError:
            raise ConfigError(f"path: {self.path} exists; `append: true` adds to it") from None
        except OSError as error:
            raise ConfigError(f"path: cannot write {self.path}: {error.strerror}") from None
