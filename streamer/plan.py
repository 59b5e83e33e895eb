"""What a run does, in numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from streamer.types import NS_PER_S


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does, all times in nanoseconds. `lengths_ns` and `weights` are by modality."""

    hop_ns: int
    lengths_ns: Mapping[str, int]
    lateness_ns: int
    idle_ns: int
    min_coverage: float
    weights: Mapping[str, float] = field(default_factory=dict[str, float])
    fused: bool = True
    fused_labels: bool = True
    """False where modalities are scored against different label sets, which have no sum."""
    health_ns: int = 5 * NS_PER_S
    drain_s: float = 20.0
    """How long a stopped run waits for an encoder or a sink that makes no progress."""
