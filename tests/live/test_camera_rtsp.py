"""An RTSP camera, frozen, killed, silent, behind a password: what each costs, and for how long."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any

import numpy as np
import pytest

from sources.camera.address import address
from sources.camera.capture import open_address
from sources.camera.frames import Frames
from sources.camera.source import Camera
from sources.isolated.slots import SLOTS
from sources.isolated.watch import Patience
from streamer.clock import monotonic_ns
from streamer.errors import SourceLost
from streamer.types import NS_PER_S, Sample
from tests.attending import attending
from tests.mosquitto import free_port
from tests.promises import BACK_S, GONE_S, HANG_S
from tests.rtsp_server import RtspServer, age_s, rtsp_server

RATE_HZ = 30


def front(url: str, **options: object) -> Camera:
    return Camera.model_validate({"stream": "front", "url": url, **options})


def picture(sample: Sample) -> np.ndarray:
    assert isinstance(sample.data, np.ndarray)
    return sample.data


@asynccontextmanager
async def serving(**options: Any) -> AsyncGenerator[RtspServer]:
    with ExitStack() as stack:
        yield await asyncio.to_thread(stack.enter_context, rtsp_server(**options))


@contextmanager
def black_hole() -> Generator[int, None, None]:
    """The port of a listener that accepts, as the kernel does, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


async def test_pictures_come_small_in_rgb_and_stamped_when_they_were_taken() -> None:
    async with serving(width=640, height=480) as camera:
        async with attending(front(camera.url, max_height=240)) as seen:
            await seen.until_more(40)
            taken = list(seen.samples)[-30:]
    stamps = [t_ns for t_ns, _ in taken]
    assert stamps == sorted(set(stamps))
    for t_ns, sample in taken:
        assert picture(sample).shape == (240, 320, 3)
        assert picture(sample).dtype == np.uint8
        red, green, blue = picture(sample)[200, 160].tolist()
        assert red > 200
        assert max(green, blue) < 60
        assert sample.clock.domain == "rtp"
        # The number in the picture says when it was drawn.
        assert abs(age_s(picture(sample), RATE_HZ, t_ns)) < 0.25
    assert np.median([sample.duration_ns for _, sample in taken]) == pytest.approx(33.3e6, rel=0.2)


async def test_a_camera_that_freezes_is_noticed_and_is_back_when_it_thaws() -> None:
    async with serving() as camera:
        async with attending(front(camera.url)) as seen:
            await seen.until_more(10)
            frozen_ns = monotonic_ns()
            camera.freeze()
            status = await seen.until_state("stalled")
            noticed_s = (seen.states[-1][0] - frozen_ns) / NS_PER_S
            assert status.why == "front: no sample for 1.5 s since the last"
            assert noticed_s < HANG_S
            # What is opened meanwhile gets no answer either, and says nothing new.
            await asyncio.sleep(1)
            thawed_ns = monotonic_ns()
            camera.thaw()
            await seen.until_state("online")
            assert (seen.states[-1][0] - thawed_ns) / NS_PER_S < BACK_S
            await seen.until_more(10)
            assert age_s(picture(seen.last), RATE_HZ, monotonic_ns()) < 0.5, "nothing from before"


async def test_a_camera_that_is_killed_is_noticed_and_is_back_on_the_same_port() -> None:
    async with serving() as camera:
        async with attending(front(camera.url)) as seen:
            await seen.until_more(10)
            killed_ns = monotonic_ns()
            camera.stop()
            status = await seen.until_state("offline")
            assert (seen.states[-1][0] - killed_ns) / NS_PER_S < GONE_S
            assert status.why == (
                f"front: {camera.url}: no more pictures: unplugged, or the stream has ended"
            )
            back_ns = monotonic_ns()
            await asyncio.to_thread(camera.start)
            await seen.until_state("online")
            assert (seen.states[-1][0] - back_ns) / NS_PER_S < BACK_S
            assert [status.state for _, status in seen.states] == ["online", "offline", "online"]


async def test_a_camera_that_repeats_one_picture_is_noticed_though_pictures_come() -> None:
    patience = Patience(repeat_s=1)
    async with serving(codec="jpeg") as camera:
        async with attending(front(camera.url, patience=patience)) as seen:
            await seen.until_more(10)
            camera.hold()
            status = await seen.until_state("stalled")
    assert status.why == "front: repeats one picture for 1 s"


