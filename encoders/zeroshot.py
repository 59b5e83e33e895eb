"""Zero-shot labels: which of these descriptions is an embedding nearest to? Pure numpy.

Every label is put into a few templates ("a photo of {}."), the text tower turns the prompts into
vectors, and their mean direction stands for the label. An embedding is scored by its cosines with
them; a temperature turns cosines into probabilities.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from streamer.errors import ConfigError
from streamer.types import Labels, Modality

TextFn: TypeAlias = Callable[[Sequence[str]], NDArray[np.float32]]

# Templates for pictures serve every modality, because every tower was bound to pictures. Few,
# because each costs a pass of the text tower per label.
TEMPLATES = ("{}", "a photo of {}.", "a picture of {}.")

# One temperature a modality. Vision: 0.01, the scale CLIP's pictures and texts were trained at. The
# other towers never met a text in training: they met pictures, at 0.05 (audio), 0.2, 0.1, 0.2, and
# the pictures met texts at 0.01. The geometric mean of the two is used here: at the tower's own
# temperature a list of twenty labels comes out nearly even, and the product, which the reference's
# example multiplies up to, says 1 and 0 to everything. None is calibrated: fit one on labelled
# windows of the robot before a probability is taken at its word.
TEMPERATURES: dict[Modality, float] = {
    "vision": 0.01,
    "audio": 0.022,
    "depth": 0.045,
    "thermal": 0.032,
    "imu": 0.045,
}

# Label sets arrive over the network too.
MOST_LABELS, MOST_TEMPLATES, LONGEST_LINE = 1000, 100, 300
# A pass of 16 prompts keeps the text tower busy; more would only cost memory, which a Jetson lacks.
PROMPTS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class LabelSet:
    """Labels and the templates they are put into; `{}` in a template stands for the label."""

    name: str
    labels: tuple[str, ...]
    templates: tuple[str, ...] = TEMPLATES

    def __post_init__(self) -> None:
        where = f"label set {self.name}"
        _bounded(where, "label", self.labels, MOST_LABELS)
        _bounded(where, "template", self.templates, MOST_TEMPLATES)
        for label in self.labels:
            if "{}" in label:
                raise ConfigError(f'{where}: expected a label without {{}}, got "{label}"')
        for template in self.templates:
            if "{}" not in template:
                raise ConfigError(f'{where}: expected a template with {{}}, got "{template}"')

    @property
    def hash(self) -> str:
        """16 hex digits that change with the labels, their order or the templates."""
        text = json.dumps([self.labels, self.templates])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def prompts(self, label: str) -> tuple[str, ...]:
        return tuple(template.replace("{}", label) for template in self.templates)


def parse(name: str, text: str, otherwise: Iterable[str] = ()) -> LabelSet:
    """A label set from text: one label a line; a line with `{}` is a template; `#` comments.

    Without a template line, `TEMPLATES`; without a label, those `otherwise`, sorted. Raises
    `ConfigError`.
    """
    lines = [" ".join(line.split("#", 1)[0].split()) for line in text.splitlines()]
    labels = tuple(line for line in lines if line and "{}" not in line)
    return LabelSet(
        name,
        labels=labels or tuple(sorted(otherwise)),
        templates=tuple(line for line in lines if "{}" in line) or TEMPLATES,
    )


def class_vectors(text: TextFn, label_set: LabelSet) -> NDArray[np.float32]:
    """Unit vectors float32 (K, D), one a label: the mean of its prompts' unit vectors, made unit.

    `text` turns prompts into vectors (n, D), of any length; it gets at most 16 at once.
    """
    prompts = [prompt for label in label_set.labels for prompt in label_set.prompts(label)]
    batches = [
        text(prompts[start : start + PROMPTS_AT_ONCE])
        for start in range(0, len(prompts), PROMPTS_AT_ONCE)
    ]
    vectors = unit(np.concatenate(batches))
    by_label = vectors.reshape(len(label_set.labels), len(label_set.templates), -1)
    return unit(by_label.mean(axis=1)).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Of n embeddings against K labels: float32 (n, K), (n, K), and (n,) where asked for."""

    probabilities: NDArray[np.float32]
    cosines: NDArray[np.float32]
    none: NDArray[np.float32] | None


def score(
    vectors: NDArray[np.float32],
    classes: NDArray[np.float32],
    temperature: float,
    none_below: float | None = None,
) -> Scores:
    """Cosines of `vectors` (n, D) with `classes` (K, D), and what they say.

    Two questions are answered in turn. Is it any of these? `none` is the logistic of
    (none_below - best cosine) / temperature: one half when the best label is just at the
    threshold, whatever the number of labels. Which one, if any? softmax(cosine / temperature),
    which shares out the rest, so that probabilities and `none` sum to 1.

    Without `none_below`, `none` is None. There is no default: cosines crowd together, and where
    they lie differs between models, modalities and prompts. Take the best cosine that windows
    of nothing in particular reach on the robot itself.
    """
    if not temperature > 0:
        raise ValueError(f"expected a temperature above 0, got {temperature}")
    cosines = unit(vectors) @ unit(classes).T
    logits = cosines / temperature
    best = logits.max(axis=1, keepdims=True)
    shares = np.exp(logits - best)
    shares /= shares.sum(axis=1, keepdims=True)
    if none_below is None:
        none = None
    else:
        # Half a hyperbolic tangent is the logistic, and does not overflow.
        none = 0.5 + 0.5 * np.tanh(0.5 * (none_below / temperature - best[:, 0]))
    return Scores(
        probabilities=(shares if none is None else shares * (1 - none[:, None])).astype(np.float32),
        cosines=cosines.astype(np.float32),
        none=None if none is None else none.astype(np.float32),
    )


def labels(scores: Scores, label_set: LabelSet, calibrated: bool = False) -> list[Labels]:
    """The scores of each embedding as `Labels`, in their order."""
    set_hash = label_set.hash
    count = len(scores.cosines)
    doubts = [None] * count if scores.none is None else scores.none.tolist()
    rows = zip(scores.probabilities, scores.cosines, doubts, strict=True)
    return [
        Labels(set_hash, label_set.labels, probabilities, cosines, none, calibrated)
        for probabilities, cosines, none in rows
    ]


def unit(vectors: NDArray[Any]) -> NDArray[np.float64]:
    """Rows of unit length, float64; a row of zeros stays as it is."""
    # Twice the range of float32: the squares of any float32 vector neither overflow nor vanish.
    wide = np.asarray(vectors, np.float64)
    length = np.linalg.norm(wide, axis=-1, keepdims=True)
    return wide / np.where(length > 0, length, 1)


def _bounded(where: str, what: str, lines: Sequence[str], most: int) -> None:
    if not 1 <= len(lines) <= most:
        raise ConfigError(f"{where}: expected 1 to {most} {what}s, got {len(lines)}")
    if len(set(lines)) != len(lines):
        twice = next(line for line in lines if lines.count(line) > 1)
        raise ConfigError(f'{where}: expected every {what} once, got "{twice}" twice')
    for line in lines:
        if not 1 <= len(line.strip()) <= LONGEST_LINE:
            raise ConfigError(
                f'{where}: expected a {what} of 1 to {LONGEST_LINE} characters, got "{line[:40]}"'
            )
