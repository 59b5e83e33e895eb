"""Devices are asked for in processes of their own; whatever becomes of one is said, and soon."""

import asyncio
from time import perf_counter

import pytest
import yaml
from typer.testing import CliRunner

from streamer.cli.devices.ask import Device, Found, ask
from streamer.cli.devices.kinds import KINDS, Kind
from streamer.cli.devices.page import page
from streamer.cli.main import app
from tests.e2e.command import Result

LIMIT_S = 60.0


def streamer(*arguments: str) -> Result:
    """The command in this process: to start one takes seconds."""
    done = CliRunner().invoke(app, arguments)
    return Result(done.exit_code, done.stdout, done.stderr)


def of(lister: str, needs: str | None = None) -> Kind:
    return Kind(lister, f"tests.listers:{lister}", needs)


@pytest.mark.parametrize("lister", ["good", "talkative", "hanging_when_put_away"])
async def test_what_is_found_comes_with_its_lines(lister: str) -> None:
    found = await ask(of(lister), LIMIT_S)
    assert (found.state, found.why) == ("asked", "")
    assert [device.name for device in found.devices] == ["Loud 1", "Loud 2"]
    assert yaml.safe_load(page([found])) == {
        "sources": [
            {"kind": "microphone", "stream": "mic", "device": "Loud: 1"},
            {"kind": "microphone", "stream": "mic2"},
        ]
    }


@pytest.mark.parametrize(
    ("lister", "state", "why"),
    [
        ("none", "asked", ""),
        ("missing", "missing",
         "No module named 'no_such_library_of_a_device': install imagebind-streamer[x]"),
        ("missing_and_said", "missing",
         "microphones need sounddevice: install imagebind-streamer[x]"),
        ("ours_missing", "failed", "No module named 'sources.no_such_module'"),
        ("refused", "failed", "OSError: PortAudio library not found and more"),
        ("crashing", "failed", "the process that asked ended with SIGSEGV"),
        ("leaving", "failed", "the process that asked ended with status 3: driver: no bus"),
        ("nonsense", "failed", "expected a list of devices, got b'"),
        ("flood", "failed", "expected a list of devices, got b'"),
        ("no_such_function", "failed", "AttributeError: "),
    ],
)  # fmt: skip
async def test_what_cannot_be_asked_is_one_line(lister: str, state: str, why: str) -> None:
    found = await ask(of(lister, "x"), LIMIT_S)
    assert found.devices == []
    assert found.state == state
    assert found.why.startswith(why)
    assert bool(found.why) == bool(why)
    text = page([found])
    assert text.startswith(f"# {lister}: ")
    assert len(text.splitlines()) == 1
    assert yaml.safe_load(text) is None


async def test_one_that_hangs_is_ended_with_what_it_started_while_others_answer() -> None:
    """The guard of every test sees to it that nothing is left behind."""
    started_s = perf_counter()
    hung, good = await asyncio.gather(ask(of("hanging"), 2), ask(of("good"), LIMIT_S))
    assert (hung.state, hung.why) == ("failed", "gave no answer within 2 s")
    assert len(good.devices) == 2
    assert perf_counter() - started_s < LIMIT_S


def test_names_of_devices_cannot_command_a_terminal_or_break_the_page() -> None:
    bad = Device(
        name="x\n- kind: evil\x1b[2J", what="a\rb", yaml={"kind": "camera", "stream": "\x1bc"}
    )
    text = page([Found(of("good"), "asked", [bad])])
    assert "\x1b" not in text
    assert yaml.safe_load(text)["sources"] == [{"kind": "camera", "stream": "\x1bc"}]


def test_the_command_names_every_kind_and_its_output_is_yaml() -> None:
    result = streamer("devices")
    for kind in KINDS:
        assert f"# {kind.name}: " in result.out
    assert isinstance(yaml.safe_load(result.out), dict | None)
    told = streamer("devices", "--json")
    assert set(told.report["kinds"]) == {kind.name for kind in KINDS}
    assert told.report["ok"] == (told.code == 0)
    assert len(told.out.splitlines()) == 1
