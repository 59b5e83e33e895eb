"""Sound: its waveform, and below it at the same times its spectrogram up to half the rate."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from encoders.imagebind.preprocess.audio import is_sound, join
from streamer.cli.snapshot.drawing import (
    BAD,
    FAINT,
    Axes,
    blank,
    box,
    columns,
    paint,
    rule_x,
    rule_y,
    scale,
    table,
)
from streamer.cli.snapshot.sheet import WIDTH, Drawn, Note
from streamer.types import AudioBlock, Span

_LEFT, _RIGHT = 46, 84
_ACROSS = WIDTH - _LEFT - _RIGHT
_WAVE, _SPECTRUM = (26, 130), (190, 300)
"""Top and height of the two boxes."""
_BELOW = 40

WAVE = (31, 95, 168)
LOUDNESS = table(cv2.COLORMAP_MAGMA)
RANGE_DB = 80
_KHZ = (0, 0.25, 0.5, 1, 2, 4, 8, 16)
FULL = 0.999
"""Of full scale: what converters give when they cannot go any further."""


def sound(blocks: Sequence[tuple[int, AudioBlock]], span: Span) -> Drawn:
    """Blocks with the time of their first sample, oldest first, as they lie in `span`."""
    samples, present, rate_hz = join(blocks, span)
    wave, spectrum = boxes(span.length_ns / 1e9, rate_hz)
    body = blank(WIDTH, spectrum.bottom + _BELOW)
    rule_y(body, wave, "full scale", most=5, grid=True)
    columns(body, wave, _envelope(np.where(present, samples, np.nan)), WAVE)
    box(body, wave)
    levels_db = _by_mels(spectrogram(samples, rate_hz), spectrum.y[1], rate_hz)
    top_db = float(np.ceil(max(levels_db.max(), -60) / 10) * 10)
    rgb = paint(levels_db[::-1], top_db - RANGE_DB, top_db, LOUDNESS)
    shown = cv2.resize(rgb, (_ACROSS, _SPECTRUM[1]), interpolation=cv2.INTER_AREA)
    there = np.interp(np.arange(_ACROSS), np.linspace(0, _ACROSS, present.size), present) > 0.5
    shown[:, ~there] = FAINT
    body[spectrum.top : spectrum.bottom, spectrum.left : spectrum.right] = shown
    rule_y(body, spectrum, "kHz", at={mels(khz * 1e3): f"{khz:g}" for khz in _KHZ})
    rule_x(body, spectrum, "seconds")
    box(body, spectrum)
    edges = top_db - RANGE_DB, top_db
    scale(body, (spectrum.right + 14, spectrum.top), spectrum.height, edges, "dB", LOUDNESS)
    for edge in (-1, 1):
        _warn(body, wave, edge, samples)
    return Drawn(body, _notes(samples, present, rate_hz))


def boxes(seconds: float, rate_hz: int) -> tuple[Axes, Axes]:
    """Where the waveform and the spectrogram (in mels) are drawn."""
    return (
        Axes(_LEFT, _WAVE[0], _ACROSS, _WAVE[1], (0, seconds), (-1, 1)),
        Axes(_LEFT, _SPECTRUM[0], _ACROSS, _SPECTRUM[1], (0, seconds), (0, mels(rate_hz / 2))),
    )


def spectrogram(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float64]:
    """Decibels (frequencies, times): a sine of full scale has 0. About 32 ms every 8 ms."""
    size = 1 << max(4, round(np.log2(rate_hz * 0.032)))
    padded = np.pad(samples.astype(np.float64), (0, max(0, size - samples.size)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[:: size // 4]
    window = np.hanning(size)
    spectrum = np.abs(np.fft.rfft(frames * window, axis=1)) * 2 / window.sum()
    return 20 * np.log10(spectrum.T + 1e-8)


def mels(hz: float) -> float:
    """Pitch as it is heard, and as the model sees it: low tones are spread, high ones crowded."""
    return float(1127 * np.log1p(hz / 700))


def _by_mels(levels_db: NDArray[np.float64], highest: float, rate_hz: int) -> NDArray[np.float64]:
    """Levels (frequencies, times) at as many evenly spaced mels as there are rows to show."""
    hz = 700 * np.expm1(np.linspace(0, highest, _SPECTRUM[1]) / 1127)
    place = np.clip(hz / (rate_hz / 2), 0, 1) * (len(levels_db) - 1)
    below = np.minimum(place.astype(int), len(levels_db) - 2)
    share = (place - below)[:, None]
    return levels_db[below] * (1 - share) + levels_db[below + 1] * share


def _envelope(samples: NDArray[np.float32]) -> list[tuple[float, float]]:
    """The lowest and the highest in each column of pixels; NaN where nothing was heard."""
    edges = np.linspace(0, samples.size, _ACROSS + 1).astype(int)
    found: list[tuple[float, float]] = []
    for first, last in zip(edges[:-1], np.maximum(edges[1:], edges[:-1] + 1), strict=True):
        part = samples[first:last]
        part = part[~np.isnan(part)]
        found.append((float(part.min()), float(part.max())) if part.size else (np.nan, np.nan))
    return found


def _warn(body: NDArray[np.uint8], wave: Axes, edge: int, samples: NDArray[np.float32]) -> None:
    """A red mark wherever the sound reaches its limit."""
    at = np.flatnonzero(samples * edge >= FULL) * (wave.width - 1) // max(1, samples.size - 1)
    y = wave.top if edge > 0 else wave.bottom - 4
    body[y : y + 4, wave.left + np.unique(at)] = BAD


def _notes(
    samples: NDArray[np.float32], present: NDArray[np.bool_], rate_hz: int
) -> tuple[Note, ...]:
    heard = samples[present & is_sound(samples)].astype(np.float64)
    if not heard.size:
        return (Note("nothing was heard", bad=True),)
    if not heard.any():
        return (Note("silent: nothing but zeros: is it muted?", bad=True),)
    peak, level, middle = np.abs(heard).max(), np.sqrt(np.mean(heard**2)), heard.mean()
    notes = [
        Note(
            f"{rate_hz} Hz; peak {20 * np.log10(peak):.1f} dB, level {20 * np.log10(level):.1f} dB "
            f"of full scale; mean {middle:+.4f}"
        )
    ]
    clipped = float((np.abs(heard) >= FULL).mean())
    if clipped > 1e-4:
        notes.append(Note(f"clipped: {clipped:.2%} of it is at full scale", bad=True))
    if abs(middle) > 0.05:
        notes.append(Note(f"its middle is at {middle:+.2f}, not at zero", bad=True))
    if peak < 1e-3:
        notes.append(Note("hardly anything: is this the right input, and its gain up?", bad=True))
    if flatness(heard) > 0.4 and level > 0.1:
        notes.append(Note("loud noise of all frequencies: are its bytes swapped?", bad=True))
    missing = 1 - float(present.mean())
    if missing > 0.01:
        notes.append(Note(f"{missing:.1%} of the time is missing (pale)", bad=True))
    return tuple(notes)


def flatness(samples: NDArray[np.float64]) -> float:
    """Geometric over arithmetic mean of the power: near 0 for tones and speech, 0.56 for noise."""
    power = np.abs(np.fft.rfft(samples * np.hanning(samples.size))) ** 2 + 1e-20
    return float(np.exp(np.log(power).mean()) / power.mean())
