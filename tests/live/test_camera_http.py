"""An HTTP camera (motion JPEG): its pace, its silence, its end, its refusals."""

import numpy as np
import pytest

from sources.camera.source import Camera
from streamer.clock import monotonic_ns
from streamer.types import NS_PER_S
from tests.attending import attending
from tests.mjpeg_server import http_camera
from tests.promises import BACK_S, GONE_S, HANG_S
from tests.rtsp_server import age_s

RATE_HZ = 30


def gate(url: str, **options: object) -> Camera:
    return Camera.model_validate({"stream": "gate", "url": url, **options})


async def test_pictures_come_at_the_pace_of_the_camera_and_not_at_a_guessed_one() -> None:
    # FFmpeg counts the pictures up at 25 Hz, whatever the camera does: its stamps would run away.
    with http_camera(RATE_HZ) as camera:
        async with attending(gate(camera.url)) as seen:
            await seen.until_more(40)
            taken = list(seen.samples)[-30:]
    for t_ns, sample in taken:
        assert isinstance(sample.data, np.ndarray)
        assert sample.data.shape == (240, 320, 3)
        red, green, blue = sample.data[200, 160].tolist()
        assert red > 200
        assert max(green, blue) < 60
        assert abs(age_s(sample.data, RATE_HZ, t_ns)) < 0.5
        assert sample.clock.domain == "host"
    lengths = [sample.duration_ns for _, sample in taken]
    steps = np.diff([t_ns for t_ns, _ in taken])
    assert np.mean(lengths) == pytest.approx(float(np.mean(steps)), rel=0.3)


async def test_silence_is_noticed_and_pictures_come_again_after_it() -> None:
    with http_camera(RATE_HZ) as camera:
        async with attending(gate(camera.url)) as seen:
            await seen.until_more(5)
            camera.going.clear()
            silent_ns = monotonic_ns()
            status = await seen.until_state("stalled")
            assert status.why == "gate: no sample for 1.5 s since the last"
            assert (seen.states[-1][0] - silent_ns) / NS_PER_S < HANG_S
            camera.going.set()
            back_ns = monotonic_ns()
            await seen.until_state("online")
            assert (seen.states[-1][0] - back_ns) / NS_PER_S < BACK_S


async def test_the_end_of_the_answer_is_a_loss_that_is_told_at_once() -> None:
    with http_camera(RATE_HZ) as camera:
        async with attending(gate(camera.url + "?user=me&pwd=topsecret")) as seen:
            await seen.until_more(5)
            ended_ns = monotonic_ns()
            camera.over.set()
            status = await seen.until_state("offline")
            assert (seen.states[-1][0] - ended_ns) / NS_PER_S < GONE_S
    assert status.why.startswith(f"gate: {camera.url}?***: no more pictures")
    assert camera.asked[0].endswith("?user=me&pwd=topsecret")


async def test_what_is_not_there_says_so() -> None:
    with http_camera(RATE_HZ) as camera:
        camera.status = 404
        async with attending(gate(camera.url)) as seen:
            status = await seen.until_state("offline")
    assert status.why == f"gate: {camera.url}: HTTP status 404 Not Found"