async def test_after_a_pause_the_newest_picture_comes() -> None:
    async with serving() as camera:
        async with attending(front(camera.url)) as seen:
            await seen.until_more(15)
            seen.going.clear()
            await asyncio.sleep(1.5)
            before = seen.count
            seen.going.set()
            # Those that were in shared memory when the pause began, and no more of the past.
            await seen.until_more(SLOTS + 3)
            ages = [age_s(picture(s), RATE_HZ, monotonic_ns()) for _, s in list(seen.samples)]
            stamped = [age_s(picture(sample), RATE_HZ, t_ns) for t_ns, sample in seen.samples]
    assert seen.count >= before + SLOTS + 3
    assert ages[-1] < 0.5
    assert sum(age > 0.75 for age in ages[-(SLOTS + 3) :]) <= SLOTS + 1
    assert max(map(abs, stamped[-(SLOTS + 3) :])) < 0.5, "old or new, each has its own time"
    dropped = seen.ledgers.dropped("front")
    assert dropped.get("overload", 0) > RATE_HZ // 2, "what the pause cost is counted"


async def test_a_refused_connection_is_told_at_once() -> None:
    url = f"rtsp://127.0.0.1:{free_port()}/x"
    async with attending(front(url)) as seen:
        status = await seen.until_state("offline")
    assert status.why.startswith(f"front: {url}: Connection to tcp://127.0.0.1:")
    assert status.why.endswith("failed: Connection refused")


async def test_passwords_come_from_the_environment_and_are_never_shown(
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    awkward = "s3cret/@:%"
    monkeypatch.setenv("FRONT_PASSWORD", awkward)
    account = {"user": "robot", "password_env": "FRONT_PASSWORD"}
    unset = {"user": "robot", "password_env": "UNSET"}
    caplog.set_level(logging.DEBUG)
    async with serving(user="robot", password=awkward) as camera:
        async with attending(front(camera.url, **account)) as seen:
            await seen.until_more(5)
            camera.stop()
            gone = await seen.until_state("offline")
        await asyncio.to_thread(camera.start)
        with_account = camera.url.replace("://", "://robot:wr0ng@") + "?key=als0secret"
        async with attending(front(with_account)) as refused:
            wrong = await refused.until_state("offline")
        async with attending(front(camera.url, **unset)) as keyless:
            missing = await keyless.until_state("offline")
    assert gone.why.startswith("front: rtsp://***@127.0.0.1:")
    assert wrong.why.startswith("front: rtsp://***@127.0.0.1:")
    assert wrong.why.endswith("?***: method DESCRIBE failed: 401 (Unauthorized)")
    assert missing.why == "front: password_env: the environment has no UNSET"
    said = caplog.text + "".join(capfd.readouterr()) + gone.why + wrong.why
    said += repr(front(with_account))
    for secret in ("s3cret", "wr0ng", "als0secret"):
        assert secret not in said


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_black_hole_is_given_up(scheme: str) -> None:
    with black_hole() as port:
        url = f"{scheme}://127.0.0.1:{port}/x"
        began_ns = monotonic_ns()
        with pytest.raises(SourceLost, match=f"^{url}: no answer for 0.5 s$"):
            open_address(address(url), 0.5, 1)
        assert monotonic_ns() - began_ns < 2 * NS_PER_S


def test_a_read_that_hangs_ends_the_capture_at_its_time_out() -> None:
    # Left alone OpenCV reads on for three times as long, from the decoder's store, and says True.
    with rtsp_server() as camera:
        frames = open_address(address(camera.url), 10, 0.5)
        try:
            for _ in range(10):
                frames.grab()
            camera.freeze()
            frozen_ns = monotonic_ns()
            with pytest.raises(SourceLost, match=r"no picture for 0\.5 s"):
                grab_for_ever(frames)
            assert monotonic_ns() - frozen_ns < 1.4 * NS_PER_S
        finally:
            frames.close()


def grab_for_ever(frames: Frames) -> None:
    while True:
        frames.grab()


def test_what_libraries_write_to_stderr_is_given_back_to_it_afterwards(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SourceLost, match="Connection refused"):
        open_address(address(f"rtsp://127.0.0.1:{free_port()}/x"), 1, 1)
    os.write(2, b"heard\n")
    assert capfd.readouterr().err == "heard\n"
