"""A sound server of our own, whose microphone hears what another process plays. No hardware.

    with sound_rig() as rig:                      # the environment leads PortAudio to it meanwhile
        rig.tone(1000.0)                          # 440 Hz until then; rig.quiet() ends it
        source = Microphone(stream="mic", device="mic")
        ...
        rig.kill()                                # SIGKILL, as a crash would
        rig.start()                               # back with its sources, and the tone goes on

A private PulseAudio with a null sink `rig`; the source `mic` is the sink's monitor. PortAudio finds
it under the name `mic` through ALSA's pulse plugin, with a configuration of its own: that of the
developer is neither read nor written. Processes started meanwhile (the child of a source) inherit
where it is. Everything is synchronous and takes some tenths of a second: `asyncio.to_thread`.

    start() stop() kill()     the server: started and ready; ended in order; SIGKILL
    freeze() thaw()           SIGSTOP and SIGCONT
    suspend() resume()        the source gives nothing, while the server is well
    unload() load()           the source is pulled out, and plugged in again
    tone(*hz) quiet()         one tone a channel of the sink, played by a process of its own
    add_device(name)          one more, ahead of `mic` in PortAudio's list: all indices shift
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from tests.needs import missing, program

READY_S = 10.0
RATE_HZ = 48000
AMPLITUDE = 0.5
"""Of every tone; a sine of this peak."""

_PLUGIN = "libasound_module_pcm_pulse.so"
# Without a long buffer of the player, the null sink renders little ahead of time.
_LATENCY_MS = 50
# One process for as long as it plays: who counts processes finds no new ones.
_AGAIN = """
import sys
sound = open(sys.argv[1], "rb").read()
while True:
    sys.stdout.buffer.write(sound)
