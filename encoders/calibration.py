"""The temperatures fitted for a model and a label set; they travel with the weights."""

from collections.abc import Collection, Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from streamer.types import Modality

Temperature = Annotated[float, Field(gt=0, le=10)]
Cosine = Annotated[float, Field(ge=-1, le=1)]


class Calibration(BaseModel):
    """What turns this model's cosines into probabilities, by modality, for one label set.

    `set` is the hash of the label set (`LabelSet.hash`): with other labels, or other wordings of
    them, the numbers do not hold. `temperatures` divide cosines before the softmax; `none_below`
    is the cosine at which "none of these" is as likely as not, where one was fitted.
    """

    # A file of a later version may say more; what is read is read strictly.
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, allow_inf_nan=False)

    set: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
    temperatures: Mapping[Modality, Temperature]
    none_below: Mapping[Modality, Cosine] = Field(default_factory=dict[Modality, float])

    @model_validator(mode="after")
    def _every_threshold_has_its_temperature(self) -> "Calibration":
        if alone := sorted(set(self.none_below) - set(self.temperatures)):
            raise ValueError(f"none_below: expected temperatures of {', '.join(alone)} too")
        return self

    def only(self, modalities: Collection[Modality]) -> "Calibration":
        """What is left of it for some of its modalities."""
        return self.model_copy(
            update={
                "temperatures": {m: t for m, t in self.temperatures.items() if m in modalities},
                "none_below": {m: c for m, c in self.none_below.items() if m in modalities},
            }
        )
