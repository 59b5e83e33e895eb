"""Windows as the towers take them, in the compact form in which training keeps them.

Pictures are kept wider than the tower's square, so that training can shift it sideways: image,
depth and thermal together, because ImageBind found that their crops have to be aligned (26.7
against 16.0 on depth).
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from encoders.imagebind.config import IMU_AXES, RGB, ModelConfig
from encoders.imagebind.preprocess import audio, depth, imu, pictures, thermal
from streamer.errors import EncoderFailed
from streamer.types import AudioBlock, ImuBlock, Modality, Window, pixels

MARGIN = 16
"""Columns by which a kept picture is wider than the square."""


def shape(sizes: ModelConfig, modality: Modality) -> tuple[tuple[int, ...], type[np.generic]]:
    """Shape and type of one compact input."""
    side, width = sizes.image_size, sizes.image_size + MARGIN
    match modality:
        case "vision":
            return (sizes.video_frames, side, width, RGB), np.uint8
        case "depth" | "thermal":
            return (side, width), np.float16
        case "audio":
            return (sizes.audio_num_mel_bins, sizes.audio_target_len), np.float16
        case "imu":
            return (IMU_AXES, sizes.imu_steps), np.float32


def compact(window: Window, sizes: ModelConfig) -> NDArray[np.generic]:
    """One window through the preprocessing of live runs: an array of `shape`."""
    side, width = sizes.image_size, sizes.image_size + MARGIN
    samples = window.samples
    match window.modality:
        case "vision":
            frames = [samples[0], samples[-1]]
            return np.stack([_rgb(pixels(frame), side, width) for frame in frames])
        case "depth":
            return _half(depth.image(pixels(samples[-1]), side, width=width)[0])
        case "thermal":
            return _half(thermal.image(pixels(samples[-1]), side, width=width)[0])
        case "audio":
            sounds = [(s.t_ns, s.data) for s in samples if isinstance(s.data, AudioBlock)]
            bins, columns = sizes.audio_num_mel_bins, sizes.audio_target_len
            return _half(audio.window(sounds, window.span, bins, columns)[0])
        case "imu":
            parts = [s.data for s in samples if isinstance(s.data, ImuBlock)]
            if not parts:
                raise EncoderFailed("imu: expected a window with readings, got none")
            t_ns = np.concatenate([part.t_ns for part in parts])
            values = np.concatenate([part.values for part in parts])
            return imu.window(t_ns, values, window.span, sizes.imu_steps).numpy()


def _rgb(picture: NDArray[np.uint8], side: int, width: int) -> NDArray[np.uint8]:
    scaled = pictures.resize_crop(pictures.tensor(picture).permute(2, 0, 1), side, width)
    return scaled.permute(1, 2, 0).numpy()


def _half(x: torch.Tensor) -> NDArray[np.float16]:
    return x.numpy().astype(np.float16)


Progress = Callable[[int, int], None]
"""Called with how many are done and how many there are."""
