"""`broker: embedded`: a broker on loopback for demos, for as long as the run lasts.

The installed mosquitto as a child process; where there is none, amqtt in this process, which
speaks MQTT 3.1.1 only; where there is neither, an error with the remedy. No passwords and no
encryption: nothing but this machine can reach it.
"""

import asyncio
import logging
import os
import pwd
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from streamer.errors import SinkLost

if TYPE_CHECKING:
    from sinks.mqtt.link import Endpoint

log = logging.getLogger(__name__)

READY_S = 5.0
STOP_S = 2.0

# Subscribers that fall behind a fast replay must not lose messages: the queues are wide.
_CONFIG = """\
listener {port} 127.0.0.1
allow_anonymous true
set_tcp_nodelay true
max_inflight_messages 100
max_queued_messages 100000
max_queued_bytes 268435456
max_packet_size 1048576
persistence false
log_dest stderr
log_type error
log_type warning
"""

# Dies with its parent, even if that is killed. mosquitto changes from root to another user by
# itself, but the kernel then forgets the death signal; so the change comes first.
_GUARD = """\
import ctypes, os, pwd, sys
libc, parent, user = ctypes.CDLL(None), int(sys.argv[1]), sys.argv[2]
if user:
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
libc.prctl(1, 9)
if os.getppid() != parent:
    sys.exit("the parent is gone")
os.execv(sys.argv[3], sys.argv[3:])
"""


@asynccontextmanager
async def embedded(endpoint: "Endpoint", mosquitto: str | None) -> AsyncGenerator["Endpoint"]:
    """A running broker, the program `mosquitto` if there is one; yields where it is.

    Port 0 takes any free one, and is for tests: others have to find it. Raises `SinkLost` if the
    port is taken or no broker is installed.
    """
    endpoint = replace(endpoint, host="127.0.0.1", port=_free_port(endpoint.port))
    if mosquitto is not None:
        async with _mosquitto(mosquitto, endpoint.port):
            yield endpoint
    else:
        async with _amqtt(endpoint.port):
            yield replace(endpoint, protocol="3.1.1")


def find_mosquitto() -> str | None:
    # Debian puts daemons where an ordinary user's PATH does not look.
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _free_port(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise SinkLost(
                f"port {port} is taken ({error.strerror}): set another port, "
                "or broker: external to use the broker that is there"
            ) from None
        return int(probe.getsockname()[1])


@asynccontextmanager
async def _mosquitto(program: str, port: int) -> AsyncGenerator[None]:
    with tempfile.TemporaryDirectory(prefix="streamer-broker-") as name:
        folder = Path(name)
        config, log_file = _prepare(folder, port)
        with log_file:
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", "-c", _GUARD, str(os.getpid()), _unprivileged()),
                *(program, "-c", str(config)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log_file,
                stderr=log_file,
                # Ctrl-C in a terminal goes to all of its programs; this one has yet to take what
                # is left to be said.
                start_new_session=True,
            )
        try:
            if not await _answers(child, port):
                said = _last_words(folder) or "no reason given"
                raise SinkLost(f"mosquitto did not start on port {port}: {said}")
            yield
        finally:
            await _stop(child)


def _prepare(folder: Path, port: int) -> tuple[Path, BinaryIO]:
    # Another user reads the folder, see `_GUARD`. It holds no secrets.
    folder.chmod(0o755)
    config = folder / "mosquitto.conf"
    config.write_text(_CONFIG.format(port=port), encoding="utf-8")
    config.chmod(0o644)
    return config, (folder / "log").open("wb")


def _last_words(folder: Path) -> str:
    said = (folder / "log").read_bytes()[-500:]
    return said.decode(errors="replace").strip().replace("\n", "; ")


async def _answers(child: asyncio.subprocess.Process, port: int) -> bool:
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + READY_S
    while child.returncode is None and loop.time() < deadline_s:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            return True
    return False


async def _stop(child: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        child.terminate()
    try:
        await asyncio.wait_for(child.wait(), STOP_S)
    except TimeoutError:
        child.kill()
        await child.wait()


def _unprivileged() -> str:
    """The user that the broker is to be, or "" to stay what we are."""
    if os.geteuid() != 0:
        return ""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("mosquitto", "nobody") if name in names), "")


@asynccontextmanager
async def _amqtt(port: int) -> AsyncGenerator[None]:
    try:
        from amqtt.broker import Broker
        from amqtt.contexts import BrokerConfig
    except ImportError:
        raise SinkLost(
            "broker: embedded needs mosquitto (apt install mosquitto) "
            "or amqtt (pip install 'imagebind-streamer[broker]')"
        ) from None
    log.warning("mosquitto is not installed: the embedded broker is amqtt, on MQTT 3.1.1")
    # It tells of every packet.
    logging.getLogger("amqtt").setLevel(logging.ERROR)
    logging.getLogger("transitions").setLevel(logging.ERROR)
    config = BrokerConfig.from_dict(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {}},
        }
    )
    broker = Broker(config)
    await broker.start()
    try:
        yield
    finally:
        await broker.shutdown()
