"""A label that is likely for a while."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from streamer.channels import Account
from streamer.types import NS_PER_S, Embedding, Message, Modality

Probability = Annotated[float, Field(ge=0, le=1)]


class LabelTrigger(BaseModel):
    """`label` has at least the probability `above`, in windows that end over `for_s` seconds.

    It fires once, and again only after it was `below` (by default 0.1 less than `above`, or half
    of it if that is more), so that one that hovers about the threshold is one event. Each stream is
    looked at by itself; `modality` (also "fused") and `stream` narrow it down.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["label"] = "label"
    label: Annotated[str, Field(min_length=1)]
    above: Annotated[float, Field(gt=0, le=1)] = 0.8
    below: Probability | None = None
    for_s: Annotated[float, Field(ge=0, le=3600)] = 1.0
    modality: Modality | Literal["fused"] | None = None
    stream: str | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "LabelTrigger":
        if self.below is not None and self.below > self.above:
            raise ValueError(f"below: expected at most above ({self.above:g}), got {self.below:g}")
        return self

    @property
    def low(self) -> float:
        # No probability is below 0: one that is rare has to be able to go away, too.
        return max(self.above / 2, self.above - 0.1) if self.below is None else self.below


@dataclass(slots=True)
class _Spell:
    """A time in which the label was there, from the first of the windows that said so."""

    since_ns: int
    last_ns: int
    told: bool = False


class LabelWatch:
    """A sink that hears labels. Windows that do not touch the one before begin anew."""

    def __init__(self, settings: LabelTrigger, trigger: Callable[[str], None]) -> None:
        self.account = Account()
        self._settings, self._trigger = settings, trigger
        self._spells: dict[tuple[str, str], _Spell] = {}

    async def publish(self, message: Message) -> None:
        self.account.produced += 1
        self.account.delivered += 1
        if isinstance(message, Embedding):
            self._look(message)

    def report(self) -> dict[str, object]:
        return self.account.report()

    def _look(self, embedding: Embedding) -> None:
        said, labels = self._settings, embedding.labels
        if (
            labels is None
            or said.label not in labels.names
            or said.modality not in (None, embedding.modality)
            or said.stream not in (None, embedding.stream)
        ):
            return
        probability = float(labels.probabilities[labels.names.index(said.label)])
        place, end_ns = (embedding.modality, embedding.stream), embedding.span.end_ns
        spell = self._spells.get(place)
        if spell is not None and (
            probability < said.low or embedding.span.start_ns > spell.last_ns
        ):
            del self._spells[place]
            spell = None
        if spell is None:
            if not probability >= said.above:
                return
            spell = self._spells[place] = _Spell(end_ns, end_ns)
        spell.last_ns = max(spell.last_ns, end_ns)
        if not spell.told and spell.last_ns - spell.since_ns >= said.for_s * NS_PER_S:
            spell.told = True
            self._trigger(f"label {said.label!r} {probability:.2f} on {'/'.join(place)}")
