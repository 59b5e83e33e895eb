"""What a field that came over the wire may be, and the one error for what it may not.

Everything is bounded: a payload of `MAX_PAYLOAD` bytes cannot make a decoder allocate more than a
small multiple of that.
"""

import math
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from streamer.errors import StreamerError

FORMAT = 1
MAX_PAYLOAD = 256 * 1024

Ns = Annotated[int, Field(ge=0, lt=2**63)]
AgeNs = Annotated[int, Field(gt=-(2**63), lt=2**63)]
# JSON numbers are doubles in most languages, exact up to 2^53: microseconds until the year 2255.
Us = Annotated[int, Field(ge=0, lt=2**53)]
Count = Annotated[int, Field(ge=0, lt=2**53)]
Name = Annotated[str, Field(max_length=256)]
Text = Annotated[str, Field(max_length=2048)]
Counts = Annotated[dict[Name, Count], Field(max_length=256)]


def _finite(value: JsonValue) -> JsonValue:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number that is not finite")
    if isinstance(value, dict):
        for item in value.values():
            _finite(item)
    elif isinstance(value, list):
        for item in value:
            _finite(item)
    return value


FiniteJson = Annotated[dict[Name, JsonValue], Field(max_length=256), AfterValidator(_finite)]


def _known(version: int) -> int:
    if version != FORMAT:
        raise ValueError(f"expected version {FORMAT} of the format, got {version}")
    return version


Version = Annotated[int, AfterValidator(_known)]


class WireError(StreamerError):
    """Bytes from the wire that are not what the format says."""


class Wire(BaseModel):
    """Types are exact, numbers finite; keys of a later minor version are passed over."""

    model_config = ConfigDict(
        extra="ignore", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )


def first_problem(what: str, error: ValidationError) -> WireError:
    """One line: which message, which field, what is wrong with it."""
    problem = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in problem["loc"])
    return WireError(f"{what}: {field + ': ' if field else ''}{problem['msg']}")


def check_size(what: str, payload: bytes) -> None:
    if len(payload) > MAX_PAYLOAD:
        raise WireError(f"{what}: expected at most {MAX_PAYLOAD} bytes, got {len(payload)}")
