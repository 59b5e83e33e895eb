"""Sound of other programs' messages: formats, channels, and what is none."""

from typing import Any

import numpy as np
import pytest

from sources.replay.messages.sound import declared, of_raw_audio, sound
from sources.replay.topics import SoundAs, SoundFormat

WAVE = np.array([0.0, 0.5, -0.5, 0.25, -1.0], np.float64)


def packed(how: SoundFormat, wave: Any = WAVE) -> bytes:
    if how in ("f32", "f64"):
        return wave.astype(f"<{how[0]}{int(how[1:]) // 8}").tobytes()
    if how == "u8":
        return (wave * 128 + 128).astype(np.uint8).tobytes()
    if how == "s24":
        wide = (wave * (1 << 31)).astype("<i4")
        return np.frombuffer(wide.tobytes(), np.uint8).reshape(-1, 4)[:, 1:].tobytes()
    bits = int(how[1:])
    return (wave * (1 << (bits - 1))).astype(f"<i{bits // 8}").tobytes()


@pytest.mark.parametrize("how", ["s8", "u8", "s16", "s24", "s32", "f32", "f64"])
def test_a_format_gives_the_wave_that_went_in(how: SoundFormat) -> None:
    got, rest = sound(packed(how), SoundAs(format=how, rate_hz=16000))
    assert rest == 0
    assert got.rate_hz == 16000
    assert got.samples.dtype == np.float32
    np.testing.assert_allclose(got.samples, WAVE, atol=1e-7)


def test_channels_are_mixed_to_their_mean() -> None:
    both = np.column_stack([WAVE, np.zeros(5)]).reshape(-1)
    got, _ = sound(packed("s16", both), SoundAs(rate_hz=8000, channels=2))
    np.testing.assert_allclose(got.samples, WAVE / 2)


def test_what_is_no_whole_sample_of_all_channels_is_counted() -> None:
    got, rest = sound(packed("s16") + b"\x01", SoundAs(rate_hz=8000, channels=2))
    assert (len(got.samples), rest) == (2, 3)


def test_numbers_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        sound(np.array([np.nan], "<f4").tobytes(), SoundAs(format="f32", rate_hz=8000))


def test_an_audio_info_declares_the_format() -> None:
    info = {"channels": 2, "sample_rate": 44100, "sample_format": "S16LE", "coding_format": "wave"}
    assert declared(info) == SoundAs(format="s16", rate_hz=44100, channels=2)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"coding_format": "mp3"}, "mp3"),
        ({"sample_format": "S16BE"}, "S16BE"),
        ({"sample_rate": 0}, "0 Hz"),
        ({"sample_rate": 4_000_000_000}, "Hz"),
        ({"channels": 0}, "0 channels"),
        ({"channels": None}, "None channels"),
    ],
    ids=str,
)
def test_sound_that_is_not_read_says_what_it_is(changed: dict[str, Any], said: str) -> None:
    info = {"channels": 1, "sample_rate": 16000, "sample_format": "S16LE", "coding_format": ""}
    with pytest.raises(ValueError, match=said):
        declared(info | changed)


def test_a_raw_audio_says_it_of_itself() -> None:
    told = {"format": "pcm-s16", "sample_rate": 48000, "number_of_channels": 7}
    assert of_raw_audio(told) == SoundAs(format="s16", rate_hz=48000, channels=7)
    with pytest.raises(ValueError, match="opus"):
        of_raw_audio(told | {"format": "opus"})
