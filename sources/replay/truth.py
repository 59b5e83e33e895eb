"""What there was to perceive, as it was published while recording: truth again in a replay."""

import json
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from sources.replay.container import Message
from streamer.types import Modality, Span, Truth

LARGEST = 1 << 20

_Name = Annotated[str, Field(max_length=256)]
_Us = Annotated[int, Field(ge=0, lt=2**53)]


class _Told(BaseModel):
    t0: _Us
    t1: _Us
    s: _Name
    present: dict[Modality, Annotated[list[_Name], Field(max_length=4096)]]


def truth(message: Message) -> Truth:
    """Its times are whole microseconds, as on the wire. Raises ValueError for what is no truth."""
    if len(message.payload) > LARGEST:
        raise ValueError(f"a truth of {len(message.payload)} bytes")
    try:
        told = _Told.model_validate(json.loads(message.payload))
    except (ValidationError, UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise ValueError("not a truth") from None
    present: dict[Modality, tuple[str, ...]] = {m: tuple(n) for m, n in told.present.items()}
    return Truth(told.s, Span(told.t0 * 1000, told.t1 * 1000), present)
