"""Small media files made with PyAV, so that readers are tested where no recordings are."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
from av import AudioFrame, AudioStream, VideoFrame, VideoStream
from numpy.typing import NDArray

WIDTH, HEIGHT = 64, 48


def write_video(
    path: Path,
    stamps: Sequence[int],
    time_base: Fraction = Fraction(1, 1000),
    codec: str = "ffv1",
    corner: bool = False,
) -> None:
    """Pictures whose grey level tells their number, at the given stamps; with a mark in the top
    left corner, if asked."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = WIDTH, HEIGHT
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = time_base
        for number, pts in enumerate(stamps):
            pixels = np.full((HEIGHT, WIDTH, 3), 16 + 8 * number % 200, np.uint8)
            if corner:
                pixels[:16, :32] = (250, 20, 20)
            frame = VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = pts, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def tone(count: int, rate: int, hz: float) -> NDArray[np.int16]:
    """int16 (n,): a sine of half the full scale."""
    return (np.sin(2 * np.pi * hz * np.arange(count) / rate) * 16384).astype(np.int16)


Part: TypeAlias = tuple[int, NDArray[np.int16]]
"""A stamp in samples, and the mono sound that starts there."""


def write_audio(path: Path, tracks: Iterable[tuple[str, int, Sequence[Part]]]) -> None:
    """Tracks of (codec, rate, parts). Stereo: left carries the sound, right its negative."""
    with av.open(str(path), "w") as container:
        jobs: list[tuple[AudioStream, Sequence[Part]]] = []
        for codec, rate, parts in tracks:
            stream = container.add_stream(codec, rate=rate)
            assert isinstance(stream, AudioStream)
            stream.layout = "stereo"
            jobs.append((stream, parts))
        for stream, parts in jobs:
            rate = stream.codec_context.sample_rate
            for start, sound in parts:
                stereo = np.stack([sound, -sound], axis=1).reshape(1, -1)
                frame = AudioFrame.from_ndarray(stereo, format="s16", layout="stereo")
                frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
                frame.pts = start
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
