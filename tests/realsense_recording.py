"""A RealSense device of software, and recordings of it: no hardware, but the real library.

    drawn = write_recording(Path("desk.db3"), seconds=4.0)     # takes 4 s: the library's recorder
    RealSense(file="desk.db3", loop=True)                      # stamps what it gets when it comes

The file holds depth (z16), colour (rgb8), gyro and accel of one device, "Drawn 435" with the serial
number 0435. What frame n shows and what the readings are is told by `depth_units`, `colour_pixels`,
`turning` and `acceleration`; `write_recording` returns how many of each were made. Every frame
differs from the one before. Needs pyrealsense2 >= 2.58, which records `.db3` and no `.bag`.
"""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
from numpy.typing import NDArray

rs: Any = import_module("pyrealsense2")  # compiled, and without stubs

WIDTH, HEIGHT = 96, 64
HOLE = (slice(24, 32), slice(40, 48))
DEPTH_HZ, COLOUR_HZ, GYRO_HZ, ACCEL_HZ = 15, 15, 200, 100
METRES_PER_UNIT = 0.001
SERIAL = "0435"
START_MS = 1_700_000_000_000.0
"""The device's clock at the start of a recording; a whole number, so that no stamp is rounded."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """How many frames of each a recording holds."""

    depth: int
    colour: int
    gyro: int
    accel: int


def depth_units(n: int) -> NDArray[np.uint16]:
    """Frame n (H, W): a slope from 1 m rising by 4 mm a column, a frame 1 mm farther than the one
    before, with a hole of no return of 8 by 8 pixels."""
    units = np.tile(1000 + n + 4 * np.arange(WIDTH), (HEIGHT, 1)).astype(np.uint16)
    units[HOLE] = 0
    return units


def colour_pixels(n: int) -> NDArray[np.uint8]:
    """Frame n (H, W, 3) RGB: red to the right, green downwards, blue counts."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[..., 0] = 2 * np.arange(WIDTH)
    pixels[..., 1] = 3 * np.arange(HEIGHT)[:, None]
    pixels[..., 2] = n % 256
    return pixels


def turning(t_s: float) -> tuple[float, float, float]:
    """rad/s at `t_s` after the start."""
    return 0.1, -0.2, 0.25 * t_s


def acceleration(t_s: float) -> tuple[float, float, float]:
    """m/s^2 at `t_s` after the start: straight lines, which interpolation keeps."""
    return 0.5 * t_s, -1.5 * t_s, 9.81 - t_s


class Device:
    """A device of software: `sensors` open and start like any other's; `give_...` makes a frame.

    `domain` is the clock of its stamps. Delete it and what came from it to end it.
    """

    def __init__(self, serial: str = SERIAL) -> None:
        self.device = rs.software_device()
        self.domain: Any = rs.timestamp_domain.global_time
        self.device.register_info(rs.camera_info.name, "Drawn 435")
        self.device.register_info(rs.camera_info.serial_number, serial)
        self._stereo = self.device.add_sensor("Stereo Module")
        self._stereo.add_read_only_option(rs.option.depth_units, METRES_PER_UNIT)
        self._stereo.add_option(
            rs.option.global_time_enabled, rs.option_range(0.0, 1.0, 1.0, 0.0), True
        )
        self._rgb = self.device.add_sensor("RGB Camera")
        self._motion = self.device.add_sensor("Motion Module")
        self._depth = _video(self._stereo, rs.stream.depth, 1, DEPTH_HZ, rs.format.z16, 2)
        self._colour = _video(self._rgb, rs.stream.color, 2, COLOUR_HZ, rs.format.rgb8, 3)
        # Both look from the same place: depth aligned to colour is the depth as it was.
        self._depth.register_extrinsics_to(self._colour, _same_place())
        self._gyro = _inertial(self._motion, rs.stream.gyro, 3, GYRO_HZ)
        self._accel = _inertial(self._motion, rs.stream.accel, 4, ACCEL_HZ)

    def is_told_global_time(self) -> bool:
        """Somebody has set the option."""
        return self._stereo.get_option(rs.option.global_time_enabled) == 1

    def give_depth(self, n: int, t_ms: float, units: NDArray[np.uint16] | None = None) -> None:
        frame = _pixels(self._depth, n, t_ms, depth_units(n) if units is None else units)
        frame.domain, frame.depth_units = self.domain, METRES_PER_UNIT
        self._stereo.on_video_frame(frame)

    def give_colour(self, n: int, t_ms: float) -> None:
        frame = _pixels(self._colour, n, t_ms, colour_pixels(n))
        frame.domain = self.domain
        self._rgb.on_video_frame(frame)

    def give_gyro(self, n: int, t_ms: float, reading: tuple[float, float, float]) -> None:
        self._give_motion(self._gyro, n, t_ms, reading)

    def give_accel(self, n: int, t_ms: float, reading: tuple[float, float, float]) -> None:
        self._give_motion(self._accel, n, t_ms, reading)

    def _give_motion(self, profile: Any, n: int, t_ms: float, reading: tuple[float, ...]) -> None:
        frame = rs.software_motion_frame()
        vector = rs.vector()
        vector.x, vector.y, vector.z = reading
        frame.data, frame.profile = vector, profile
        frame.timestamp, frame.frame_number, frame.domain = t_ms, n, self.domain
        self._motion.on_motion_frame(frame)


