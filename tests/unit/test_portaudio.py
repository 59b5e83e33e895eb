"""Which microphone is meant by a name."""

import subprocess
import sys

import numpy as np
import pytest

from sources.microphone import mixed
from sources.portaudio import Device, lasting_name, named
from streamer.errors import SourceLost

HEADSET = Device(0, "Jabra Link: USB Audio (hw:2,0)", 1, 16000)
ARRAY = Device(4, "ReSpeaker 4 Mic Array: USB Audio (hw:1,0)", 6, 16000)
MIC = Device(7, "mic", 32, 44100)
ALL = [HEADSET, ARRAY, MIC]


@pytest.mark.parametrize(
    ("name", "device"),
    [("respeaker", ARRAY), ("Jabra Link", HEADSET), ("(hw:1,0)", ARRAY), ("mic", MIC)],
    ids=["a part, small or large", "a part", "its number", "the whole name is not a part"],
)
def test_a_name_is_found(name: str, device: Device) -> None:
    assert named(name, ALL) is device


def test_the_same_name_under_another_number() -> None:
    moved = Device(0, "ReSpeaker 4 Mic Array: USB Audio (hw:3,0)", 6, 16000)
    assert named(lasting_name(ARRAY, ALL), [moved, HEADSET, MIC]) is moved


def test_a_name_of_several_is_an_error_that_lists_them() -> None:
    with pytest.raises(SourceLost) as error:
        named("usb", ALL)
    assert str(error.value) == (
        "microphone 'usb': expected one device, got 2: "
        "Jabra Link: USB Audio (hw:2,0), ReSpeaker 4 Mic Array: USB Audio (hw:1,0)"
    )


def test_an_unknown_name_is_an_error_that_lists_what_there_is() -> None:
    with pytest.raises(SourceLost, match=r"'webcam': no device has that.*; there is Jabra.*, mic$"):
        named("webcam", ALL)
    with pytest.raises(SourceLost, match=r"there is nothing$"):
        named("webcam", [])


def test_two_of_a_kind_keep_their_numbers() -> None:
    """Nothing else tells them apart."""
    second = Device(5, "ReSpeaker 4 Mic Array: USB Audio (hw:3,0)", 6, 16000)
    assert lasting_name(second, [*ALL, second]) == second.name
    assert lasting_name(HEADSET, [*ALL, second]) == "Jabra Link: USB Audio"


@pytest.mark.parametrize(
    ("has", "channel", "opened"),
    [(1, None, 1), (6, None, 6), (6, 2, 6), (32, None, 2), (32, 1, 2), (32, 5, 5)],
)
def test_as_many_channels_as_a_card_has_but_not_as_a_plugin_says(
    has: int, channel: int | None, opened: int
) -> None:
    assert Device(0, "mic", has, 48000).channels_for(channel) == opened


def test_a_channel_that_is_not_there_is_an_error() -> None:
    with pytest.raises(SourceLost, match="mic has 2 channels, got channel 3"):
        Device(0, "mic", 2, 48000).channels_for(3)


def test_the_library_is_imported_by_who_drives_it_and_missed_in_words() -> None:
    code = """
import sys
from sources.microphone import Microphone, list_devices
from streamer.errors import SourceLost
Microphone(stream="mic", device="mic")
print(*sorted({"sounddevice", "torch"} & set(sys.modules)))
sys.modules["sounddevice"] = None  # as if it were not installed
try:
    list_devices()
except SourceLost as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == [
        "",
        "a microphone needs sounddevice: install imagebind-streamer[microphone]",
    ]


def test_channels_are_chosen_or_averaged_and_amplified() -> None:
    two = np.array([[0.5, -0.25], [1.0, 0.0]], np.float32)
    np.testing.assert_array_equal(mixed(two, None, 0.0), [0.125, 0.5])
    np.testing.assert_array_equal(mixed(two, 1, 0.0), [0.5, 1.0])
    # Beyond 1: nothing is cut.
    np.testing.assert_allclose(mixed(two, 2, 20.0), [-2.5, 0.0])
    assert mixed(two, 1, 3.0).dtype == np.float32
