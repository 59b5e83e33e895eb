"""Sound in messages: bytes to one channel of float32. Pure."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sources.replay.messages.bytes_of import bytes_of
from sources.replay.messages.ros import Fields
from sources.replay.topics import SoundAs, SoundFormat

_FORMATS: dict[str, SoundFormat] = {
    "pcm-s16": "s16",
    "s8": "s8",
    "u8": "u8",
    "s16": "s16",
    "s16le": "s16",
    "s24le": "s24",
    "s24": "s24",
    "s32": "s32",
    "s32le": "s32",
    "f32": "f32",
    "f32le": "f32",
    "f64le": "f64",
}
_WHOLE: dict[SoundFormat, tuple[str, float]] = {
    "s8": ("<i1", 128.0),
    "s16": ("<i2", 32768.0),
    "s32": ("<i4", 2147483648.0),
}


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """float32 (n,), the mean of the channels, and its rate."""

    samples: NDArray[np.float32]
    rate_hz: int


def declared(info: Fields) -> SoundAs:
    """What `audio_common_msgs/AudioInfo` says. Raises ValueError."""
    coding = str(info.get("coding_format", "")).lower()
    if coding not in ("", "wave", "wav", "pcm", "raw"):
        raise ValueError(f"sound in {coding[:20]} is not read")
    told = info.get("sample_format")
    return _as(str(told), info.get("sample_rate"), info.get("channels"))


def of_raw_audio(fields: Fields) -> SoundAs:
    """What a `foxglove.RawAudio` says of itself. Raises ValueError."""
    told = str(fields.get("format"))
    return _as(told, fields.get("sample_rate"), fields.get("number_of_channels", 1))


def _as(told: str, rate_hz: Any, channels: Any) -> SoundAs:
    sound = _FORMATS.get(told.lower())
    if sound is None:
        raise ValueError(f"sound in {told[:20]!r} is not read")
    if not isinstance(rate_hz, int) or not 1000 <= rate_hz <= 768_000:
        raise ValueError(f"sound at {str(rate_hz)[:20]} Hz")
    if not isinstance(channels, int) or not 1 <= channels <= 64:
        raise ValueError(f"sound of {str(channels)[:20]} channels")
    return SoundAs(format=sound, rate_hz=rate_hz, channels=channels)


def sound(data: Any, how: SoundAs) -> tuple[Sound, int]:
    """And how many bytes at the end are no whole sample of all channels. Raises ValueError."""
    packed = bytes_of(data)
    size = {"s8": 1, "u8": 1, "s16": 2, "s24": 3, "s32": 4, "f32": 4, "f64": 8}[how.format]
    frames, rest = divmod(len(packed), size * how.channels)
    values = _values(packed[: len(packed) - rest], how.format).reshape(frames, how.channels)
    mixed = values[:, 0] if how.channels == 1 else values.mean(axis=1, dtype=np.float32)
    return Sound(np.ascontiguousarray(mixed, np.float32), how.rate_hz), rest


def _values(packed: bytes | memoryview, how: SoundFormat) -> NDArray[np.float32]:
    if how == "u8":
        return (np.frombuffer(packed, "u1").astype(np.float32) - 128) / np.float32(128)
    if how == "s24":
        wide = np.zeros((len(packed) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(packed, np.uint8).reshape(-1, 3)
        return (wide.view("<i4")[:, 0] / 2147483648.0).astype(np.float32)
    if how in ("f32", "f64"):
        values = np.frombuffer(packed, "<f4" if how == "f32" else "<f8").astype(np.float32)
        if not np.isfinite(values).all():
            raise ValueError("sound that is not finite")
        return values
    dtype, full = _WHOLE[how]
    return (np.frombuffer(packed, dtype) / full).astype(np.float32)
