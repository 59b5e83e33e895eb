"""Every kind of live source on this machine, with a device of its kind behind it. No hardware.

`RIGS` by name, `ISOLATED` those with a process of their own: a context manager that yields a source
whose device is there. What they start is shared by the tests of a module: servers take their time.
"""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeAlias

from sources.camera.source import Camera
from sources.imu.serial_lines import SerialLines
from sources.microphone import Microphone
from sources.realsense.source import RealSense
from sources.synthetic import SyntheticSource
from sources.thermal.cptv import Cptv
from sources.thermal.levels import SlowLevel
from sources.world.source import World
from streamer.protocols import Source
from streamer.types import Modality
from tests.needs import program, shared
from tests.puppet import Puppet
from tests.realsense_recording import write_recording
from tests.rtsp_server import rtsp_server
from tests.serial_imu import OPTIONS, SerialImu
from tests.sound_rig import sound_rig

Rig: TypeAlias = Callable[[Path], AbstractContextManager[Source]]


@contextmanager
def puppet(folder: Path) -> Generator[Source, None, None]:
    del folder
    yield Puppet(stream="puppet", rate_hz=50)


@contextmanager
def world(folder: Path) -> Generator[Source, None, None]:
    del folder
    yield World(truth=None)


def synthetic(modality: Modality, rate_hz: int, block: int = 1) -> Rig:
    @contextmanager
    def rig(folder: Path) -> Generator[Source, None, None]:
        del folder
        yield SyntheticSource(stream=modality, modality=modality, rate_hz=rate_hz, block=block)

    return rig


@contextmanager
def camera_rtsp(folder: Path) -> Generator[Source, None, None]:
    del folder
    with rtsp_server(rate_hz=15) as server:
        yield Camera(stream="rtsp", url=server.url)


@contextmanager
def camera_pipeline(folder: Path) -> Generator[Source, None, None]:
    del folder
    program("gst-launch-1.0")
    # Noise: a picture that repeats is a camera that hangs.
    pipeline = "videotestsrc is-live=true pattern=snow ! video/x-raw,framerate=15/1"
    yield Camera(stream="pipeline", pipeline=pipeline, width=160, height=120)


@contextmanager
def microphone(folder: Path) -> Generator[Source, None, None]:
    del folder
    with sound_rig() as sound:
        sound.tone(1000.0)
        yield Microphone(stream="mic", device="mic")


@contextmanager
def serial_imu(folder: Path) -> Generator[Source, None, None]:
    with SerialImu(folder / "imu", rate_hz=200) as imu:
        yield SerialLines(stream="serial", port=str(imu.path), **OPTIONS)


@contextmanager
def realsense(folder: Path) -> Generator[Source, None, None]:
    recording = folder / "desk.db3"
    write_recording(recording, 3.0)
    yield RealSense(file=recording, loop=True)


@contextmanager
def cptv(folder: Path) -> Generator[Source, None, None]:
    del folder
    path = shared("recordings/thermal/cptv/possum.cptv")
    yield Cptv(path=path, stream="heat", unit="counts", level=SlowLevel(), loop=True)


ISOLATED: dict[str, Rig] = {
    "puppet": puppet,
    "camera rtsp": camera_rtsp,
    "camera pipeline": camera_pipeline,
    "microphone": microphone,
    "serial_imu": serial_imu,
    "realsense": realsense,
    "cptv": cptv,
}
RIGS = ISOLATED | {
    "world": world,
    "synthetic vision": synthetic("vision", 30),
    "synthetic audio": synthetic("audio", 16_000, 320),
    "synthetic depth": synthetic("depth", 30),
    "synthetic thermal": synthetic("thermal", 9),
    "synthetic imu": synthetic("imu", 400, 10),
}

WITHOUT_A_KERNEL = {"thermal", "iio"}
"""Kinds that need a kernel with V4L2 or IIO. Their own tests have a folder stand in for it."""
