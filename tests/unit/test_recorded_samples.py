"""Samples as a log keeps them: what is exact, how far the rest is from what the sensor said."""

import math
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from sources.recording import imu_message
from sources.recording.encode import record
from sources.recording.journal import Took
from sources.recording.pictures import Encoded, Look
from sources.recording.sound import from_int16, to_int16
from sources.replay.container import Message
from sources.replay.decode import Films
from sources.replay.decode import sample as read
from sources.scaled import Scaled
from streamer.types import (
    NS_PER_S,
    AudioBlock,
    ClockCard,
    Data,
    ImuBlock,
    Modality,
    Sample,
    pixels,
)

T_NS = 1_795_000_000_123_456_789
DEVICE = ClockCard("device", 1000, offset_ns=1_794_999_999_000_000_000)


def taken(modality: Modality, data: Data) -> Sample:
    return Sample("s", modality, T_NS, 33_333_333, data, DEVICE)


def there_and_back(sample: Sample, **how: Any) -> Sample:
    """Through the messages, as a reader gets it."""
    kept = record(sample, **how)
    messages = [
        Message(kept.channel, m.log_ns, m.sensor_ns, n, m.payload)
        for n, m in enumerate(kept.messages)
    ]
    data = kept.sample.data
    look = data.look if isinstance(data, Encoded) else Look()
    took = Took(0, "s", T_NS, sample.duration_ns, len(messages), sample.clock, look)
    return read(took, sample.modality, messages, Films())


def picture(height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """Smooth, as pictures are, and different in every channel."""
    y, x = np.mgrid[:height, :width]
    channels = [128 + 100 * np.sin(x / 9 + n) * np.cos(y / (7 + n)) for n in range(3)]
    return np.stack(channels, axis=2).astype(np.uint8)


def test_a_png_is_what_the_camera_gave() -> None:
    back = there_and_back(taken("vision", picture()), pictures="png")
    assert np.array_equal(pixels(back), picture())


def test_a_jpeg_is_close_and_has_its_colours_in_order() -> None:
    back = pixels(there_and_back(taken("vision", picture()), pictures="jpeg", quality=90))
    error = back.astype(float) - picture()
    psnr = 20 * math.log10(255 / math.sqrt((error**2).mean()))
    assert psnr > 35
    assert abs(error.mean(axis=(0, 1))).max() < 1, "one colour is in the place of another"


def test_integers_of_the_sensor_stay_as_they_are() -> None:
    stored = np.random.default_rng(0).integers(0, 65536, (12, 16), np.uint16)
    for scale, offset, grey in ((0.00025, 0.0, False), (0.01, -273.15, False), (0.02, -40.0, True)):
        given_by = Scaled(stored, scale, offset, grey)
        back = there_and_back(taken("thermal", given_by))
        assert np.array_equal(pixels(back), given_by.array())


def test_depth_becomes_millimetres_and_no_return_stays_none() -> None:
    metres = np.array([[0.0, 0.4567], [9.99949, 80.0]], np.float32)
    back = pixels(there_and_back(taken("depth", metres)))
    assert back[0, 0] == 0
    assert np.abs(back - metres)[:, 0].max() <= 0.0005
    assert back[1, 1] == pytest.approx(65.535), "beyond the range is the end of the range"


def test_heat_becomes_centikelvin() -> None:
    celsius = np.linspace(-40, 300, 12, dtype=np.float32).reshape(3, 4)
    back = pixels(there_and_back(taken("thermal", celsius)))
    assert np.abs(back - celsius).max() <= 0.00502


def test_with_png_numbers_keep_their_fractions() -> None:
    metres = np.random.default_rng(1).random((5, 7), np.float32) * 100
    assert np.array_equal(pixels(there_and_back(taken("depth", metres), pictures="png")), metres)


def test_a_thermal_picture_stays_eight_bits() -> None:
    grey = picture()[:, :, 0]
    back = pixels(there_and_back(taken("thermal", grey)))
    assert back.dtype == np.uint8
    assert np.array_equal(back, grey)


@given(hnp.arrays(np.int16, st.integers(0, 300)))
def test_sound_of_16_bits_is_exact(levels: NDArray[np.int16]) -> None:
    assert np.array_equal(to_int16(from_int16(levels)), levels)


@given(hnp.arrays(np.float32, st.integers(1, 300), elements=st.floats(-2, 2, width=32)))
def test_sound_is_kept_to_half_a_level_and_clipped(samples: NDArray[np.float32]) -> None:
    block = there_and_back(taken("audio", AudioBlock(samples, 16000))).data
    assert isinstance(block, AudioBlock)
    assert block.rate_hz == 16000
    inside = np.clip(samples.astype(np.float64), -1, 32767 / 32768)
    assert np.abs(block.samples - inside).max() <= 0.5 / 32768 + 1e-9


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 40), st.just(6)),
        elements=st.floats(-1e6, 1e6, width=32),
    ),
    st.integers(0, 1 << 61),
)
def test_motion_is_exact(values: NDArray[np.float32], start_ns: int) -> None:
    t_ns = start_ns + np.arange(len(values), dtype=np.int64) * 5_000_001
    back = there_and_back(taken("imu", ImuBlock(t_ns, values))).data
    assert isinstance(back, ImuBlock)
    assert np.array_equal(back.t_ns, t_ns)
    assert np.array_equal(back.values, values)