"""
_STEREO = ("channels=2", "channel_map=front-left,front-right")


class SoundRig:
    def __init__(self, folder: Path) -> None:
        program("pacat")
        self._program, self._pactl = program("pulseaudio"), program("pactl")
        if not any(Path("/usr/lib").rglob(_PLUGIN)):
            missing(f"{_PLUGIN} (make system)")
        self._folder = folder
        self._socket = folder / "native"
        self._devices = ["mic"]
        self._server: subprocess.Popen[bytes] | None = None
        self._players: list[subprocess.Popen[bytes]] = []
        self._hz: tuple[float, ...] = (440.0,)
        (folder / "home").mkdir()
        self.environment = {
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_SERVER": f"unix:{self._socket}",
            "PULSE_COOKIE": str(folder / "cookie"),
            "ALSA_CONFIG_PATH": str(folder / "asound.conf"),
        }
        (folder / "cookie").write_bytes(bytes(256))
        self._write_devices()

    def start(self) -> None:
        """Return when the source is there. A tone that was playing goes on."""
        protocol = f"module-native-protocol-unix socket={self._socket} auth-anonymous=1"
        # One that was killed leaves its socket.
        self._socket.unlink(missing_ok=True)
        with (self._folder / "pulseaudio.log").open("ab") as log:
            self._server = subprocess.Popen(
                [
                    self._program, "-n", "--daemonize=no", "--exit-idle-time=-1", "--disable-shm",
                    "--use-pid-file=no", "--log-target=stderr",
                    "--load", protocol,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Its own files, too, stay where nobody else looks.
                env=os.environ | self.environment | {"HOME": str(self._folder / "home")},
            )  # fmt: skip
        self._until(self._answers, "pulseaudio did not start")
        self.load()

    def stop(self) -> None:
        """Ended in order. Nothing that was started here is left."""
        self._silence()
        if self._server is not None:
            self._server.send_signal(signal.SIGCONT)
            self._server.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._server.wait(5)
        self.kill()

    def kill(self) -> None:
        self._silence()
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def suspend(self) -> None:
        self._say("suspend-source", "mic", "1")

    def resume(self) -> None:
        self._say("suspend-source", "mic", "0")

    def unload(self) -> None:
        """Pulled out: there is no source any more. (The server would move streams to another.)"""
        self._silence()
        self._say("unload-module", "module-null-sink")

    def load(self) -> None:
        """Plugged in again. A tone that was playing goes on."""
        self._say("load-module", "module-null-sink", "sink_name=rig", f"rate={RATE_HZ}", *_STEREO)
        for name in self._devices:
            self._load_source(name)
        if self._hz:
            self.tone(*self._hz)
        # A new null sink is silent for 2 s, having rendered them at once; this starts it anew.
        self._say("suspend-sink", "rig", "1")
        self._say("suspend-sink", "rig", "0")

    def add_device(self, name: str) -> None:
        """There from now on. It hears what is right on both of its channels."""
        self._devices.insert(0, name)
        self._write_devices()
        self._load_source(name)

    def tone(self, *hz: float) -> None:
        """Sines of `AMPLITUDE`, left and right; one number goes to both. Whole numbers of Hz."""
        self._silence()
        self._hz = hz
        t_s = np.arange(RATE_HZ)[:, None] / RATE_HZ
        # One second of whole periods: it can follow itself.
        tones = AMPLITUDE * np.sin(2 * np.pi * np.array([hz[0], hz[-1]]) * t_s)
        second = self._folder / "second.raw"
        second.write_bytes(tones.astype("<f4").tobytes())
        again = subprocess.Popen(
            [sys.executable, "-ISc", _AGAIN, str(second)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        player = subprocess.Popen(
            [
                "pacat", "--playback", "--raw", "--format=float32le", f"--rate={RATE_HZ}",
                "--channels=2", "--device=rig", f"--latency-msec={_LATENCY_MS}",
            ],
            stdin=again.stdout,
            stderr=subprocess.DEVNULL,
            env=os.environ | self.environment,
            start_new_session=True,
        )  # fmt: skip
        if again.stdout is not None:
            again.stdout.close()
        self._players = [again, player]
        self._until(lambda: bool(self._say("list", "short", "sink-inputs")), "no player")

    def quiet(self) -> None:
        """Nothing is played any more: the source gives exact zeros."""
        self._hz = ()
        self._silence()

    def log(self) -> str:
        return (self._folder / "pulseaudio.log").read_text(encoding="utf-8", errors="replace")

    def _silence(self) -> None:
        for player in self._players:
            player.kill()
        for player in self._players:
            player.wait()
        self._players = []

    def _load_source(self, name: str) -> None:
        heard = "front-left,front-right" if name == "mic" else "front-right,front-right"
        source = (f"source_name={name}", "master=rig.monitor", f"master_channel_map={heard}")
        self._say("load-module", "module-remap-source", *source, *_STEREO, "remix=no")

    def _write_devices(self) -> None:
        # `default` must be there: PortAudio 19.6 aborts without it.
        lines = [f"pcm.{name} {{ type pulse device {name} }}" for name in self._devices]
        lines.append("pcm.default { type pulse }")
        (self._folder / "asound.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _answers(self) -> bool:
        try:
            self._say("info")
        except subprocess.SubprocessError:
            return False
        return True

    def _say(self, *words: str) -> str:
        return subprocess.run(
            [self._pactl, *words],
            env=os.environ | self.environment,
            capture_output=True,
            check=True,
            timeout=READY_S,
            text=True,
        ).stdout

    def _signal(self, number: int) -> None:
        assert self._server is not None, "pulseaudio is not running"
        self._server.send_signal(number)

    def _until(self, true: Callable[[], bool], otherwise: str) -> None:
        deadline = time.perf_counter() + READY_S
        while not true():
            ended = self._server is None or self._server.poll() is not None
            if ended or time.perf_counter() > deadline:
                raise AssertionError(f"{otherwise}: {self.log()}")
            time.sleep(0.02)


@contextmanager
def sound_rig() -> Generator[SoundRig]:
    """A running one, and the environment that leads to it; gone at the end."""
    # Not in a folder of pytest's: the path of a socket has at most 107 bytes.
    with TemporaryDirectory(prefix="rig-") as short, pytest.MonkeyPatch.context() as patch:
        rig = SoundRig(Path(short))
        for name, value in rig.environment.items():
            patch.setenv(name, value)
        try:
            rig.start()
            yield rig
        finally:
            rig.stop()
