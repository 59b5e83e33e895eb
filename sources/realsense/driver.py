"""Drives a RealSense camera, or plays a recording of one, in the process of the source.

By the library's sensors and not by its pipeline: that keeps only the newest reading of motion for
each set of pictures, holds pictures back to pair them, and swallows the first of everything.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sources.isolated.port import Port
from sources.realsense.delivery import Delivery, Names
from sources.realsense.depth import DepthFinish
from sources.realsense.devices import described, find
from sources.realsense.intake import Caught, Intake, Kind
from sources.realsense.library import library
from sources.realsense.profiles import Chosen, Mode, choose
from sources.realsense.source import RealSense
from streamer.errors import SourceLost
from streamer.types import NS_PER_S

QUIET_S = 0.4
"""After so long without a frame the device is looked for."""

RESET_NS = 3 * NS_PER_S
"""A device that was opened and says nothing for so long is reset. It is then gone for seconds."""

ALIVE_NS = NS_PER_S
"""A device that was heard so recently can be stopped; stopping a dead one can block for ever
(#7252, #9184)."""

_DRAINED_S = 0.05


def drive(source: RealSense, port: Port) -> None:
    """Raises SourceLost, whatever the library calls it."""
    run(library(), source, port)


def run(rs: Any, source: RealSense, port: Port) -> None:
    """With `rs`, the library."""
    try:
        if source.file is None:
            _live(rs, source, port)
        else:
            _play(rs, source.file, source, port)
    except RuntimeError as error:
        what = source.file or f"RealSense {source.serial or 'device'}"
        raise SourceLost(f"{what}: {str(error).splitlines()[0]}") from None


def _live(rs: Any, source: RealSense, port: Port) -> None:
    # Whoever lets go of the context is told of no changes any more (#4212).
    context = rs.context()
    device = find(rs, context, source.serial)
    name, serial = described(rs, device), device.get_info(rs.camera_info.serial_number)
    intake = Intake()

    def changed(event: Any) -> None:
        if event.was_removed(device):
            intake.note("removed")

    def silent() -> None:
        find(rs, context, serial)  # raises when it is gone and nobody told
        if intake.last_ns is None and port.now_ns() - begun_ns > RESET_NS:
            # What hung last time, too: the process of then was killed and could not do this.
            device.hardware_reset()
            raise SourceLost(f"{name}: no frame for 3 s since it was opened, reset")

    context.set_devices_changed_callback(changed)
    sensors = device.query_sensors()
    for sensor in sensors:
        if sensor.supports(rs.option.global_time_enabled):
            sensor.set_option(rs.option.global_time_enabled, float(source.global_time))
    chosen = choose(name, sensors, wanted(source))
    begun_ns = port.now_ns()
    with streaming(chosen, intake):
        port.opened(f"{name}: {_agreed(chosen)}")
        read(intake, _delivery(rs, source, port, chosen), name, silent)


def _play(rs: Any, file: Path, source: RealSense, port: Port) -> None:
    if not file.is_file():
        raise SourceLost(f"{file}: no such recording")
    told = False
    while source.loop or not told:
        # Opened anew for each round: what has ended cannot be wound back while it is read.
        played = rs.context().load_device(str(file))
        intake = Intake()

        def changed(status: Any, intake: Intake = intake) -> None:
            if status == rs.playback_status.stopped:
                intake.note("played")

        played.set_real_time(True)
        chosen = choose(file.name, played.query_sensors(), wanted(source))
        played.set_status_changed_callback(changed)
        # It begins with the first sensor that is started, and the others would miss theirs.
        played.pause()
        with streaming(chosen, intake):
            played.resume()
            if not told:
                port.opened(f"{file.name}: {described(rs, played)}: {_agreed(chosen)}")
                told = True
            # One that never says its end is found hanging by the program, which hears nothing.
            read(intake, _delivery(rs, source, port, chosen), file.name, lambda: None)


def read(intake: Intake, to: Delivery, name: str, silent: Callable[[], None]) -> None:
    """Hand over until a recording ends. `silent` is called now and then while nothing comes.

    Raises `SourceLost` when the device is gone, and what `silent` raises.
    """
    while True:
        match intake.next(QUIET_S):
            case Caught() as caught:
                to.take(caught)
            case "removed":
                raise SourceLost(f"{name}: unplugged")
            case "played":
                break
            case None:
                silent()
    # The library's threads are told of the end beside each other.
    while isinstance(caught := intake.next(_DRAINED_S), Caught):
        to.take(caught)
    if intake.last_ns is None:
        raise SourceLost(f"{name}: no frame in it")
    to.end()


@contextmanager
def streaming(chosen: dict[Kind, Chosen], intake: Intake) -> Generator[None, None, None]:
    """Frames go to `intake`. On leaving the sensors are stopped, unless the device is gone or has
    been silent; then the process ends with them, and the program sees to that."""
    sensors: list[Any] = []
    for choice in chosen.values():
        if choice.sensor not in sensors:
            sensors.append(choice.sensor)
    for sensor in sensors:
        sensor.open([choice.profile for choice in chosen.values() if choice.sensor is sensor])
    for sensor in sensors:
        sensor.start(intake)
    gone = False
    try:
        yield
    except (SourceLost, RuntimeError):
        gone = True
        raise
    finally:
        if not gone and intake.alive(ALIVE_NS):
            for sensor in sensors:
                sensor.stop()
                sensor.close()


def _delivery(rs: Any, source: RealSense, port: Port, chosen: dict[Kind, Chosen]) -> Delivery:
    names = Names(source.depth, source.colour, source.imu)
    finish = DepthFinish(
        rs,
        spatial=source.spatial,
        temporal=source.temporal,
        hole_filling=source.hole_filling,
        align=source.align,
    )
    rates: dict[Kind, int] = {kind: choice.hz for kind, choice in chosen.items()}
    return Delivery(port, names, rates, finish, source.file is not None)


def wanted(source: RealSense) -> dict[Kind, Mode]:
    """What to open; of a recording, what it has."""
    as_it_comes = source.file is not None
    modes: dict[Kind, Mode] = {}
    if source.depth is not None:
        modes["depth"] = Mode(source.depth_size, source.depth_hz)
    if source.colour is not None:
        modes["colour"] = Mode(source.colour_size, source.colour_hz)
    if source.imu is not None:
        modes |= {"gyro": Mode(None, source.gyro_hz), "accel": Mode(None, source.accel_hz)}
    return dict.fromkeys(modes, Mode(None, None)) if as_it_comes else modes


def _agreed(chosen: dict[Kind, Chosen]) -> str:
    return ", ".join(choice.what for choice in chosen.values())
