"""Messages for the tests of sinks, with something in every field."""

import numpy as np

from streamer.types import (
    NS_PER_S,
    ClockCard,
    Embedding,
    Labels,
    Ledger,
    Meta,
    Quality,
    RecordingState,
    RecordingStatus,
    SourceState,
    SourceStatus,
    Span,
    Truth,
    Vector,
)

T_NS = 1_700_000_000 * NS_PER_S


def unit_vector(seed: int, dim: int = 1024) -> Vector:
    vector = np.random.default_rng(seed).standard_normal(dim)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def labels(seed: int = 0, count: int = 8) -> Labels:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(count)).astype(np.float32)
    return Labels(
        set_hash="5e7",
        names=tuple(f"label {i}" for i in range(count)),
        probabilities=probabilities * np.float32(0.9),
        cosines=rng.uniform(-1, 1, count).astype(np.float32),
        none=0.1,
        calibrated=True,
    )


def embedding(
    number: int = 0, *, stream: str = "cam", dim: int = 1024, labelled: bool = False
) -> Embedding:
    """The `number`-th of a stream with a hop of 0.5 s and windows of 2 s."""
    end_ns = T_NS + number * NS_PER_S // 2
    return Embedding(
        stream=stream,
        modality="vision",
        span=Span(end_ns - 2 * NS_PER_S, end_ns),
        vector=unit_vector(number, dim),
        model="imagebind_test",
        quality=Quality(
            coverage=0.96875,
            gaps=1,
            oldest_age_ns=1_990_000_000,
            newest_age_ns=10_000_000,
            late=2,
            dropped={"overload": 3},
            clock=ClockCard("device", 1_000),
        ),
        labels=labels(number) if labelled else None,
        ledger=Ledger(end_ns - 10, end_ns + 100, end_ns + 200, end_ns + 300),
    )


def truth(number: int = 0, *, stream: str = "truth") -> Truth:
    """The `number`-th scene of 8 s."""
    start_ns = T_NS + number * 8 * NS_PER_S
    return Truth(
        stream,
        Span(start_ns, start_ns + 8 * NS_PER_S),
        {"vision": ("a dog barking", "a kettle boiling"), "audio": ("a dog barking",), "imu": ()},
    )


def source_status(state: SourceState = "online", why: str = "") -> SourceStatus:
    return SourceStatus(
        stream="cam",
        modality="vision",
        state=state,
        why=why,
        since_ns=T_NS,
        last_capture_ns=T_NS + 1_000,
        restarts=2,
        dropped={"stale": 4},
    )


def recording_status(state: RecordingState = "recording", why: str = "") -> RecordingStatus:
    return RecordingStatus(
        state=state,
        path="logs/run.1.mcap",
        why=why,
        since_ns=T_NS,
        bytes=123_456,
        chunks=7,
        dropped={"queue": 3},
    )


META = Meta(
    model="imagebind_test",
    model_hash="ab12",
    dim=1024,
    hop_ns=NS_PER_S // 2,
    lengths_ns={"cam": 2 * NS_PER_S},
    streams={"cam": "vision"},
    label_set_hash="5e7",
    clock="host",
)
