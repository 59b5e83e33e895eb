"""Sound from PortAudio: a device by its name, and what it delivers, block by block.

Only in a process of its own: the list of devices is that of the moment in which PortAudio was
started, and to close a stream can take for ever.
"""

import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sources.soundclock import Block
from streamer.clock import monotonic_ns
from streamer.errors import SourceLost

BLOCKS_HZ = 25
"""Of the device's blocks: small enough for the lateness of windows, and few for the sockets."""

LATENCY_S = 0.1
"""What the device is asked to be able to hold: a process that waits for a core loses nothing."""

CLOSE_S = 0.5
# Plugins and sound servers say 32 and more: as many as one likes.
_MOST_CHANNELS = 16
_LOOK_S = 0.25
_NUMBERS = re.compile(r" *\((hw|plughw):\d+,\d+\)$")


@dataclass(frozen=True, slots=True)
class Device:
    """An input as PortAudio lists it."""

    index: int
    name: str
    channels: int
    rate_hz: int

    def channels_for(self, channel: int | None) -> int:
        """How many to open, to have this one (from 1), or all. Raises `SourceLost`."""
        if channel is not None and channel > self.channels:
            raise SourceLost(f"{self.name} has {self.channels} channels, got channel {channel}")
        if self.channels <= _MOST_CHANNELS:
            return self.channels
        return max(2, channel or 0)


def library() -> Any:
    """The module `sounddevice`. Raises `SourceLost`."""
    try:
        import sounddevice
    except ImportError:
        raise SourceLost(
            "a microphone needs sounddevice: install imagebind-streamer[microphone]"
        ) from None
    except OSError as error:
        raise SourceLost(f"a microphone needs PortAudio (Debian: libportaudio2): {error}") from None
    return sounddevice


def inputs(sounddevice: Any) -> list[Device]:
    return [
        Device(
            int(found["index"]),
            str(found["name"]),
            int(found["max_input_channels"]),
            round(float(found["default_samplerate"])),
        )
        for found in sounddevice.query_devices()
        if found["max_input_channels"] > 0
    ]


def named(name: str, devices: Sequence[Device]) -> Device:
    """The one device of this name, or else with this in its name, small or large.

    Raises `SourceLost` that lists what there is.
    """
    exactly = [device for device in devices if device.name == name]
    among = exactly or [device for device in devices if name.casefold() in device.name.casefold()]
    if len(among) == 1:
        return among[0]
    listed = ", ".join(device.name for device in among or devices) or "nothing"
    if among:
        raise SourceLost(f"microphone {name!r}: expected one device, got {len(among)}: {listed}")
    raise SourceLost(f"microphone {name!r}: no device has that in its name; there is {listed}")


def lasting_name(device: Device, devices: Sequence[Device]) -> str:
    """A name that stays when cards are numbered anew, if there is one."""
    lasting = _NUMBERS.sub("", device.name)
    with suppress(SourceLost):
        if lasting and named(lasting, devices) == device:
            return lasting
    return device.name


class Recorder:
    """An open stream. `close` it, at the latest when its `next` has raised.

    `waiting` blocks are kept for `next`; those that find no room are an overflow.
    """

    def __init__(
        self,
        sounddevice: Any,
        device: Device,
        channels: int,
        rate_hz: int,
        waiting: int = 10 * BLOCKS_HZ,
    ) -> None:
        self._waiting = waiting
        self._blocks: SimpleQueue[Block | None] = SimpleQueue()
        self._missed = False
        self._name = device.name
        try:
            self._stream = sounddevice.InputStream(
                device=device.index,
                channels=channels,
                samplerate=rate_hz,
                blocksize=rate_hz // BLOCKS_HZ,
                latency=LATENCY_S,
                dtype="float32",
                callback=self._heard,
                finished_callback=self._finished,
            )
            self._stream.start()
        except sounddevice.PortAudioError as error:
            raise SourceLost(
                f"{device.name}: cannot be opened with {channels} channels at {rate_hz} Hz: {error}"
            ) from None
        self.latency_s = float(self._stream.latency)

    def next(self) -> Block:
        """Wait for a block, samples (n, channels). Raises `SourceLost` when the stream is over."""
        while True:
            try:
                block = self._blocks.get(timeout=_LOOK_S)
            except Empty:
                if self._stream.active:
                    continue  # for how long is for the program to judge, not for the library
                block = None
            if block is None:
                raise SourceLost(f"{self._name}: ended: unplugged, or its sound server has gone")
            return block

    def close(self) -> None:
        """Within `CLOSE_S`: a sound server that hangs is waited for no longer."""
        closing = threading.Thread(target=self._close, name="close", daemon=True)
        closing.start()
        closing.join(CLOSE_S)

    def _close(self) -> None:
        self._stream.abort(ignore_errors=True)
        self._stream.close(ignore_errors=True)

    def _heard(self, samples: NDArray[np.float32], frames: int, time: Any, status: Any) -> None:
        """PortAudio's thread, which must not wait for anything."""
        arrival_ns = monotonic_ns()
        del frames
        if self._blocks.qsize() >= self._waiting:
            self._missed = True
            return
        # Both are of one clock, though nobody says of which: on PulseAudio it is that of the wall.
        delay_ns = round((time.currentTime - time.inputBufferAdcTime) * 1e9)
        overflow = bool(status.input_overflow) or self._missed
        self._missed = False
        self._blocks.put(Block(samples.copy(), arrival_ns, delay_ns, overflow))

    def _finished(self) -> None:
        self._blocks.put(None)
