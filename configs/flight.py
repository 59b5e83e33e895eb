"""The `flight` part of `record`: nothing is written until there is a reason."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from sinks.triggers.label import LabelTrigger
from sources.recording.flight import Bounds
from streamer.types import NS_PER_S

Seconds = Annotated[float, Field(ge=0, le=3600)]
Megabytes = Annotated[float, Field(ge=0, le=1e9)]


class MqttTrigger(BaseModel):
    """Any message on `<prefix>/v1/<robot>/recording/trigger` of the run's broker; its text says
    why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["mqtt"] = "mqtt"


class SignalTrigger(BaseModel):
    """A signal to the process of the run. Without this trigger it would end it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["signal"] = "signal"
    signal: Literal["SIGUSR1", "SIGUSR2"] = "SIGUSR1"


TriggerConfig = Annotated[LabelTrigger | MqttTrigger | SignalTrigger, Field(discriminator="kind")]


class FlightRecorder(BaseModel):
    """The last `before_s` are kept in memory, compressed, in at most `ring_mb`.

    A trigger writes them, and what comes in the `after_s` behind it. Triggers meanwhile put the end
    off, up to `longest_s` behind the first. No file is begun, and none goes on, where the files of
    that name together take more than `most_mb`, or less than `free_mb` of the disk are free.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    triggers: Annotated[tuple[TriggerConfig, ...], Field(min_length=1)]
    before_s: Seconds = 30
    after_s: Seconds = 10
    longest_s: Annotated[float, Field(ge=1, le=86_400)] = 600
    ring_mb: Annotated[float, Field(ge=1, le=65_536)] = 256
    most_mb: Megabytes = 4096
    free_mb: Megabytes = 512

    @property
    def bounds(self) -> Bounds:
        return Bounds(
            before_ns=round(self.before_s * NS_PER_S),
            after_ns=round(self.after_s * NS_PER_S),
            longest_ns=round(self.longest_s * NS_PER_S),
            ring_bytes=round(self.ring_mb * (1 << 20)),
        )
