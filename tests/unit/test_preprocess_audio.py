"""Sound: an independent filter bank in float64, the golden numbers, and windows with holes."""

from pathlib import Path

import av
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from encoders.imagebind.preprocess import audio, files
from streamer.errors import EncoderFailed, SourceLost
from streamer.types import AudioBlock, Span
from tests.needs import shared

SECOND = 1_000_000_000
PADDING = 4.268 / 9.138
TWO_SECONDS = Span(1_700_000_000 * SECOND, 1_700_000_002 * SECOND)


def tone(seconds: float = 2.0, rate_hz: int = 16_000) -> NDArray[np.float32]:
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    noise = 0.01 * np.random.default_rng(0).standard_normal(t.size)
    return (0.1 + 0.4 * np.sin(2 * np.pi * 440 * t) + noise).astype(np.float32)


def filter_bank(samples: NDArray[np.float64], mels: int) -> NDArray[np.float64]:
    """Kaldi's log-mel filter bank from its definition, in float64: (frames, mels)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 400)[::160]
    frames = frames - frames.mean(axis=1, keepdims=True)
    before = np.concatenate((frames[:, :1], frames[:, :-1]), axis=1)
    frames = (frames - 0.97 * before) * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399))
    power = np.abs(np.fft.rfft(frames, 512)) ** 2

    def mel(hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
        return 1127 * np.log1p(np.asarray(hz) / 700)

    edges = np.linspace(mel(20), mel(8000), mels + 2)
    left, centre, right = (edges[i : i + mels, None] for i in range(3))
    at = mel(np.arange(257) * 16_000 / 512)[None]
    up, down = (at - left) / (centre - left), (right - at) / (right - centre)
    weights = np.maximum(0, np.minimum(up, down))
    weights[:, 256] = 0  # Kaldi leaves out the bin at half the rate
    return np.log(np.maximum(power @ weights.T, np.finfo(np.float32).eps))


@pytest.mark.parametrize(("mels", "frames"), [(128, 204), (40, 198)])
def test_agrees_with_a_filter_bank_in_float64(mels: int, frames: int) -> None:
    samples = tone()
    centred = samples.astype(np.float64) - samples.mean(dtype=np.float64)
    expected = (filter_bank(centred, mels).T + 4.268) / 9.138
    spectrogram = audio.spectrogram(samples, mels, frames)
    assert spectrogram.shape == (1, mels, frames)
    assert spectrogram.dtype == torch.float32
    assert np.abs(spectrogram.numpy()[0, :, :198] - expected).max() < 1e-3
    assert np.allclose(spectrogram.numpy()[..., 198:], PADDING)


def test_golden_tone() -> None:
    golden = np.load(shared("golden/preprocess.npz"))
    mel = audio.spectrogram(golden["tone_waveform"]).numpy()
    assert np.abs(mel - golden["tone_mel"]).max() < 1e-3


@pytest.mark.parametrize("name", ["dog", "car", "bird"])
def test_golden_clips_of_files(name: str) -> None:
    golden = np.load(shared("golden/preprocess.npz"))[f"{name}_audio"]
    samples, rate_hz = files.sound(shared(f"recordings/imagebind/{name}_audio.wav"))
    clips = audio.clips(audio.resample(samples, rate_hz)).numpy()
    assert rate_hz == 44_100
    assert clips.shape == golden.shape
    assert np.abs(clips - golden).mean(axis=(1, 2, 3)).max() < 0.05


@settings(max_examples=60, deadline=None)
@given(
    rate_hz=st.sampled_from([8000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000]),
    n=st.integers(0, 9000),
)
def test_resampling_gives_exactly_the_rounded_length(rate_hz: int, n: int) -> None:
    samples = np.full(n, 0.5, np.float32)
    assert audio.resample(samples, rate_hz).shape == ((2 * n * 16_000 + rate_hz) // (2 * rate_hz),)


def test_a_tone_is_the_same_tone_at_another_rate() -> None:
    t = np.arange(96_000) / 48_000
    samples = np.sin(2 * np.pi * 440 * t).astype(np.float32)
    there = audio.resample(samples, 48_000)
    expected = np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000)
    assert there.dtype == np.float32
    assert np.abs(there - expected)[200:-200].max() < 1e-4


def test_the_level_below_the_sound_does_not_matter() -> None:
    lifted = audio.spectrogram(tone() + np.float32(0.2))
    assert np.allclose(lifted, audio.spectrogram(tone()), atol=1e-3)


#   window    |--------------------------------|  2 s
#   whole     [block][block][block]..............  the same as one array
@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 31_999), max_size=6), jitter_ms=st.integers(-9, 9))
def test_blocks_are_joined_without_a_seam(cuts: list[int], jitter_ms: int) -> None:
    samples = tone()
    starts = [0, *sorted(set(cuts))]
    blocks = [
        (
            TWO_SECONDS.start_ns + start * SECOND // 16_000 + jitter_ms * 1_000_000,
            AudioBlock(part, 16_000),
        )
        for start, part in zip(starts, np.split(samples, starts[1:]), strict=True)
    ]
    assert torch.equal(audio.window(blocks, TWO_SECONDS), audio.spectrogram(samples))


#   window    |--------------------------------|  2 s
#   sound             [======]      [======]      0.5..1.0 s and 1.25..1.75 s
#   frames    pppppppp#######ppppppp#######pppp   p = padding
def test_sound_stays_in_its_place_and_holes_are_padding() -> None:
    whole = tone()
    parts = [(8000, 16_000), (20_000, 28_000)]
    blocks = [
        (TWO_SECONDS.start_ns + start * SECOND // 16_000, AudioBlock(whole[start:end], 16_000))
        for start, end in parts
    ]
    mel = audio.window(blocks, TWO_SECONDS).numpy()[0]
    at = np.arange(204) * 160
    heard = ((at >= 8000) & (at + 400 <= 16_000)) | ((at >= 20_000) & (at + 400 <= 28_000))
    assert np.allclose(mel[:, ~heard], PADDING)
    expected = audio.spectrogram(whole).numpy()[0]
    # The mean differs by what the missing parts would have given to it, which is next to nothing.
    assert np.abs(mel - expected)[:, heard].max() < 0.02


def test_a_window_at_48_khz_is_the_window_at_16_khz() -> None:
    start = TWO_SECONDS.start_ns
    t = np.arange(96_000) / 48_000
    samples = (0.3 * np.sin(2 * np.pi * 440 * t) + 0.3 * np.sin(2 * np.pi * 3000 * t)).astype(
        np.float32
    )
    mel = audio.window([(start, AudioBlock(samples, 48_000))], TWO_SECONDS)
    same = audio.window([(start, AudioBlock(samples[::3].copy(), 16_000))], TWO_SECONDS)
    loud = same > 0
    assert loud.any()
    assert (mel - same)[loud].abs().max() < 0.01


@pytest.mark.parametrize("rubbish", [np.nan, np.inf, -np.inf, 1e30])
def test_one_rubbish_sample_costs_its_frames_alone(rubbish: float) -> None:
    samples = tone(2.0, 48_000)
    broken = samples.copy()
    broken[48_000] = rubbish
    whole = audio.window([(TWO_SECONDS.start_ns, AudioBlock(samples, 48_000))], TWO_SECONDS)
    mel = audio.window([(TWO_SECONDS.start_ns, AudioBlock(broken, 48_000))], TWO_SECONDS)
    touched = (mel - whole).abs().amax(dim=(0, 1)) > 0.1
    assert 1 <= touched.sum() <= 3
    assert mel.isfinite().all()


@pytest.mark.parametrize("n", [0, 1, 399, 400, 31_999, 40_000])
def test_any_length_has_its_frames_and_then_padding(n: int) -> None:
    mel = audio.spectrogram(tone(3)[:n]).numpy()
    frames = min(204, max(0, 1 + (n - 400) // 160))
    assert mel.shape == (1, 128, 204)
    assert np.isfinite(mel).all()
    assert np.allclose(mel[..., frames:], PADDING)
    assert not np.isclose(mel[..., :frames], PADDING).all(axis=1).any()


def test_clips_are_spread_evenly() -> None:
    samples = tone(5)
    clips = audio.clips(samples, count=3)
    expected = [audio.spectrogram(samples[at : at + 32_000]) for at in (0, 24_000, 48_000)]
    assert torch.equal(clips, torch.stack(expected))
    assert audio.clips(samples[:20_000]).shape == (1, 1, 128, 204)


def test_two_rates_in_one_window_are_refused() -> None:
    blocks = [(0, AudioBlock(tone(), 16_000)), (SECOND, AudioBlock(tone(), 8000))]
    with pytest.raises(EncoderFailed, match=r"blocks of one rate in a window, got \[8000, 16000\]"):
        audio.window(blocks, Span(0, 2 * SECOND))


def write_stereo(path: Path, left: NDArray[np.int16], right: NDArray[np.int16]) -> None:
    with av.open(str(path), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=16_000, layout="stereo")
        both = np.stack((left, right), axis=1).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(both, format="s16", layout="stereo")
        frame.sample_rate = 16_000
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def test_files_give_their_first_channel(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    left = np.arange(-500, 500, dtype=np.int16)
    write_stereo(path, left, np.zeros_like(left))
    samples, rate_hz = files.sound(path)
    assert rate_hz == 16_000
    assert np.array_equal(samples * 32_768, left)


def test_bad_sound_files_are_one_line_that_names_them(tmp_path: Path) -> None:
    text, empty = tmp_path / "text.wav", tmp_path / "empty.wav"
    text.write_text("no sound\n" * 100)
    empty.touch()
    for path in (text, empty, tmp_path / "absent.wav"):
        with pytest.raises(SourceLost, match="expected a sound file") as raised:
            files.sound(path)
        assert str(path) in str(raised.value)
        assert "\n" not in str(raised.value)
