"""Which versions there are, and whether one is older than what is asked for."""

import platform
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from streamer.cli.doctor.finding import Finding
from streamer.version import __version__

TEGRA = Path("/etc/nv_tegra_release")
MODULES = {"torch": "torch", "opencv-python-headless": "cv2", "av": "av", "numpy": "numpy"}


def versions() -> Finding:
    """What is imported counts: a Jetson's OpenCV and torch may come without package metadata."""
    modules = {package: import_module(module) for package, module in MODULES.items()}
    found = {package: str(module.__version__) for package, module in modules.items()}
    ffmpeg = str(getattr(modules["av"], "ffmpeg_version_info", "of unknown version"))
    return judge(found, _requirements(), ffmpeg, l4t(TEGRA))


def judge(
    found: Mapping[str, str], requirements: Sequence[str], ffmpeg: str, jetson: str
) -> Finding:
    said = (
        f"streamer {__version__}, Python {platform.python_version()}, torch {found['torch']}, "
        f"OpenCV {found['opencv-python-headless']}, PyAV {found['av']} with ffmpeg {ffmpeg}, "
        f"numpy {found['numpy']}, {platform.system()} {platform.release()} {platform.machine()}"
        f"{jetson and f', {jetson}'}"
    )
    old = too_old(found, requirements)
    if not old:
        return Finding("versions", "pass", said)
    remedy = f"pip install {' '.join(map(repr, old))}; on a Jetson, NVIDIA's wheel of torch"
    return Finding("versions", "fail", f"too old, {', '.join(old)} is needed: {said}", remedy)


def too_old(found: Mapping[str, str], requirements: Sequence[str]) -> list[str]:
    """The requirements, as `name>=lowest`, that a found version is below."""
    wanted: list[str] = []
    for requirement in requirements:
        match = re.match(r"([\w.-]+).*?>=\s*([\d.]+)", requirement)
        if match and match[1] in found and numbers(found[match[1]]) < numbers(match[2]):
            wanted.append(f"{match[1]}>={match[2]}")
    return wanted


def numbers(version: str) -> tuple[int, ...]:
    """The release of a version: `2.5.0a0+872d972e41.nv24.08` is (2, 5, 0)."""
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()


def l4t(release: Path) -> str:
    """NVIDIA's Linux of a Jetson: `L4T R36.4.3`; "" elsewhere."""
    try:
        line = release.read_text(errors="replace")[:500]
    except OSError:
        return ""
    match = re.match(r"# (R\d+) \(release\), REVISION: ([\d.]+)", line)
    return f"L4T {match[1]}.{match[2]}" if match else "L4T of unknown release"


def _requirements() -> Sequence[str]:
    try:
        return requires("imagebind-streamer") or ()
    except PackageNotFoundError:  # run from a folder, not installed
        return ()
