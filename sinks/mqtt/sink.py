"""Embeddings, labels and states on an MQTT broker."""

import asyncio
import os
import ssl
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sinks.wire.session import Draft, Session
from sinks.wire.topics import TopicLevel, TopicPrefix, Topics
from sinks.wire.vectors import Dtype
from streamer.channels import Outbox
from streamer.errors import ConfigError
from streamer.protocols import Clock

if TYPE_CHECKING:
    from sinks.mqtt.link import Endpoint
    from sinks.mqtt.sender import Sender


class Tls(BaseModel):
    """Certificates: `ca` to check the broker (the system's if absent), `cert` and `key` to show."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    @model_validator(mode="after")
    def _pair(self) -> "Tls":
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key go together")
        return self

    def context(self) -> ssl.SSLContext:
        """Raises `ConfigError` for a file that is missing or is no certificate."""
        for name, path in (("ca", self.ca), ("cert", self.cert), ("key", self.key)):
            if path is not None and not path.is_file():
                raise ConfigError(f"tls.{name}: no such file: {path}")
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except ssl.SSLError as error:
            raise ConfigError(f"tls.ca: expected PEM certificates: {error}") from None
        if self.cert is not None:
            try:
                context.load_cert_chain(self.cert, self.key)
            except ssl.SSLError as error:
                raise ConfigError(f"tls.cert: no pair with tls.key: {error}") from None
        return context


class MqttSink(BaseModel):
    """`broker: embedded` starts a broker on loopback, at `port`, for the time of the run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["mqtt"] = "mqtt"
    broker: Literal["external", "embedded"] = "external"
    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=1883, ge=0, le=65_535)
    prefix: TopicPrefix = "streamer"
    robot: TopicLevel = "robot"
    user: str | None = None
    password_env: str | None = None
    tls: Tls | None = None
    protocol: Literal[5, "3.1.1"] = 5
    keepalive_s: int = Field(default=5, ge=1, le=3600)
    timeout_s: float = Field(default=2.0, gt=0, le=60)
    dtype: Dtype = "float16"
    top_k: Annotated[int, Field(ge=1)] | None = 5
    outbox_bytes: int = Field(default=8 * 1024 * 1024, ge=64 * 1024)
    outbox_items: int = Field(default=4096, ge=16)
    drain_s: float = Field(default=5.0, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> "MqttSink":
        if self.broker == "embedded":
            if self.tls or self.user or self.password_env or self.host != "127.0.0.1":
                raise ValueError("the embedded broker takes no host, user, password_env or tls")
        elif self.port == 0:
            raise ValueError("port 0 (any free one) needs broker: embedded")
        if self.password_env is not None and self.user is None:
            raise ValueError("password_env needs user")
        return self

    @property
    def topics(self) -> Topics:
        return Topics(self.prefix, self.robot)

    async def endpoint(self) -> "Endpoint":
        """Where the broker is, with the secrets. Raises `ConfigError` where they are missing."""
        from sinks.mqtt.link import Endpoint

        return Endpoint(
            self.host,
            self.port,
            self.protocol,
            self.user,
            self._password(),
            # Reads the system's certificates from disk.
            await asyncio.to_thread(self.tls.context) if self.tls else None,
            self.timeout_s,
            self.keepalive_s,
        )

    @asynccontextmanager
    async def reached(self) -> AsyncGenerator["Endpoint"]:
        """Where the broker is; an embedded one runs meanwhile.

        An external one need not be there. Raises `ConfigError`, and `SinkLost` where an embedded
        one cannot start.
        """
        endpoint = await self.endpoint()
        if self.broker == "external":
            yield endpoint
            return
        from sinks.mqtt.broker import embedded, find_mosquitto

        async with embedded(endpoint, find_mosquitto()) as started:
            yield started

    @asynccontextmanager
    async def open(self, clock: Clock, *, lossless: bool = False) -> AsyncGenerator["Sender"]:
        """An open sink; the broker need not be there yet. On leaving, drains and says offline."""
        from sinks.mqtt.sender import Sender

        async with self.reached() as endpoint:
            session = Session(
                self.topics,
                uuid.uuid4().hex[:16],
                dtype=self.dtype,
                top_k=self.top_k,
                lossless=lossless,
            )
            outbox: Outbox[Draft] = Outbox(self.outbox_bytes, self.outbox_items, lossless=lossless)
            sender = Sender(endpoint, session, outbox, clock, lossless=lossless)
            try:
                async with asyncio.TaskGroup() as group:
                    running = group.create_task(sender.run(), name=f"mqtt {endpoint}")
                    try:
                        yield sender
                        await sender.drain(self.drain_s)
                    finally:
                        await sender.leave()
                        running.cancel()
            except BaseExceptionGroup as errors:
                # One error is told as itself, whether it was the run's or a bug of the sender.
                raise errors.exceptions[0] if len(errors.exceptions) == 1 else errors from None
            finally:
                sender.close_account()

    def _password(self) -> str | None:
        if self.password_env is None:
            return None
        if (password := os.environ.get(self.password_env)) is None:
            raise ConfigError(f"password_env: the environment has no {self.password_env}")
        return password
