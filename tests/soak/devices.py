"""Five devices on this machine, without hardware, and what can be done to each.

Camera: an RTSP server. Microphone: PortAudio on a PulseAudio of our own. Inertial unit: a serial
line on a pseudo-terminal. Depth: a recording of a RealSense device, played in a loop by its own
library. Thermal: a recorded CPTV file in a loop.
"""

import random
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.needs import shared
from tests.realsense_recording import write_recording
from tests.rtsp_server import rtsp_server
from tests.serial_imu import OPTIONS, SerialImu
from tests.soak.processes import Processes
from tests.sound_rig import SoundRig

RECORDED_S = 10.0


@dataclass(frozen=True, slots=True)
class Harm:
    """`end` None: it passes by itself, or the run is to see to it."""

    begin: Callable[[], None]
    end: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """`config` is its source in a run's configuration; `harms` by kind of fault."""

    stream: str
    config: Mapping[str, Any]
    harms: Mapping[str, Harm]


@dataclass(frozen=True, slots=True)
class Rig:
    devices: tuple[Device, ...]
    environment: Mapping[str, str]


@contextmanager
def rig(processes: Processes, seed: int) -> Generator[Rig, None, None]:
    """All five, running. Takes some seconds, since the depth is recorded first."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="soak-")))
        camera = stack.enter_context(rtsp_server(rate_hz=15))
        (folder / "sound").mkdir()
        sound = SoundRig(folder / "sound")
        stack.callback(sound.stop)
        sound.start()
        imu = stack.enter_context(SerialImu(folder / "imu", rate_hz=200))
        recording = folder / "depth.db3"
        write_recording(recording, RECORDED_S)
        heat = folder / "heat.cptv"
        heat.write_bytes(shared("recordings/thermal/cptv/possum.cptv").read_bytes())
        chance = random.Random(seed)  # noqa: S311 - to be repeated, not secret

        def usual(stream: str) -> dict[str, Harm]:
            return {
                "killed": Harm(lambda: processes.kill(stream)),
                "frozen": Harm(lambda: processes.freeze(stream)),
            }

        def away(stream: str, file: Path) -> Harm:
            """A file has no plug: it is taken away, and with it who plays it."""
            hidden = file.with_suffix(".away")

            def begin() -> None:
                file.rename(hidden)
                processes.kill(stream)

            def end() -> None:
                hidden.rename(file)

            return Harm(begin, end)

        def set_clock() -> None:
            imu.step_clock(chance.choice((-1, 1)) * chance.uniform(1, 100))

        devices = (
            Device(
                "front",
                {"kind": "camera", "url": camera.url},
                {
                    **usual("front"),
                    "server killed": Harm(camera.stop, camera.start),
                    "server frozen": Harm(camera.freeze, camera.thaw),
                },
            ),
            Device(
                "mic",
                {"kind": "microphone", "device": "mic"},
                {
                    **usual("mic"),
                    "unplugged": Harm(sound.unload, sound.load),
                    "server killed": Harm(sound.kill, sound.start),
                    "server frozen": Harm(sound.freeze, sound.thaw),
                },
            ),
            Device(
                "base",
                {"kind": "serial_imu", "port": str(imu.path), **_listed(OPTIONS)},
                {
                    **usual("base"),
                    "unplugged": Harm(imu.unplug, imu.replug),
                    "garbage": Harm(lambda: imu.garbage(100)),
                    "clock set": Harm(set_clock),
                },
            ),
            Device(
                "front-depth",
                {
                    "kind": "realsense",
                    "file": str(recording),
                    "loop": True,
                    "depth": "front-depth",
                    "colour": None,
                    "imu": None,
                },
                {**usual("front-depth"), "unplugged": away("front-depth", recording)},
            ),
            Device(
                "front-thermal",
                {
                    "kind": "cptv",
                    "path": str(heat),
                    "unit": "counts",
                    "level": {"kind": "slow"},
                    "loop": True,
                },
                {**usual("front-thermal"), "unplugged": away("front-thermal", heat)},
            ),
        )
        yield Rig(devices, sound.environment)


def _listed(options: Mapping[str, Any]) -> dict[str, Any]:
    """YAML has lists and no tuples."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in options.items()}