def test_inertial_messages_are_of_one_size() -> None:
    """A reading is as long as the definition says: head, then 37 numbers of 64 bits."""
    (message,) = imu_message.encode(ImuBlock(np.array([T_NS]), np.zeros((1, 6), np.float32)))
    assert len(message) == imu_message.SIZE == 4 + 4 + 4 + 4 + 4 + 37 * 8


def test_messages_carry_the_time_of_the_host_and_that_of_the_sensor() -> None:
    (message,) = record(taken("vision", picture())).messages
    assert (message.log_ns, message.sensor_ns) == (T_NS, T_NS - DEVICE.offset_ns)
    t_ns = T_NS + np.array([0, 5_000_000])
    block = ImuBlock(t_ns, np.zeros((2, 6), np.float32))
    times = [(m.log_ns, m.sensor_ns) for m in record(taken("imu", block)).messages]
    assert times == [(int(t), int(t) - DEVICE.offset_ns) for t in t_ns]


def test_what_comes_from_a_log_is_kept_byte_for_byte() -> None:
    """Cut, merged or converted: a JPEG is not compressed again, nor are numbers rounded again."""
    for modality, data in (("vision", picture()), ("depth", np.array([[1.2345, 0]], np.float32))):
        once = record(taken(modality, data), "jpeg", 50)  # type: ignore[arg-type]
        again = record(once.sample, "png")
        assert again.messages[0].payload == once.messages[0].payload
    sound = record(taken("audio", AudioBlock(np.array([0.1, -0.7, 1.5], np.float32), 16000)))
    assert record(sound.sample).messages == sound.messages


def test_a_later_look_at_the_same_bytes_is_another_digest() -> None:
    kept = Encoded(b"\x01\x00", "16UC1", (1, 1), Look(0.001))
    assert kept.digest() != Encoded(b"\x01\x00", "16UC1", (1, 1), Look(0.002)).digest()
    assert kept.digest() != Encoded(b"\x00\x01", "16UC1", (1, 1), Look(0.001)).digest()
    assert kept.digest() == Encoded(b"\x01\x00", "16UC1", (1, 1), Look(0.001)).digest()


def test_a_stamp_after_2038_is_kept_by_the_log() -> None:
    t_ns = np.array([5_000_000_000 * NS_PER_S])
    block = ImuBlock(t_ns, np.zeros((1, 6), np.float32))
    back = there_and_back(replace(taken("imu", block), clock=ClockCard("host", 0))).data
    assert isinstance(back, ImuBlock)
    assert back.t_ns.tolist() == t_ns.tolist()


def test_decoding_asks_for_what_opencv_can_do() -> None:
    packed = cv2.imencode(".png", picture()[:, :, 0])[1].tobytes()
    assert Encoded(packed, "png").array().shape == (48, 64)
