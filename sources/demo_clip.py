"""A short video with sound, made on the spot: something to run where there is no recording."""

import math
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from sources.epoch import DEFAULT_START, Start
from sources.media.source import Media, MediaStreams
from streamer.protocols import Clock
from streamer.types import Sample, StreamInfo

WIDTH, HEIGHT, FPS, RATE_HZ = 320, 240, 25, 48_000
COLOURS = ((220, 60, 40), (40, 160, 60), (50, 80, 210), (230, 190, 40))
PITCHES_HZ = (440, 660, 550, 880)


class DemoClip(BaseModel):
    """A disc that circles over a striped floor, with a tone; both change every two seconds.

    The clip is encoded to a temporary file, read like any other, and removed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["demo_clip"] = "demo_clip"
    vision: str = "camera"
    audio: str = "microphone"
    seconds: Annotated[int, Field(ge=2, le=600)] = 12
    start: Start = DEFAULT_START

    @property
    def live(self) -> bool:
        return False

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        return StreamInfo(self.vision, "vision"), StreamInfo(self.audio, "audio")

    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncGenerator[AsyncIterator[Sample], None]:
        import asyncio

        with tempfile.TemporaryDirectory(prefix="streamer-") as folder:
            path = Path(folder) / "clip.mp4"
            await asyncio.to_thread(make_clip, path, self.seconds)
            names = MediaStreams(vision=self.vision, audio=self.audio)
            async with Media(path=path, streams=names, start=self.start).open(clock) as samples:
                yield samples


def make_clip(path: Path, seconds: int) -> None:
    """Write the clip: MPEG-4 video and AAC sound, as every build of libav can."""
    import av

    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=FPS)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sound = container.add_stream("aac", rate=RATE_HZ)
        for n in range(seconds * FPS):
            frame = av.VideoFrame.from_ndarray(picture(n / FPS), format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, FPS)
            container.mux(video.encode(frame))
            if n % FPS == 0:
                samples = tone(n // FPS)
                block = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
                block.rate, block.pts = RATE_HZ, n // FPS * RATE_HZ
                block.time_base = Fraction(1, RATE_HZ)
                container.mux(sound.encode(block))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))


def picture(t_s: float) -> NDArray[np.uint8]:
    """The scene at `t_s`: uint8 (240, 320, 3) RGB."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    scene = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    stripes = ((x + y) // 20 % 2).astype(np.uint8)
    scene[:] = (90 + 40 * stripes)[:, :, None]
    across = WIDTH / 2 + 90 * math.cos(2 * math.pi * t_s / 4)
    down = HEIGHT / 2 + 60 * math.sin(2 * math.pi * t_s / 4)
    scene[(x - across) ** 2 + (y - down) ** 2 < 40**2] = COLOURS[int(t_s / 2) % len(COLOURS)]
    return scene


def tone(second: int) -> NDArray[np.float32]:
    """One second of sound: float32 (48000,), without a click at its ends."""
    pitch = PITCHES_HZ[second // 2 % len(PITCHES_HZ)]
    t_s = np.arange(RATE_HZ) / RATE_HZ
    fade = np.minimum(1, np.minimum(t_s, 1 - t_s) * 100)
    return (0.3 * fade * np.sin(2 * np.pi * pitch * t_s)).astype(np.float32)
