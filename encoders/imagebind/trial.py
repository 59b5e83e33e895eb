"""An encoder tried out: loaded, and made to encode windows of noise."""

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from encoders.imagebind.runtime import ImageBindEncoder
from streamer.errors import EncoderFailed
from streamer.types import (
    NS_PER_S,
    AudioBlock,
    Data,
    ImuBlock,
    Modality,
    Quality,
    Sample,
    Span,
    Window,
)

_AUDIO_HZ, _IMU_HZ = 16_000, 200
_HEIGHT, _WIDTH = 480, 640
_TEXTS = ("a dog barking", "an empty kitchen")
_SAME = 1 - 1e-6


@dataclass(frozen=True, slots=True)
class Trial:
    """`seconds` of one window by modality, its preprocessing included; of one text where asked."""

    load_s: float
    seconds: Mapping[Modality, float]
    text_s: float | None


def attempt(encoder: ImageBindEncoder, lengths_ns: Mapping[Modality, int], *, text: bool) -> Trial:
    """Load `encoder` and encode two windows of noise of each modality, the second one timed.

    `lengths_ns` of a window, of each modality that is wanted. Raises `EncoderFailed` when it
    cannot be loaded, or gives vectors that are not finite, not of unit length, or all the same.
    """
    started = perf_counter()
    seconds: dict[Modality, float] = {}
    text_s = None
    try:
        with encoder.open(list(lengths_ns), text=text) as opened:
            load_s = perf_counter() - started
            for modality, length_ns in lengths_ns.items():
                rng = np.random.default_rng(0)
                first = opened.encode([noise(modality, length_ns, rng)])
                window = noise(modality, length_ns, rng)
                started = perf_counter()
                second = opened.encode([window])
                seconds[modality] = perf_counter() - started
                check(modality, first[0], second[0])
            if text:
                one = opened.text(_TEXTS[:1])
                started = perf_counter()
                other = opened.text(_TEXTS[1:])
                text_s = perf_counter() - started
                check("text", one[0], other[0])
    except RuntimeError as error:
        # Out of memory, or a GPU that torch was not built for.
        first_line = (str(error) or type(error).__name__).splitlines()[0]
        raise EncoderFailed(f"encoder: {first_line}") from error
    return Trial(load_s, seconds, text_s)


def check(what: str, one: NDArray[np.float32], other: NDArray[np.float32]) -> None:
    """Raises `EncoderFailed` unless both are unit vectors and differ."""
    for vector in (one, other):
        length = float(np.linalg.norm(vector))
        # Written so that NaN fails too.
        if not abs(length - 1) < 1e-3:
            raise EncoderFailed(f"{what}: expected a unit vector, got one of length {length:.4g}")
    if float(one @ other) > _SAME:
        raise EncoderFailed(f"{what}: expected different inputs to differ, got the same vector")


def noise(modality: Modality, length_ns: int, rng: Generator) -> Window:
    """A full window: two pictures, or one block."""
    at = (0, length_ns // 2) if modality in {"vision", "depth", "thermal"} else (0,)
    samples = tuple(
        Sample(modality, modality, t_ns, length_ns // len(at), _data(modality, length_ns, rng))
        for t_ns in at
    )
    return Window(modality, modality, Span(0, length_ns), samples, Quality(1.0))


def _data(modality: Modality, length_ns: int, rng: Generator) -> Data:
    match modality:
        case "vision":
            return rng.integers(0, 256, (_HEIGHT, _WIDTH, 3), np.uint8)
        case "audio":
            count = max(1, length_ns * _AUDIO_HZ // NS_PER_S)
            return AudioBlock(rng.normal(0, 0.1, count).astype(np.float32), _AUDIO_HZ)
        case "depth":
            return rng.uniform(0.5, 8, (_HEIGHT, _WIDTH)).astype(np.float32)
        case "thermal":
            return rng.uniform(10, 35, (_HEIGHT, _WIDTH)).astype(np.float32)
        case "imu":
            count = max(2, length_ns * _IMU_HZ // NS_PER_S)
            t_ns = np.linspace(0, length_ns, count, endpoint=False).astype(np.int64)
            values = rng.normal(0, 1, (count, 6)).astype(np.float32)
            values[:, 2] += 9.81
            return ImuBlock(t_ns, values)
