"""The process that has the devices and harms them: `python -m tests.soak.injector SEED`.

Speaks JSON, a line each. Says what the devices are; is told `pid` of the run and `seconds`; says
each fault when it is over, then `done`, and keeps the devices until nobody listens any more.
"""

import json
import sys
import threading
from collections.abc import Iterable
from typing import Any

from streamer.clock import SystemClock
from streamer.types import NS_PER_S
from tests.soak.devices import Device, rig
from tests.soak.processes import Processes
from tests.soak.schedule import Planned, schedule


def main(seed: int) -> None:
    processes = Processes()
    with rig(processes, seed) as rigged:
        sources = [
            dict(device.config)
            | ({} if device.config["kind"] == "realsense" else {"stream": device.stream})
            for device in rigged.devices
        ]
        say({"sources": sources, "environment": dict(rigged.environment)})
        told = sys.stdin.readline()
        if not told:
            return
        go = json.loads(told)
        processes.pid = go["pid"]
        kinds = {device.stream: list(device.harms) for device in rigged.devices}
        planned = schedule(seed, go["seconds"], kinds)
        clock = SystemClock()
        began_ns = clock.now_ns()
        threads = [
            threading.Thread(
                target=_harm,
                args=(device, [p for p in planned if p.stream == device.stream], clock, began_ns),
            )
            for device in rigged.devices
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        say({"done": True})
        sys.stdin.readline()


def _harm(device: Device, planned: Iterable[Planned], clock: SystemClock, began_ns: int) -> None:
    try:
        for fault in planned:
            harm = device.harms[fault.kind]
            _wait((began_ns + fault.at_s * NS_PER_S - clock.now_ns()) / NS_PER_S)
            at_ns = back_ns = clock.now_ns()
            harm.begin()
            if harm.end is not None:
                _wait(fault.away_s)
                harm.end()
                back_ns = clock.now_ns()
            say({"fault": [device.stream, fault.kind, at_ns, back_ns]})
    except Exception as error:
        say({"error": f"{device.stream}: {error!r}"})
        raise


def _wait(seconds: float) -> None:
    threading.Event().wait(max(0.0, seconds))


_saying = threading.Lock()


def say(what: dict[str, Any]) -> None:
    with _saying:
        print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
