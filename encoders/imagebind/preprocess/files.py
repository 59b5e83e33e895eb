"""From picture and sound files to the arrays that the other modules take.

Files are untrusted: size, pixels and duration are bounded before anything is decoded.
"""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoders.imagebind.preprocess.audio import is_sound
from streamer.errors import SourceLost

LARGEST_FILE = 64 << 20
MOST_PIXELS = 1 << 26
LONGEST_SOUND_S = 600


def picture(path: Path) -> NDArray[np.uint8]:
    """RGB uint8 (H, W, 3), turned upright where EXIF says so.

    Raises `SourceLost` for files over 64 MiB, pictures over 2^26 pixels, and damaged ones.
    """
    # Not FFmpeg's decoder: its colours of a JPEG differ by more than the golden pictures allow.
    import cv2

    data = _bytes(path, "a picture")
    # But its probe: OpenCV has no way to ask for the size before it allocates.
    width, height = _size(path, data)
    if not 1 <= width * height <= MOST_PIXELS:
        raise SourceLost(
            f"{path}: expected a picture of 1 to {MOST_PIXELS} pixels, got {width} x {height}"
        )
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise SourceLost(f"{path}: expected a picture, got a damaged one or an unknown format")
    return np.ascontiguousarray(bgr[..., ::-1], dtype=np.uint8)


def sound(path: Path) -> tuple[NDArray[np.float32], int]:
    """The first channel of the first audio track, float32 (n,) in -1..1, and its rate.

    The first channel, not a mix, because the reference takes it. Raises `SourceLost` for files
    without sound, with more than ten minutes of it, and damaged ones.
    """
    import av
    from av.error import FFmpegError

    pieces: list[NDArray[np.float32]] = []
    size = 0
    try:
        with av.open(io.BytesIO(_bytes(path, "a sound file")), mode="r") as file:
            if not file.streams.audio:
                raise SourceLost(f"{path}: expected an audio track, found none")
            track = file.streams.audio[0]
            rate_hz = int(track.rate)
            planar = av.AudioResampler(format="fltp")
            for frame in file.decode(track):
                size += frame.samples
                if size > LONGEST_SOUND_S * rate_hz:
                    raise SourceLost(f"{path}: expected at most {LONGEST_SOUND_S} s of sound")
                pieces += [part.to_ndarray()[0] for part in planar.resample(frame)]
    # ValueError: the track changes its layout or rate on the way.
    except (FFmpegError, ValueError) as error:
        raise SourceLost(f"{path}: expected a sound file: {error}") from None
    if not size:
        raise SourceLost(f"{path}: expected sound, the audio track is empty")
    samples = np.concatenate(pieces)
    return np.where(is_sound(samples), samples, 0).astype(np.float32), rate_hz


def _bytes(path: Path, what: str) -> bytes:
    if not path.is_file():
        raise SourceLost(f"{path}: expected {what}, there is no such file")
    if not 1 <= path.stat().st_size <= LARGEST_FILE:
        raise SourceLost(
            f"{path}: expected {what} of 1 byte to {LARGEST_FILE >> 20} MiB,"
            f" got {path.stat().st_size} bytes"
        )
    return path.read_bytes()


def _size(path: Path, data: bytes) -> tuple[int, int]:
    """Width and height as the file's header says."""
    import av
    from av.error import FFmpegError

    try:
        # From memory, so that a playlist posing as a picture opens no other file or address.
        with av.open(io.BytesIO(data), mode="r") as file:
            if file.streams.video:
                return file.streams.video[0].width, file.streams.video[0].height
    except FFmpegError as error:
        raise SourceLost(f"{path}: expected a picture: {error.strerror}") from None
    raise SourceLost(f"{path}: expected a picture, found none")
