"""Sound for the audio tower: a Kaldi log-mel filter bank of 2 s at 16 kHz."""

from collections.abc import Sequence
from typing import cast

import kaldi_native_fbank as knf
import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamer.errors import EncoderFailed
from streamer.types import AudioBlock, Span

RATE_HZ = 16_000
FRAME, HOP = 400, 160  # 25 ms every 10 ms
MEAN, DEVIATION = -4.268, 9.138

# Stamps of consecutive blocks shake by some milliseconds; a hole is longer than a hop.
JITTER_S = 0.01
# Full scale is 1. Far beyond it (or not finite) is no sound, and would overflow the power.
LOUDEST = 1e6


def window(
    blocks: Sequence[tuple[int, AudioBlock]], span: Span, mels: int = 128, frames: int = 204
) -> Tensor:
    """The sound of one window, (t_ns, block) oldest first, at any rate: (1, mels, frames).

    Sound stays at its place in time. Where a part of the window is missing, the frames that would
    have heard it hold the padding value: the model knows it as "no frame here", while zeros in the
    waveform would be a click at both ends and digital silence, which is an observation.
    """
    samples, present, rate_hz = join(blocks, span)
    sound = resample(samples, rate_hz)
    heard = present[np.minimum(np.arange(sound.size) * rate_hz // RATE_HZ, present.size - 1)]
    return spectrogram(sound, mels, frames, heard)


def spectrogram(
    samples: NDArray[np.float32],
    mels: int = 128,
    frames: int = 204,
    present: NDArray[np.bool_] | None = None,
) -> Tensor:
    """Sound at 16 kHz, float32 (n,) in -1..1, as the audio tower takes it: (1, mels, frames).

    Too short: padded at the end; too long: cut. Padding is zero *before* the normalisation, as the
    weights were trained with: it becomes +0.467. `present` (n,) marks the samples that were heard;
    all of them by default.
    """
    sane = is_sound(samples)
    heard = sane if present is None else present & sane
    centred = np.where(heard, samples, 0)
    if heard.any():
        centred = np.where(heard, centred - centred[heard].mean(dtype=np.float64), 0)
    bank = _filter_bank(centred.astype(np.float32), mels)[:frames]
    # A frame that heard only a part would hold the click where the sound broke off.
    starts = np.arange(len(bank)) * HOP
    missing = np.concatenate(([0], np.cumsum(~heard)))
    bank[missing[starts + FRAME] > missing[starts]] = 0
    padded = np.zeros((frames, mels), np.float32)
    padded[: len(bank)] = bank
    return torch.from_numpy((padded.T[None] - MEAN) / DEVIATION)


def join(
    blocks: Sequence[tuple[int, AudioBlock]], span: Span
) -> tuple[NDArray[np.float32], NDArray[np.bool_], int]:
    """Blocks laid on the window's time line: samples (n,), which of them were heard (n,), rate.

    n is the span's length at the blocks' rate; what was not heard is zero. A block that begins
    within 10 ms of the end of the one before continues it.
    """
    rates = {block.rate_hz for _, block in blocks}
    if len(rates) != 1:
        raise EncoderFailed(f"audio: expected blocks of one rate in a window, got {sorted(rates)}")
    rate_hz = rates.pop()
    length = round(span.length_ns * rate_hz / 1e9)
    samples, present = np.zeros(length, np.float32), np.zeros(length, np.bool_)
    end = 0
    for t_ns, block in blocks:
        start = round((t_ns - span.start_ns) * rate_hz / 1e9)
        if abs(start - end) <= JITTER_S * rate_hz:
            start = end
        end = start + block.samples.size
        inside = slice(max(0, start), max(0, min(end, length)))
        samples[inside] = block.samples[inside.start - start : inside.stop - start]
        present[inside] = True
    # Here too, because the resampler would spread a single NaN.
    present &= is_sound(samples)
    samples[~present] = 0
    return samples, present, rate_hz


def resample(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    """The whole array at 16 kHz, n * 16000 / rate_hz samples, a half rounded up.

    A window of 2 s thus gives 32,000 at every usual rate. Nothing breaks if another version of the
    resampler gives one more or less: the last frame ends 5 ms before the window does.
    """
    if rate_hz == RATE_HZ:
        return samples
    return soxr.resample(samples, rate_hz, RATE_HZ, quality="HQ")


def clips(
    samples: NDArray[np.float32],
    count: int = 3,
    seconds: float = 2.0,
    mels: int = 128,
    frames: int = 204,
) -> Tensor:
    """Clips of a longer sound at 16 kHz, spread evenly over it: (count, 1, mels, frames).

    The model averages them. A sound no longer than one clip is one clip.
    """
    length = round(seconds * RATE_HZ)
    spare = samples.size - length
    starts = np.linspace(0, spare, count).round().astype(int).tolist() if spare > 0 else [0]
    return torch.stack([spectrogram(samples[at : at + length], mels, frames) for at in starts])


def is_sound(samples: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which samples are numbers a microphone could have given; false for NaN and infinity."""
    return np.abs(samples) <= LOUDEST


def _filter_bank(samples: NDArray[np.float32], mels: int) -> NDArray[np.float32]:
    """Log mel energies (frames, mels), one frame per whole 25 ms, as torchaudio's kaldi.fbank."""
    options = knf.FbankOptions()
    frame = options.frame_opts
    frame.samp_freq = RATE_HZ
    frame.frame_length_ms, frame.frame_shift_ms = 25.0, 10.0
    frame.window_type = "hanning"
    frame.dither = 0.0
    frame.preemph_coeff = 0.97
    frame.remove_dc_offset = frame.round_to_power_of_two = frame.snip_edges = True
    options.mel_opts.num_bins = mels
    options.mel_opts.low_freq, options.mel_opts.high_freq = 20.0, 0.0
    options.htk_compat = True
    options.use_energy = False
    bank = knf.OnlineFbank(options)
    # Its stub says list[float]; it takes any buffer, and a list would cost as much as the bank.
    bank.accept_waveform(RATE_HZ, cast("list[float]", samples))
    bank.input_finished()
    rows = [bank.get_frame(i) for i in range(bank.num_frames_ready)]
    return np.array(rows, np.float32).reshape(-1, mels)
