"""Pictures of one stream as H.264, in one file: the one part of recording that has a memory."""

from fractions import Fraction
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sources.recording.pictures import Encoded
from sources.recording.video import VideoFrame, VideoStream
from streamer.types import NS_PER_S, Sample, pixels

KEY_NS = NS_PER_S
"""No frame is further than this behind the key frame that it needs."""


class Film:
    """Begins with a key frame: a file, each of its parts and a flight recording have their own.

    Annex B, 4:2:0, no frame ahead of its turn, parameters before each key frame: what
    `foxglove.CompressedVideo` asks for. `quality` 1..100 as that of JPEG.
    """

    def __init__(self, quality: int) -> None:
        self._quality = quality
        self._encoder: Any = None
        self._size = 0, 0
        self._count = 0
        self._key_ns = 0
        self._stream = VideoStream("h264")
        self._last: VideoFrame | None = None

    def frame(self, sample: Sample) -> VideoFrame:
        """The next frame. Video of another log stays as it is from its first key frame on."""
        data = sample.data
        if isinstance(data, VideoFrame) and data.follows(self._last):
            self._last = data
            self._encoder = None
            return data
        self._last = None
        return self._encoded(pixels(sample), sample.t_ns, sample.duration_ns)

    def _encoded(self, picture: NDArray[Any], t_ns: int, duration_ns: int) -> VideoFrame:
        import av
        from av.video.frame import PictureType

        even = _even(picture)
        if self._encoder is None or even.shape[:2] != self._size:
            height, width = self._size = even.shape[:2]
            self._encoder, self._count = _encoder(width, height, self._quality), 0
        # A third of the time that libav takes for it.
        planes = np.asarray(cv2.cvtColor(even, cv2.COLOR_RGB2YUV_I420), np.uint8)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        # A number and not the time: samples may come out of order.
        frame.pts = self._count
        since_ns = t_ns - self._key_ns
        if self._count == 0 or not -KEY_NS < since_ns <= KEY_NS - duration_ns:
            frame.pict_type = PictureType.I
            self._key_ns = t_ns
        else:
            frame.pict_type = PictureType.NONE
        self._count += 1
        payload = b"".join(bytes(packet) for packet in self._encoder.encode(frame))
        made = self._stream.frame(payload)
        if made is None:
            raise ValueError(f"libx264 gave {len(payload)} bytes that are no frame")
        return made


def is_filmed(sample: Sample, pictures: str) -> bool:
    """Whether a sample is kept as video: pictures in colour, where the log is to have them so.

    What is video already stays so, and what is compressed already stays as it is.
    """
    if isinstance(sample.data, VideoFrame):
        return True
    wanted = pictures == "h264" and sample.modality == "vision"
    return wanted and not isinstance(sample.data, Encoded)


def _even(picture: NDArray[Any]) -> NDArray[np.uint8]:
    """4:2:0 has one colour for two by two pixels: the last row or column once more, if need be."""
    height, width = picture.shape[:2]
    if height % 2 or width % 2:
        picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(picture, np.uint8)


def _encoder(width: int, height: int, quality: int) -> Any:
    import av

    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base = Fraction(1, 30)
    encoder.thread_count = 1
    encoder.max_b_frames = 0
    encoder.gop_size = 1 << 16  # key frames are asked for by time
    encoder.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "forced-idr": "1",
        "crf": str(min(51, 14 + round((100 - quality) * 0.4))),
    }
    return encoder
