"""What windows of a GoPro file must give, computed without the project's sources and windows.

Frames and sound are cut by the `ffmpeg` program, inertial readings come from the telemetry dump of
`tests/telemetry.py`, and the model is called directly.
"""

import json
import subprocess
from bisect import bisect_left
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encoders.imagebind.preprocess import audio, pictures
from streamer.types import NS_PER_S, AudioBlock, Span
from tests import telemetry

RATE_HZ = 16_000


class Truth:
    """Model inputs of windows [start_s, end_s), seconds since the file's earliest time stamp."""

    def __init__(self, path: Path, ffmpeg: str, ffprobe: str) -> None:
        self._path, self._ffmpeg = path, ffmpeg
        entries = "format=start_time:frame=pts_time:stream=width,height"
        probed = subprocess.run(
            [ffprobe, "-v", "error", "-select_streams", "v:0", "-show_entries", entries,
             "-of", "json", str(path)],
            capture_output=True, check=True,
        )  # fmt: skip
        told = json.loads(probed.stdout)
        origin = Fraction(told["format"]["start_time"])
        self._frames = [Fraction(frame["pts_time"]) - origin for frame in told["frames"]]
        self._size = (told["streams"][0]["height"], told["streams"][0]["width"], 3)
        self._accl, self._gyro = telemetry.dump(path, ffmpeg, ffprobe)

    def vision(self, start_s: Fraction, end_s: Fraction) -> Tensor:
        """(1, 3, 2, 224, 224): the first and the last frame taken inside."""
        first = bisect_left(self._frames, start_s)
        last = bisect_left(self._frames, end_s) - 1
        return pictures.clip(self._frame(first), self._frame(last))[None]

    def _frame(self, number: int) -> NDArray[np.uint8]:
        raw = self._output(
            "-i", str(self._path), "-map", "0:v:0", "-vf", rf"select=eq(n\,{number})",
            "-frames:v", "1", "-pix_fmt", "rgb24", "-f", "rawvideo", "-",
        )  # fmt: skip
        return np.frombuffer(raw, np.uint8).reshape(self._size)

    def audio(self, start_s: Fraction, end_s: Fraction) -> Tensor:
        """(1, 1, 128, 204): the first channel, resampled by ffmpeg.

        A window at an end of the file is not all there; what there is stays at its place in time.
        """
        first_s = max(start_s, Fraction(0))
        raw = self._output(
            "-i", str(self._path), "-map", "0:a:0",
            "-af", f"atrim={float(first_s)}:{float(end_s)},pan=mono|c0=c0",
            "-ar", str(RATE_HZ), "-f", "f32le", "-",
        )  # fmt: skip
        span = Span(int(start_s * NS_PER_S), int(end_s * NS_PER_S))
        block = AudioBlock(np.frombuffer(raw, "<f4").copy(), RATE_HZ)
        return audio.window([(int(first_s * NS_PER_S), block)], span)[None]

    def imu(self, start_s: Fraction, end_s: Fraction) -> Tensor:
        """(1, 6, 2000): each sensor interpolated by itself at 2000 instants, edges held.

        Only what was read inside the window is known to it.
        """
        grid = np.linspace(float(start_s), float(end_s), 2000, endpoint=False)
        rows: list[NDArray[np.float64]] = []
        for track in (self._accl, self._gyro):
            inside = slice(bisect_left(track.seconds, start_s), bisect_left(track.seconds, end_s))
            seconds = np.array([float(s) for s in track.seconds[inside]])
            values = np.array(track.values[inside])
            rows += [np.interp(grid, seconds, values[:, axis]) for axis in range(3)]
        return torch.from_numpy(np.stack(rows).astype(np.float32))[None]

    def _output(self, *arguments: str) -> bytes:
        command = [self._ffmpeg, "-v", "error", "-nostdin", *arguments]
        return subprocess.run(command, capture_output=True, check=True).stdout
