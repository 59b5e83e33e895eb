"""The process of `tests.rtsp_server`: run by the system's Python, which has GStreamer's bindings.

`python3 rtsp_server_child.py PORT WIDTH HEIGHT RATE CODEC [USER PASSWORD]`. PORT 0 takes a free
one; the port is printed when the server listens. SIGUSR1: the same picture from now on.
"""

import importlib
import signal
import sys
from typing import Any

BITS = 16


def module(name: str, version: str) -> Any:
    # By name: these are made from the system's libraries, and only its own Python has them.
    importlib.import_module("gi").require_version(name, version)
    return importlib.import_module(f"gi.repository.{name}")


Gst = module("Gst", "1.0")
GstRtspServer = module("GstRtspServer", "1.0")
GLib = module("GLib", "2.0")

ENCODERS = {
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! rtph264pay name=pay0",
    "jpeg": "jpegenc ! rtpjpegpay name=pay0",
}


class Camera:
    """Draws its number into each picture: the periods since the machine started, in 16 bits."""

    def __init__(self, width: int, height: int, rate_hz: int) -> None:
        self.width, self.height, self.rate_hz = width, height, rate_hz
        self.held: int | None = None
        self._sources: list[Any] = []
        self._last = -1

    @property
    def number(self) -> int:
        return GLib.get_monotonic_time() * self.rate_hz // 1_000_000

    def hold(self) -> bool:
        self.held = self.number
        return True

    def attach(self, source: Any) -> None:
        self._sources.append(source)

    def detach(self, _: Any, source: Any) -> None:
        self._sources = [s for s in self._sources if s is not source]

    def tick(self) -> bool:
        number = self.number
        if number != self._last:
            self._last = number
            picture = self.draw(number if self.held is None else self.held)
            for source in self._sources:
                # Before it plays it has no base time: the stamp of such a picture is hours ahead.
                if source.get_state(0).state == Gst.State.PLAYING:
                    source.emit("push-buffer", Gst.Buffer.new_wrapped(picture))
        return True

    def draw(self, number: int) -> bytes:
        """I420: the number's bits above, highest first, white for 1; red below."""
        cell = self.width // BITS
        bits = [255 if number >> (BITS - 1 - bit) & 1 else 0 for bit in range(BITS)]
        row = b"".join(bytes([level]) * cell for level in bits).ljust(self.width, b"\0")
        half, quarter = self.height // 2, (self.height // 2) * (self.width // 2)
        luma = row * half + bytes([81]) * (self.width * (self.height - half))
        blue = bytes([128]) * (quarter // 2) + bytes([90]) * (quarter - quarter // 2)
        red = bytes([128]) * (quarter // 2) + bytes([240]) * (quarter - quarter // 2)
        return luma + blue + red


def main(arguments: list[str]) -> None:
    port, width, height, rate_hz = (int(argument) for argument in arguments[:4])
    codec, *account = arguments[4:]
    Gst.init(None)
    camera = Camera(width, height, rate_hz)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        "( appsrc name=camera is-live=true do-timestamp=true format=time max-buffers=2 "
        f"leaky-type=downstream caps=video/x-raw,format=I420,width={width},height={height},"
        f"framerate={rate_hz}/1 ! {ENCODERS[codec]} )"
    )
    factory.set_shared(True)

    def configure(_: Any, media: Any) -> None:
        source = media.get_element().get_by_name_recurse_up("camera")
        camera.attach(source)
        media.connect("unprepared", camera.detach, source)

    factory.connect("media-configure", configure)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(port))
    if account:
        protect(server, factory, *account)
    server.get_mount_points().add_factory("/camera", factory)
    if server.attach(None) == 0:
        sys.exit(f"port {port} is taken")
    GLib.timeout_add(max(1, 250 // rate_hz), camera.tick)
    GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGUSR1, camera.hold)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


def protect(server: Any, factory: Any, user: str, password: str) -> None:
    auth, token, permissions = (
        GstRtspServer.RTSPAuth(),
        GstRtspServer.RTSPToken(),
        GstRtspServer.RTSPPermissions(),
    )
    token.set_string("media.factory.role", "user")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    permissions.add_role("user")
    for right in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role("user", right, True)
    server.set_auth(auth)
    factory.set_permissions(permissions)


if __name__ == "__main__":
    main(sys.argv[1:])
