"""A V4L2 camera that is unplugged, and comes back under another number."""

from pathlib import Path

from streamer.clock import monotonic_ns
from streamer.types import NS_PER_S
from tests.attending import attending
from tests.plugged import Plugged
from tests.promises import BACK_S, GONE_S


def plug(root: Path, number: int) -> None:
    entry = root / "sys" / "class" / "video4linux" / f"video{number}"
    entry.mkdir(parents=True)
    (root / "dev").mkdir(exist_ok=True)
    (root / "dev" / f"video{number}").symlink_to("/dev/null")
    (entry / "name").write_text("Toy camera\n")


def unplug(root: Path, number: int) -> None:
    entry = root / "sys" / "class" / "video4linux" / f"video{number}"
    (root / "dev" / f"video{number}").unlink()
    (entry / "name").unlink()
    entry.rmdir()


async def test_an_unplugged_camera_is_noticed_though_pictures_come_and_found_by_its_name(
    tmp_path: Path,
) -> None:
    # OpenCV goes on giving the last picture, or True (opencv#14044): the double does too.
    plug(tmp_path, 0)
    camera = Plugged(stream="toy", device="toy", root=tmp_path, max_height=240)
    async with attending(camera) as seen:
        await seen.until_more(5)
        unplugged_ns = monotonic_ns()
        unplug(tmp_path, 0)
        status = await seen.until_state("offline")
        assert status.why == f"toy: {tmp_path}/dev/video0 Toy camera was unplugged"
        assert (seen.states[-1][0] - unplugged_ns) / NS_PER_S < GONE_S
        plug(tmp_path, 3)
        back_ns = monotonic_ns()
        await seen.until_state("online")
        assert (seen.states[-1][0] - back_ns) / NS_PER_S < BACK_S
