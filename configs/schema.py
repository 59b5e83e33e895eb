"""The configuration of a run: the one module that knows every adapter.

YAML in, frozen models out. A typo reads `sources.0.camera.fps: Extra inputs are not permitted`.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from configs.flight import MqttTrigger
from configs.record import Record
from encoders.imagebind.runtime import ImageBindEncoder
from encoders.noop import NoopEncoder
from encoders.zeroshot import TEMPERATURES
from sinks.jsonl import JsonlSink
from sinks.memory import MemorySink
from sinks.mqtt.sink import MqttSink
from sinks.wire.topics import check_level
from sources.camera.source import Camera
from sources.demo_clip import DemoClip
from sources.imu.iio import Iio
from sources.imu.serial_lines import SerialLines
from sources.imu_csv import ImuCsv
from sources.media.source import Media
from sources.microphone import Microphone
from sources.pictures import Pictures
from sources.realsense import RealSense
from sources.replay.source import Replay
from sources.synthetic import SyntheticSource
from sources.thermal.camera import Thermal
from sources.thermal.cptv import Cptv
from sources.world.source import World
from streamer.fusion import FUSED
from streamer.plan import Plan
from streamer.protocols import Source
from streamer.types import NS_PER_S, Modality


def _weight(weight: float) -> float:
    if 0 < weight < 1e-6:
        raise ValueError(f"expected 0 or at least 1e-6, got {weight}")
    return weight


Seconds = Annotated[float, Field(ge=0.001, le=3600)]
Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, le=1000), AfterValidator(_weight)]

SourceConfig = Annotated[
    DemoClip
    | Media
    | Pictures
    | ImuCsv
    | Replay
    | SyntheticSource
    | World
    | Camera
    | Microphone
    | RealSense
    | Thermal
    | Cptv
    | Iio
    | SerialLines,
    Field(discriminator="kind"),
]
EncoderConfig = Annotated[ImageBindEncoder | NoopEncoder, Field(discriminator="kind")]
SinkConfig = Annotated[MqttSink | JsonlSink | MemorySink, Field(discriminator="kind")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Lengths(Strict):
    """Seconds of each modality's windows. The published weights expect 2, and 5 for the IMU."""

    vision: Seconds = 2.0
    audio: Seconds = 2.0
    depth: Seconds = 2.0
    thermal: Seconds = 2.0
    imu: Seconds = 5.0


class Windows(Strict):
    """The grid and when a window on it closes, in seconds.

    `idle_s`: after this much silence a live stream holds the others no longer (default: the hop).
    """

    length_s: Lengths = Field(default_factory=Lengths)
    hop_s: Seconds = 0.5
    lateness_s: Annotated[float, Field(ge=0, le=60)] = 0.1
    idle_s: Seconds | None = None
    min_coverage: Share = 0.5

    @model_validator(mode="after")
    def _hop_is_whole(self) -> "Windows":
        if abs(self.hop_s * 1e3 - round(self.hop_s * 1e3)) > 1e-9:
            raise ValueError(f"hop_s: expected whole milliseconds, got {self.hop_s}")
        return self


class LabelSets(Strict):
    """Zero-shot labels. A set is the name of a built-in one or the path of a text file.

    `set` serves every modality that `sets` does not name; only a set that all modalities share
    gives a fused label. `temperatures` and `none_below` (a cosine) replace the defaults.
    """

    set: str = "indoor"
    sets: Mapping[Modality, str] = Field(default_factory=dict[Modality, str])
    temperatures: Mapping[Modality, Annotated[float, Field(gt=0, le=10)]] = Field(
        default_factory=dict[Modality, float]
    )
    none_below: Mapping[Modality, Annotated[float, Field(ge=-1, le=1)]] = Field(
        default_factory=dict[Modality, float]
    )

    def name_for(self, modality: Modality) -> str:
        return self.sets.get(modality, self.set)


class Fusion(Strict):
    """The joint embedding; weights by modality, 1 where none is given, 0 leaves it out."""

    enabled: bool = True
    weights: Mapping[Modality, Weight] = Field(default_factory=dict[Modality, float])


