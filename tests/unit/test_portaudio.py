"""Which microphone is meant by a name."""

import pytest

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
