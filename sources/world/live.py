"""The world as it goes on: which scene plays when, and what each sensor gives at a time.

Pure: everything is a function of the world's seed and of the time since its start, so it does not
matter who asks, in which order or how fast. Times are integer nanoseconds since the start.

    scene      |------ 0 ------|------ 1 ------|------ 2 ------|   8 s each; the picture cuts
    frames     |.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|   number n at n / rate
    blocks     [][][][][][][][][][][][][][][][][][][][][][][][]    none reaches into two scenes
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import cv2
import numpy as np

from sources.world import inertial, sensors
from sources.world.concepts import CONCEPTS, perceived
from sources.world.curves import SCENE_S
from sources.world.moments import RENDERED, THERMAL, frame_key, several
from sources.world.scene import Scene, draw, in_view
from sources.world.sound import soundtrack
from sources.world.synthesis import RATE_HZ
from sources.world.view import View, look
from streamer.types import (
    MODALITIES,
    NS_PER_S,
    AudioBlock,
    Data,
    ImuBlock,
    Modality,
    Span,
    Truth,
)

SCENE_NS = round(SCENE_S * NS_PER_S)
CAMERA = 640, 480
"""Width and height. Rendered smaller and enlarged: as sharp as the pictures of the data set."""
FRAME_HZ: Mapping[Modality, int] = MappingProxyType({"vision": 30, "depth": 30, "thermal": 9})
BLOCK_NS = NS_PER_S // 20
TRUTH_NS = NS_PER_S // 10


@dataclass(frozen=True, slots=True)
class Capture:
    """One frame (`t_ns` is its instant, `duration_ns` its period) or one block."""

    modality: Modality
    t_ns: int
    duration_ns: int

    @property
    def ready_ns(self) -> int:
        """A picture comes when it is taken, a block when it is full."""
        return self.t_ns if self.modality in FRAME_HZ else self.t_ns + self.duration_ns


def concepts(seed: int, number: int) -> tuple[str, ...]:
    """What scene `number` holds. The even ones hold one concept, the odd ones two or three.

    In 48 scenes every concept is alone once, in an order shuffled anew each time.
    """
    if number % 2:
        return several(np.random.default_rng([seed, number, 0x5E7]))
    turn, place = divmod(number // 2, len(CONCEPTS))
    order = np.random.default_rng([seed, turn, 0x0DE]).permutation(len(CONCEPTS))
    return (CONCEPTS[order[place]].name,)


# One that plays and one that begins.
@lru_cache(maxsize=2)
def scene(seed: int, number: int) -> Scene:
    """Scene `number` of the world `seed`, which no data set holds."""
    rng = np.random.default_rng([seed, number, 0x11FE])
    return draw(int(rng.integers(1 << 62)), concepts(seed, number))


def at(seed: int, t_ns: int) -> tuple[Scene, float]:
    """The scene that plays at an instant, and how many seconds it has been playing."""
    number, into_ns = divmod(t_ns, SCENE_NS)
    return scene(seed, number), into_ns / NS_PER_S


def captures(modality: Modality, until_ns: int | None = None) -> Iterator[Capture]:
    """What a sensor takes, for ever or as far as it is complete by `until_ns`."""
    rate, each = (FRAME_HZ[modality], 1) if modality in FRAME_HZ else (NS_PER_S, BLOCK_NS)
    number = 0
    while True:
        t_ns, end_ns = (n * each * NS_PER_S // rate for n in (number, number + 1))
        if until_ns is not None and end_ns > until_ns:
            return
        yield Capture(modality, t_ns, end_ns - t_ns)
        number += 1


def data(seed: int, capture: Capture, start_ns: int, imu_hz: int) -> Data:
    """What the sensor gives: the types that `Sample` promises.

    `start_ns` is when the world began on the run's clock: inertial readings carry their stamps.
    """
    modality, t_ns = capture.modality, capture.t_ns
    playing, t_s = at(seed, t_ns)
    if modality == "audio":
        count = capture.duration_ns * RATE_HZ // NS_PER_S
        sound = soundtrack(playing.voices, playing.ambience, t_s, count)
        return AudioBlock(sound, RATE_HZ)
    if modality == "imu":
        every_ns = NS_PER_S // imu_hz
        since_ns = np.arange(0, capture.duration_ns, every_ns, dtype=np.int64)
        t_in_scene = (t_ns % SCENE_NS + since_ns) / NS_PER_S
        values = inertial.readings(playing.motion, t_in_scene, playing.seed)
        return ImuBlock(start_ns + t_ns + since_ns, values)
    view, key = _view(playing, t_s), frame_key(playing, t_s)
    if modality == "depth":
        return sensors.depth(view, key)
    if modality == "thermal":
        return sensors.thermal(view, key, *THERMAL)
    picture = cv2.resize(sensors.camera(view, key), CAMERA, interpolation=cv2.INTER_CUBIC)
    return np.asarray(picture, np.uint8)


# The camera and the depth camera look at the same instants.
@lru_cache(maxsize=2)
def _view(playing: Scene, t_s: float) -> View:
    return look(playing, t_s, *RENDERED)


def truth_spans(until_ns: int | None = None) -> Iterator[Span]:
    """Spans that cover the time without a gap, none of them reaching into two scenes."""
    start_ns = 0
    while until_ns is None or start_ns < until_ns:
        end_ns = start_ns + TRUTH_NS
        if until_ns is not None:
            end_ns = min(end_ns, until_ns)
        yield Span(start_ns, end_ns)
        start_ns = end_ns


def truth(
    seed: int, span: Span, start_ns: int, stream: str, modalities: Collection[Modality]
) -> Truth:
    """What `modalities` can perceive during one of `truth_spans`.

    For pictures, what is in view at one of the instants of the camera's frames. Sound and motion
    count for the whole scene, in which they come back at least every few seconds: a dog barks
    also while it draws breath.
    """
    playing, t_s = at(seed, span.start_ns)
    frames = range(-(-span.length_ns * FRAME_HZ["vision"] // NS_PER_S))
    seen = {name for n in frames for name in in_view(playing, t_s + n / FRAME_HZ["vision"])}
    present: dict[Modality, tuple[str, ...]] = {}
    for modality in MODALITIES:
        if modality in modalities:
            names = perceived(playing.concepts, modality)
            pictured = modality in FRAME_HZ
            present[modality] = tuple(n for n in names if not pictured or n in seen)
    return Truth(stream, Span(start_ns + span.start_ns, start_ns + span.end_ns), present)