class RunConfig(Strict):
    """Everything that `streamer run` needs."""

    sources: tuple[SourceConfig, ...]
    encoder: EncoderConfig
    windows: Windows = Field(default_factory=Windows)
    labels: LabelSets | Literal[False] = Field(default_factory=LabelSets)
    fusion: Fusion = Field(default_factory=Fusion)
    sinks: tuple[SinkConfig, ...] = ()
    health_s: Seconds = 5.0
    record: Record | None = None

    @model_validator(mode="after")
    def _flight_can_be_recorded(self) -> "RunConfig":
        flight = self.record.flight if self.record else None
        if flight is None:
            return self
        if not self.live:
            # Its seconds are those of the run's clock, and a file gives an hour in a minute.
            raise ValueError("record.flight: expected live sources, got files")
        wants = any(isinstance(trigger, MqttTrigger) for trigger in flight.triggers)
        if wants and not any(isinstance(sink, MqttSink) for sink in self.sinks):
            raise ValueError(
                "record.flight: kind mqtt needs a sink of kind mqtt, whose broker it is"
            )
        return self

    @model_validator(mode="after")
    def _streams_are_there_and_unique(self) -> "RunConfig":
        if not self.sources:
            raise ValueError(
                "sources: expected at least one; `streamer devices` finds what is plugged in"
            )
        for source in self.sources:
            for name in _names(source):
                # They become levels of topics, and a "#" there would be found out by the broker.
                try:
                    check_level(name)
                except ValueError as error:
                    raise ValueError(f"sources: stream name {error}") from None
                if name == FUSED:
                    raise ValueError(f"sources: {FUSED} names the joint embedding, not a stream")
        names = Counter(name for source in self.sources for name in _names(source))
        twice = sorted(name for name, count in names.items() if count > 1)
        if twice:
            raise ValueError(f"sources: stream names must be unique, got {', '.join(twice)} twice")
        if len({source.live for source in self.sources}) > 1:
            # A file gives in a second what a sensor gives in a minute; they have no time in common.
            raise ValueError("sources: expected files or live streams, got both")
        return self

    @property
    def modalities(self) -> frozenset[Modality]:
        return frozenset(info.modality for source in self.sources for info in source.streams)

    @property
    def live(self) -> bool:
        return any(source.live for source in self.sources)

    @property
    def label_set_names(self) -> dict[Modality, str]:
        """The label set of each modality in use; empty without labels."""
        if not self.labels:
            return {}
        return {modality: self.labels.name_for(modality) for modality in sorted(self.modalities)}

    def temperature(self, modality: Modality) -> float:
        """The configured one, or the default of the tower that the modality goes through."""
        if self.labels and modality in self.labels.temperatures:
            return self.labels.temperatures[modality]
        through_vision = (
            modality == "thermal"
            and isinstance(self.encoder, ImageBindEncoder)
            and self.encoder.tower(modality) == "vision"
        )
        return TEMPERATURES["vision" if through_vision else modality]

    def plan(self) -> Plan:
        windows = self.windows
        idle_s = windows.idle_s if windows.idle_s is not None else windows.hop_s
        return Plan(
            hop_ns=_ns(windows.hop_s),
            lengths_ns={name: _ns(s) for name, s in windows.length_s.model_dump().items()},
            lateness_ns=_ns(windows.lateness_s),
            idle_ns=_ns(idle_s),
            min_coverage=windows.min_coverage,
            weights={str(m): weight for m, weight in self.fusion.weights.items()},
            fused=self.fusion.enabled,
            fused_labels=len(set(self.label_set_names.values())) < 2,
            health_ns=_ns(self.health_s),
        )


def _names(source: Source) -> list[str]:
    """The streams of a source, and that of its truth where it has one."""
    truth: str | None = getattr(source, "truth", None)
    return [*(info.name for info in source.streams), *([] if truth is None else [truth])]


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)
