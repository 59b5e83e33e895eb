"""The world as a data set: windows of all sensors that end together, made from a seed and a number.

Nothing is read and nothing is kept: moment 17 of seed 3 is the same on every machine, in any order.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from sources.world import captions, inertial, sensors
from sources.world.concepts import CONCEPTS, MOTIONS, THINGS, perceived
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
    Moment,
    Quality,
    Sample,
    Span,
    Window,
)

# The live camera's 640 x 480 are enlarged from this too, so that both are equally sharp.
RENDERED = 256, 192
THERMAL = 160, 120
FRAME_S = 1 / 30
LENGTH_S: dict[Modality, float] = {
    "vision": 2.0, "audio": 2.0, "depth": 2.0, "thermal": 2.0, "imu": 5.0,
}  # fmt: skip
IMU_HZ = 200
PICTURES = frozenset[Modality](("vision", "depth", "thermal"))
CAPTIONS = 10
# On stairs the steps hide what stands ahead, and at a wall there is no room for it.
ALONE_ONLY = {"the robot climbing stairs", "the robot bumping into a wall"}


@dataclass(frozen=True, slots=True)
class WorldMoments:
    """`count` moments of a seed: even ones hold one concept, each in turn; odd ones two or three.

    A moment has windows of those `modalities` that can perceive something of it; whoever binds a
    modality wants pairs in which it has something to say. Two seeds share no scene: a scene's own
    seed is one of 2^62. Raises `IndexError` beyond the last; negative numbers do not count back.
    """

    seed: int
    count: int
    modalities: Collection[Modality] = MODALITIES

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Moment:
        rng = self._rng(index)
        scene = _scene(index, rng)
        wording = captions.captions(scene.concepts, CAPTIONS, rng)
        return moment(scene, self.modalities, wording)

    def scene(self, index: int) -> Scene:
        """What a moment is taken of; nothing of it is rendered."""
        return _scene(index, self._rng(index))

    def _rng(self, index: int) -> np.random.Generator:
        if not 0 <= index < self.count:
            raise IndexError(index)
        return np.random.default_rng([self.seed, index, 0xDA7A])


def _scene(index: int, rng: np.random.Generator) -> Scene:
    names = (CONCEPTS[index // 2 % len(CONCEPTS)].name,) if index % 2 == 0 else several(rng)
    return draw(int(rng.integers(1 << 62)), names)


def several(rng: np.random.Generator) -> tuple[str, ...]:
    """Two or three concepts that can be in one scene, at most one of them a motion."""
    moving = [name for name in MOTIONS if name not in ALONE_ONLY]
    kind = rng.random()
    things, motions = (2, 0) if kind < 0.45 else (1, 1) if kind < 0.8 else (2, 1)
    if kind > 0.9:
        things, motions = 3, 0
    chosen = [*rng.choice(THINGS, things, replace=False), *rng.choice(moving, motions)]
    return tuple(str(name) for name in chosen)


def moment(scene: Scene, modalities: Collection[Modality], wording: tuple[str, ...]) -> Moment:
    """The windows that end at the scene's `window_end_s`, and what they could perceive."""
    present = truth(scene)
    wanted: list[Modality] = [m for m in MODALITIES if m in modalities and present[m]]
    seen = not PICTURES.isdisjoint(wanted)
    newest = look(scene, scene.window_end_s - FRAME_S, *RENDERED) if seen else None
    windows: dict[Modality, Window] = {
        m: _window(scene, m, newest if m in PICTURES else None) for m in wanted
    }
    return Moment(windows, wording, present)


def truth(scene: Scene) -> dict[Modality, tuple[str, ...]]:
    """The concepts that each sense could perceive in the window of the data set."""
    end_s = scene.window_end_s
    framed = {
        name
        for t_s in (end_s - LENGTH_S["vision"], end_s - FRAME_S)
        for name in in_view(scene, t_s)
    }
    now = set(in_view(scene, end_s - FRAME_S))
    present: dict[Modality, tuple[str, ...]] = {}
    for modality in MODALITIES:
        names = perceived(scene.concepts, modality)
        if modality == "vision":
            names = tuple(name for name in names if name in framed)
        elif modality in ("depth", "thermal"):
            names = tuple(name for name in names if name in now)
        present[modality] = names
    return present


def _window(scene: Scene, modality: Modality, newest: View | None) -> Window:
    """The window of one sense; `newest` is the last view, which three of them share."""
    end_ns = round(scene.window_end_s * NS_PER_S)
    span = Span(end_ns - round(LENGTH_S[modality] * NS_PER_S), end_ns)
    if newest is None:
        parts = [_block(scene, modality, span)]
    else:
        parts = _frames(scene, modality, span, newest)
    samples = tuple(Sample(modality, modality, t_ns, n_ns, data) for t_ns, n_ns, data in parts)
    return Window(modality, modality, span, samples, Quality(coverage=1.0))


def _frames(
    scene: Scene, modality: Modality, span: Span, newest: View
) -> list[tuple[int, int, Data]]:
    """The pictures that the encoder takes of a window: start, duration and pixels of each."""
    frame_ns = round(FRAME_S * NS_PER_S)
    last_ns = span.end_ns - frame_ns
    key = frame_key(scene, last_ns / NS_PER_S)
    if modality == "depth":
        return [(last_ns, frame_ns, sensors.depth(newest, key))]
    if modality == "thermal":
        return [(last_ns, frame_ns, sensors.thermal(newest, key, *THERMAL))]
    start_s = span.start_ns / NS_PER_S
    first = sensors.camera(look(scene, start_s, *RENDERED), frame_key(scene, start_s))
    return [
        (span.start_ns, frame_ns, first),
        (last_ns, frame_ns, sensors.camera(newest, key)),
    ]


def _block(scene: Scene, modality: Modality, span: Span) -> tuple[int, int, Data]:
    """Sound or inertial readings of the whole window."""
    start_s, seconds = span.start_ns / NS_PER_S, span.length_ns / NS_PER_S
    if modality == "audio":
        sound = soundtrack(scene.voices, scene.ambience, start_s, round(seconds * RATE_HZ))
        return span.start_ns, span.length_ns, AudioBlock(sound, RATE_HZ)
    ticks = np.arange(round(seconds * IMU_HZ), dtype=np.int64)
    values = inertial.readings(scene.motion, start_s + ticks / IMU_HZ, scene.seed)
    t_ns = span.start_ns + ticks * (NS_PER_S // IMU_HZ)
    return span.start_ns, span.length_ns, ImuBlock(t_ns, values)


def frame_key(scene: Scene, t_s: float) -> tuple[int, int]:
    """What the noise of a frame is drawn from."""
    return scene.seed, round(t_s * 1000)
