"""The nouns that flow through the program. Frozen and slotted; all times are integer nanoseconds.

    sources -> windows -> encoders -> labels, fusion -> sinks
    Sample     Window     Embedding   Embedding          bytes on a topic

Times are nanoseconds since the Unix epoch on the host clock, unless a name says otherwise.
Spans are half-open: an instant t is inside when start_ns <= t < end_ns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Modality: TypeAlias = Literal["vision", "audio", "depth", "thermal", "imu"]
MODALITIES: tuple[Modality, ...] = ("vision", "audio", "depth", "thermal", "imu")

Vector: TypeAlias = NDArray[np.float32]
Counts: TypeAlias = Mapping[str, int]

NS_PER_S = 1_000_000_000


def _nothing() -> Mapping[Any, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open interval of time."""

    start_ns: int
    end_ns: int

    @property
    def length_ns(self) -> int:
        return self.end_ns - self.start_ns


@dataclass(frozen=True, slots=True)
class ClockCard:
    """Which clock stamped a sample, and how far its mapping to the host clock may be off.

    `offset_ns`: host clock minus that clock, 0 where the host stamped.
    """

    domain: str
    error_ns: int
    offset_ns: int = 0


HOST_CLOCK = ClockCard("host", 0)
FILE_CLOCK = ClockCard("file", 0)
"""Stamps that a file carries, put where the run was told that the file starts."""


class Deferred(Protocol):
    """A picture that is decoded when somebody asks for it.

    A vision window needs two of its sixty frames, so frames of files and logs flow undecoded.
    """

    def array(self) -> NDArray[Any]:
        """The pixels, in the shape and unit that `Sample.data` promises for the modality."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class AudioBlock:
    """Consecutive sound samples: float32 (n,), nominally -1..1, one channel."""

    samples: NDArray[np.float32]
    rate_hz: int


@dataclass(frozen=True, slots=True, eq=False)
class ImuBlock:
    """Consecutive inertial readings, each with its own stamp.

    `t_ns` int64 (n,), not decreasing. `values` float32 (n, 6): acceleration x y z in m/s^2 with
    gravity, then angular rate x y z in rad/s.
    """

    t_ns: NDArray[np.int64]
    values: NDArray[np.float32]


Data: TypeAlias = NDArray[Any] | Deferred | AudioBlock | ImuBlock


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One capture of one stream.

    `t_ns` is when it was taken; for audio and IMU, the start of the block. `duration_ns` is how
    long it stands for: one frame period, or the length of the block. Coverage is computed from it.

    `data` by modality: vision uint8 (H, W, 3) RGB; depth float32 (H, W) metres, 0 = no return;
    thermal float32 (H, W) degrees Celsius, or uint8 (H, W) when the camera gives only a picture;
    all three possibly `Deferred`. Audio is an `AudioBlock`, IMU an `ImuBlock`.
    """

    stream: str
    modality: Modality
    t_ns: int
    duration_ns: int
    data: Data
    clock: ClockCard = HOST_CLOCK

    @property
    def end_ns(self) -> int:
        return self.t_ns + self.duration_ns


def pixels(sample: Sample) -> NDArray[Any]:
    """The decoded picture of a vision, depth or thermal sample."""
    data = sample.data
    if isinstance(data, AudioBlock | ImuBlock):
        raise TypeError(f"stream {sample.stream}: {sample.modality} samples hold no picture")
    return data if isinstance(data, np.ndarray) else data.array()


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One modality of one device, as its source declares it before anything is opened."""

    name: str
    modality: Modality


@dataclass(frozen=True, slots=True)
class Quality:
    """What to think of a window: how much of it was there, how old, what was lost.

    `coverage` 0..1 is the share of the span that samples stand for; `gaps` counts the holes at
    least one sample period long. Ages are measured back from the end of the window. `late` and
    `dropped` count the stream's samples since its window before. The last three fields belong to
    fused embeddings: the streams that took part, those that did not with the cause, and the
    length of the weighted mean of unit vectors (1 = the senses agree, 0 = they cancel).
    """

    coverage: float
    gaps: int = 0
    oldest_age_ns: int = 0
    newest_age_ns: int = 0
    late: int = 0
    dropped: Counts = field(default_factory=_nothing)
    clock: ClockCard = HOST_CLOCK
    contributors: tuple[str, ...] = ()
    absent: Mapping[str, str] = field(default_factory=_nothing)
    agreement: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The samples of one stream inside one span, oldest first, blocks cut to the span exactly."""

    stream: str
    modality: Modality
    span: Span
    samples: tuple[Sample, ...]
    quality: Quality


