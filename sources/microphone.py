"""A microphone, by its name, through PortAudio: mono at 16 kHz, in a process of its own."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from sources.isolated.port import Port
from sources.isolated.process import Isolated, isolated
from sources.isolated.watch import Patience
from sources.portaudio import Device, Recorder, inputs, lasting_name, library, named
from sources.resampled import Resampled, Stamped
from sources.soundclock import Piece, SoundClock
from streamer.protocols import Clock
from streamer.types import StreamInfo

RATE_HZ = 16000
# A child without pictures needs no memory for them, but there must be some.
_NO_PICTURES = 1


class Microphone(BaseModel):
    """Blocks of float32 (n,) at 16 kHz, some 25 a second; t_ns of the first sample.

    The samples are those of the device times the gain: beyond -1..1 if the gain makes them so.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["microphone"] = "microphone"
    stream: str = Field(min_length=1)
    device: str = Field(min_length=1)
    """Its name, or a part that no other has: numbers change when something is plugged in."""
    channel: int | None = Field(default=None, ge=1, le=256)
    """From 1. None is the mean of all."""
    gain_db: float = Field(default=0.0, ge=-60, le=60)
    rate_hz: int | None = Field(default=None, ge=4000, le=768000)
    """At which the device is opened. None is the rate that it prefers."""
    patience: Patience = Field(default_factory=Patience)

    @property
    def live(self) -> bool:
        return True

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        return (StreamInfo(self.stream, "audio"),)

    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncGenerator[Isolated, None]:
        async with isolated(self, clock, self.patience, _NO_PICTURES) as samples:
            yield samples

    def drive(self, port: Port) -> None:
        sounddevice = library()
        device = named(self.device, inputs(sounddevice))
        channels = device.channels_for(self.channel)
        rate_hz = self.rate_hz or device.rate_hz
        recorder = Recorder(sounddevice, device, channels, rate_hz)
        try:
            port.opened(
                f"{device.name}: {channels} channels at {rate_hz} Hz, "
                f"latency {recorder.latency_s * 1e3:.0f} ms"
            )
            clock = SoundClock(device.name, rate_hz)
            resampled = Resampled(rate_hz, RATE_HZ)
            while True:
                for piece in clock.push(recorder.next()):
                    if piece.begins:
                        self._say(port, clock, resampled.flush())
                        resampled = Resampled(rate_hz, RATE_HZ)
                        self._count(port, piece)
                    mono = mixed(piece.samples, self.channel, self.gain_db)
                    self._say(port, clock, resampled.push(mono, piece.origin_ns))
        finally:
            recorder.close()

    def _count(self, port: Port, piece: Piece) -> None:
        if piece.lost:
            port.lost(self.stream, piece.cause, piece.lost)

    def _say(self, port: Port, clock: SoundClock, sound: Sequence[Stamped]) -> None:
        for part in sound:
            port.sound(self.stream, part.t_ns, part.samples, RATE_HZ, clock=clock.card)


def mixed(samples: NDArray[np.float32], channel: int | None, gain_db: float) -> NDArray[np.float32]:
    """One channel of (n, channels), from 1, or the mean of all, times the gain: (n,)."""
    mono = samples.mean(axis=1) if channel is None else samples[:, channel - 1]
    return np.ascontiguousarray(mono * np.float32(10 ** (gain_db / 20)), np.float32)


def list_devices() -> list[dict[str, object]]:
    """Every input that PortAudio finds: `name`, the `yaml` of its source, `what` it offers.

    To be called in a process of its own: a sound server can hang. Raises `SourceLost`.
    """
    devices = inputs(library())
    return [_listed(device, devices) for device in devices]


def _listed(device: Device, devices: list[Device]) -> dict[str, object]:
    name = lasting_name(device, devices)
    return {
        "name": device.name,
        "yaml": {"kind": "microphone", "stream": "mic", "device": name},
        "what": f"up to {device.channels} channels, {device.rate_hz} Hz",
    }