def write_recording(path: Path, seconds: float) -> Drawn:
    """Make a `.db3` of about `seconds`, in that time. Blocks: not for an event loop's thread."""
    drawn = Device()
    recorder = rs.recorder(str(path), drawn.device)
    sensors = recorder.query_sensors()
    ignored = rs.frame_queue(1)
    for number in range(len(sensors)):  # a loop variable would keep the last one
        sensors[number].open(sensors[number].get_stream_profiles())
        sensors[number].start(ignored)
    given = dict.fromkeys(_GIVERS, 0)
    due = sorted(
        (n / hz, kind, n) for kind, (hz, _) in _GIVERS.items() for n in range(int(seconds * hz))
    )
    begun = perf_counter()
    for t_s, kind, n in due:
        sleep(max(0.0, t_s - (perf_counter() - begun)))
        _GIVERS[kind][1](drawn, n, START_MS + 1e3 * t_s, t_s)
        given[kind] += 1
    while sensors:
        sensors[-1].stop()
        sensors.pop().close()
    # The file is finished when the last of them is gone.
    del sensors, recorder, drawn, ignored
    gc.collect()
    return Drawn(**given)


_GIVERS: dict[str, tuple[int, Callable[[Device, int, float, float], None]]] = {
    "depth": (DEPTH_HZ, lambda drawn, n, t_ms, _: drawn.give_depth(n, t_ms)),
    "colour": (COLOUR_HZ, lambda drawn, n, t_ms, _: drawn.give_colour(n, t_ms)),
    "gyro": (GYRO_HZ, lambda drawn, n, t_ms, t_s: drawn.give_gyro(n, t_ms, turning(t_s))),
    "accel": (ACCEL_HZ, lambda drawn, n, t_ms, t_s: drawn.give_accel(n, t_ms, acceleration(t_s))),
}


def _intrinsics() -> Any:
    lens = rs.intrinsics()
    lens.width, lens.height = WIDTH, HEIGHT
    lens.ppx, lens.ppy, lens.fx, lens.fy = WIDTH / 2, HEIGHT / 2, 80.0, 80.0
    lens.model, lens.coeffs = rs.distortion.none, [0.0] * 5
    return lens


def _same_place() -> Any:
    nowhere = rs.extrinsics()
    nowhere.rotation, nowhere.translation = [1.0, 0, 0, 0, 1, 0, 0, 0, 1], [0.0] * 3
    return nowhere


def _video(sensor: Any, kind: Any, uid: int, hz: int, form: Any, pixel_bytes: int) -> Any:
    stream = rs.video_stream()
    stream.type, stream.index, stream.uid = kind, 0, uid
    stream.width, stream.height, stream.fps, stream.bpp = WIDTH, HEIGHT, hz, pixel_bytes
    stream.fmt, stream.intrinsics = form, _intrinsics()
    return rs.video_stream_profile(sensor.add_video_stream(stream))


def _inertial(sensor: Any, kind: Any, uid: int, hz: int) -> Any:
    stream = rs.motion_stream()
    stream.type, stream.index, stream.uid, stream.fps = kind, 0, uid, hz
    stream.fmt, stream.intrinsics = rs.format.motion_xyz32f, rs.motion_device_intrinsic()
    return rs.motion_stream_profile(sensor.add_motion_stream(stream))


def _pixels(profile: Any, n: int, t_ms: float, pixels: NDArray[Any]) -> Any:
    frame = rs.software_video_frame()
    frame.pixels, frame.profile = np.ascontiguousarray(pixels), profile
    frame.stride, frame.bpp = pixels.strides[0], pixels.strides[1]
    frame.timestamp, frame.frame_number = t_ms, n
    return frame
