"""The seam to OpenCV: what a V4L2 camera is asked for, and what is made of its answers.

The machines that build this have no V4L2: here a double stands where `cv2.VideoCapture` would.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sources.camera.capture import Capture, Wish, arrange, fourcc_text, open_node, reason
from sources.camera.pipeline import arguments, complaint
from sources.camera.source import Camera, reduced, write
from sources.v4l2 import Node
from streamer.errors import SourceLost
from tests.plugged import Device


def test_a_camera_is_asked_for_its_format_first_then_size_then_rate() -> None:
    device = Device()
    arrange(device, Wish(1280, 720, 60, "MJPG", 5))
    assert device.asked == [
        (cv2.CAP_PROP_FOURCC, float(cv2.VideoWriter.fourcc(*"MJPG"))),
        (cv2.CAP_PROP_FRAME_WIDTH, 1280),
        (cv2.CAP_PROP_FRAME_HEIGHT, 720),
        (cv2.CAP_PROP_FPS, 60),
        (cv2.CAP_PROP_AUTO_EXPOSURE, 1),  # manual
        (cv2.CAP_PROP_EXPOSURE, 50),  # in units of 0.1 ms
    ]
    assert Capture(device, "cam", 2).what == "cam: 1280x720 at 60 fps, MJPG"


def test_what_nobody_wishes_is_left_as_it_is() -> None:
    device = Device()
    arrange(device, Wish())
    assert device.asked == []
    arrange(device, Wish(exposure_ms="auto"))
    assert device.asked == [(cv2.CAP_PROP_AUTO_EXPOSURE, 3)]


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=4, max_size=4))
def test_a_format_is_shown_as_it_was_asked_for(fourcc: str) -> None:
    assert fourcc_text(cv2.VideoWriter.fourcc(*fourcc)) == fourcc


@pytest.mark.parametrize("code", [0.0, -1.0, 1e12, float("nan"), 22.0])
def test_what_is_no_format_is_not_shown(code: float) -> None:
    assert fourcc_text(code) == ""


def test_a_grab_carries_the_stamp_of_the_driver() -> None:
    grab = Capture(Device(), "cam", 2).grab()
    assert grab is not None
    assert grab.position_ms == 1234.5


@pytest.mark.parametrize(
    ("device", "takes_s", "why"),
    [
        (Device(grab=True), 0.0, "cam: no more pictures: unplugged, or the stream has ended"),
        # A picture from the decoder's store, that comes after the time-out, is none.
        (Device(), 0.3, "cam: no picture for 0.2 s"),
    ],
)
def test_a_grab_that_fails_or_takes_too_long_is_a_loss(
    device: Device, takes_s: float, why: str
) -> None:
    device.takes_s = takes_s
    with pytest.raises(SourceLost, match=why):
        Capture(device, "cam", 0.2).grab()


def test_a_picture_that_cannot_be_decoded_is_a_loss() -> None:
    with pytest.raises(SourceLost, match="cannot be decoded"):
        Capture(Device(retrieve=True), "cam", 2).picture()


def test_what_is_no_camera_is_not_opened() -> None:
    with pytest.raises(SourceLost, match="/dev/null: no camera that OpenCV can open"):
        open_node(Node(Path("/dev/null")), Wish(), 1)


def test_the_reason_is_that_of_ffmpeg_where_it_gives_one() -> None:
    generic = (
        "[ WARN:0@0.3] global cap.cpp:212 open VIDEOIO(FFMPEG): backend is generally available"
    )
    ffmpeg = "[rtsp @ 0x55ba] method DESCRIBE failed: 404 (Not Found)"
    assert reason(f"{ffmpeg}\n{generic}\n") == "method DESCRIBE failed: 404 (Not Found)"
    assert reason(f"{generic}\n") == ""
    assert reason("") == ""
    assert reason("[ WARN:0@0.1] global cap_v4l.cpp:914 open: can't open camera") == (
        "global cap_v4l.cpp:914 open: can't open camera"
    )
    assert len(reason("x" * 8192)) == 200


def test_the_complaint_of_a_pipeline_is_its_first_error_without_accounts() -> None:
    said = (
        "WARNING: from element /a: slow\n"
        "ERROR: from element /b: Could not open rtsp://me:s3cret@cam/x?k=v.\nAdditional debug\n"
    )
    assert complaint(said) == "from element /b: Could not open rtsp://***@cam/x?***"
    assert complaint("") == ""
    assert len(complaint("y" * 8192)) == 200


def test_a_pipeline_ends_in_raw_pictures_of_a_known_size() -> None:
    words = arguments('a name="b c" ! d', 640, 480, 29.97, 7)
    assert words[:4] == ["a", "name=b c", "!", "d"]
    caps = "video/x-raw,format=RGB,width=640,height=480,framerate=2997/100"
    assert words[4:] == ["!", "videoconvert", "!", caps, "!", "fdsink", "fd=7"]


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(16, 2000))
def test_pictures_are_reduced_never_enlarged_and_keep_their_ratio(
    height: int, width: int, most: int
) -> None:
    assert reduced(height, width, None) == (height, width)
    new_height, new_width = reduced(height, width, most)
    assert new_height == min(height, most)
    assert abs(new_width - max(1, width * new_height / height)) <= 0.5


@pytest.mark.parametrize("size", [(48, 64), (24, 32)])
def test_pictures_are_written_in_rgb(size: tuple[int, int]) -> None:
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:] = (1, 2, 3)
    into = np.zeros((*size, 3), np.uint8)
    write(picture, "BGR", into)
    assert np.all(into == (3, 2, 1))
    write(picture, "RGB", into)
    assert np.all(into == (1, 2, 3))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "expected one of device, url and pipeline, got none"),
        ({"device": 0, "url": "rtsp://me:s3cret@x/"}, "got device, url"),
        ({"url": "rtsp://me:s3cret@x/", "fourcc": "MJPG"}, "a url takes no fourcc"),
        ({"url": "ftp://me:s3cret@x/"}, "url: expected an address rtsp://, rtsps://, http://"),
        ({"url": "rtsp://x/", "password_env": "P"}, "password_env needs user"),
        ({"device": 0, "user": "me"}, "a device takes no user"),
        ({"device": -1}, "device: expected 0 or more, got -1"),
        ({"device": ""}, "at least 1 character"),
        ({"pipeline": "videotestsrc"}, "a pipeline needs width and height"),
        ({"pipeline": "a", "width": 16384, "height": 16384}, "at most 64 MiB from a pipeline"),
        ({"pipeline": "a 'b", "width": 64, "height": 48}, "pipeline: No closing quotation"),
    ],
)
def test_what_contradicts_itself_is_refused(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why) as refused:
        Camera.model_validate({"stream": "front", **fields})
    assert not any("s3cret" in problem["msg"] for problem in refused.value.errors())
