"""`streamer doctor`: would this machine run that configuration, and if not, what to do."""

import logging
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Annotated

import typer
from rich.markup import escape

from configs.load import load
from configs.schema import RunConfig
from sinks.mqtt.sink import MqttSink
from streamer.cli.check.look import Look
from streamer.cli.doctor import sensors
from streamer.cli.doctor import weights as model
from streamer.cli.doctor.broker import broker
from streamer.cli.doctor.device import REMEDY, device, placement
from streamer.cli.doctor.disk import disk
from streamer.cli.doctor.finding import Finding, State
from streamer.cli.doctor.labels import labels
from streamer.cli.doctor.memory import memory
from streamer.cli.doctor.processor import processor
from streamer.cli.doctor.rounds import Rounds
from streamer.cli.doctor.versions import versions
from streamer.cli.doctor.wallclock import wallclock
from streamer.cli.output import Json, Overrides, console, emit, one_line_errors, say_logs

COLOURS: dict[State, str] = {"pass": "green", "warn": "bold yellow", "fail": "bold red"}

QUICK_S, SOURCE_S, DEVICE_S, WEIGHTS_S = 30.0, 12.0, 120.0, 600.0
"""Far above what each kind of check takes on a slow machine."""


def doctor(
    config: Annotated[
        str, typer.Argument(help="A YAML file, or demo, live, media, robot: what shall be run.")
    ] = "demo",
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Find out whether this machine can run a configuration, and say what to do where it cannot.

    One line a check: pass, warn (it runs, but not as meant) or fail. Nothing is taken at its word:
    the device multiplies, the weights encode, the broker gives a message back, each source gives a
    sample. What hangs is given up after a while, and the rest goes on. Ends with status 1 if
    anything fails.
    """
    say_logs()
    # What is wrong is said by the findings.
    logging.getLogger().setLevel(logging.ERROR)
    with one_line_errors("doctor", as_json=as_json):
        settings = load(config, overrides or ())
    rounds = Rounds(_tell, _watching)
    status = 130
    try:
        examine(settings, rounds)
        ok = all(finding.state != "fail" for finding in rounds.findings)
        if as_json:
            found = [asdict(finding) for finding in rounds.findings]
            emit({"command": "doctor", "ok": ok, "findings": found})
        status = 0 if ok else 1
    finally:
        if rounds.left_behind:
            # Waiting for what hangs would hang.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    if status:
        raise typer.Exit(status)


def examine(config: RunConfig, rounds: Rounds) -> None:
    """Every check in turn, the quick ones first; none beside another, since some take times."""
    where = placement(config)
    on_cpu = where is not None and where.device.type == "cpu"
    quick = partial(rounds.run, limit_s=QUICK_S)
    quick("versions", versions, remedy="install it again: pip install --force-reinstall")
    precision = where.precision if where is not None and on_cpu else None
    quick("processor", partial(processor, precision), remedy="")
    quick("clock", wallclock, remedy="see what keeps the system's time")
    quick("disk", partial(disk, config), remedy="is a network drive away? set STREAMER_WEIGHTS")
    quick("labels", partial(labels, config), remedy="is a network drive away?")
    for index, sink in enumerate(config.sinks):
        if isinstance(sink, MqttSink):
            check = partial(broker, f"sinks.{index}", sink)
            quick(f"broker {sink.host}:{sink.port}", check, remedy="is the broker there?")
    looks: list[Look] = []
    for index, source in enumerate(config.sources):
        field = f"sources.{index}"
        names = ", ".join(info.name for info in source.streams)
        check = partial(sensors.sensor, field, source, looks)
        remedy = sensors.remedy(field, source)
        rounds.run(f"sensor {names}", check, limit_s=SOURCE_S, remedy=remedy)
    rounds.run("device", partial(device, config), limit_s=DEVICE_S, remedy=REMEDY)
    room = quick("memory", partial(memory, config, where, looks), remedy="")
    if any(finding.state == "fail" for finding in room):
        # Trying would take the memory from everything else that runs here.
        rounds.note(Finding("weights", "warn", "not tried: they would not fit", "see memory"))
        return
    check, remedy = partial(model.weights, config), model.remedy(config.encoder)
    rounds.run("weights", check, limit_s=WEIGHTS_S, remedy=remedy)


def _tell(finding: Finding) -> None:
    said = f"{escape(finding.name)}: {escape(finding.said)}"
    remedy = f" [bold]->[/] {escape(finding.remedy)}" if finding.remedy else ""
    console.print(f"[{COLOURS[finding.state]}]{finding.state}[/] {said}{remedy}", soft_wrap=True)


@contextmanager
def _watching(name: str) -> Generator[None, None, None]:
    with console.status(f"{escape(name)} ..."):
        yield