@dataclass(frozen=True, slots=True)
class Truth:
    """What there really was to perceive during a span, by modality: names of concepts.

    Comes from a simulator or from hand-made labels, never from a model. A modality that could
    perceive nothing of note has an empty tuple.
    """

    stream: str
    span: Span
    present: Mapping[Modality, tuple[str, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """Windows of several modalities that end together, and what is known about them.

    What training and evaluation are made of. `captions` are wordings that each describe the
    moment, for binding text to pictures; `present` is the truth, for scoring only.
    """

    windows: Mapping[Modality, Window]
    captions: tuple[str, ...] = ()
    present: Mapping[Modality, tuple[str, ...]] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True, eq=False)
class Tick:
    """All streams' windows that end at one instant of the grid.

    A stream without a usable window is a tombstone in `absent`, with its cause: `empty`,
    `coverage` (less than the configured minimum) or `ended`. `closed_ns` is when the last of the
    streams' watermarks passed `end_ns`, on the run's clock.
    """

    end_ns: int
    windows: tuple[Window, ...]
    absent: Mapping[str, str]
    closed_ns: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """When each stage was done with an embedding: the latency of every message, stage by stage.

    `capture_ns` is the end of the newest sample, `closed_ns` when the tick's windows closed,
    then encoding and publishing. All on the run's clock; 0 = not reached yet.
    """

    capture_ns: int
    closed_ns: int
    encode_started_ns: int = 0
    encoded_ns: int = 0
    published_ns: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Zero-shot scores of one embedding against one label set, in the set's order.

    `probabilities` float32 (K,) sum to 1 - `none`; `cosines` float32 (K,) are raw. `none` is the
    probability of "none of these", or None where no threshold was set for it. `calibrated` is true
    only when the temperature was fitted for this model and label set.
    """

    set_hash: str
    names: tuple[str, ...]
    probabilities: NDArray[np.float32]
    cosines: NDArray[np.float32]
    none: float | None
    calibrated: bool


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """One unit vector of the shared space: float32 (D,). `modality` "fused" joins the others."""

    stream: str
    modality: Modality | Literal["fused"]
    span: Span
    vector: Vector
    model: str
    quality: Quality
    labels: Labels | None
    ledger: Ledger


SourceState: TypeAlias = Literal["online", "stalled", "offline"]


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """The state of one stream. `last_capture_ns` 0 = nothing yet."""

    stream: str
    modality: Modality
    state: SourceState
    why: str = ""
    since_ns: int = 0
    last_capture_ns: int = 0
    restarts: int = 0
    dropped: Counts = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class Condition:
    """What a source says of one of its streams when it changes, among the samples.

    A microphone that delivers nothing but zeros is `stalled`, though blocks keep coming.
    """

    stream: str
    state: Literal["online", "stalled"]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Meta:
    """What a subscriber must know to read the embeddings; retained on the broker."""

    model: str
    model_hash: str
    dim: int
    hop_ns: int
    lengths_ns: Mapping[str, int]
    streams: Mapping[str, str]
    label_set_hash: str
    clock: str


@dataclass(frozen=True, slots=True)
class Health:
    """A periodic report: JSON-ready numbers only, so that it goes on the wire as it is."""

    t_ns: int
    report: Mapping[str, Any]


RecordingState: TypeAlias = Literal["armed", "recording", "failed", "closed"]


@dataclass(frozen=True, slots=True)
class RecordingStatus:
    """What becomes of the file in which a run is recorded.

    `path` is the newest file of it, "" where a flight recorder has written none yet.
    `since_ns`: when this state began, on the run's clock. `bytes` and `chunks` reached the disk so
    far, in all files; `dropped` is what they should hold and do not, by cause.
    """

    state: RecordingState
    path: str
    why: str = ""
    since_ns: int = 0
    bytes: int = 0
    chunks: int = 0
    dropped: Counts = field(default_factory=_nothing)


Message: TypeAlias = Embedding | Truth | SourceStatus | RecordingStatus | Meta | Health
