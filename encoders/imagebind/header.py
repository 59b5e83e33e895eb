"""What a file of weights says about itself, in the header of a `.safetensors` file.

Two strings of JSON, either of which may be missing: `model`, the sizes under the keywords of
`ModelConfig`, and `calibration`. Both are untrusted.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from encoders.calibration import Calibration
from encoders.imagebind.config import TOWERS, ModelConfig
from encoders.imagebind.statefile import read_metadata, tower_files
from streamer.errors import EncoderFailed

ModelT = TypeVar("ModelT", bound=BaseModel)

LONGEST = 64 << 10

# A model is built before its file is compared with it. These bound what that costs, several times
# above imagebind_huge; below the second no product of sizes leaves 64 bits.
MOST_BLOCKS = 256
LARGEST_SIZE = 8192


@dataclass(frozen=True, slots=True)
class Header:
    """None where the file does not say."""

    sizes: ModelConfig | None = None
    calibration: Calibration | None = None


def read_header(path: Path) -> Header:
    """Of a file, or of a folder's files, which must agree.

    Raises EncoderFailed, one line, when a file or what it says cannot be used.
    """
    if path.is_dir():
        first, *others = ((file, read_header(file)) for file in tower_files(path).values())
        for file, header in others:
            if header != first[1]:
                raise EncoderFailed(
                    f"{file}: expected the model and calibration of {first[0].name}, got others"
                )
        return first[1]
    metadata = read_metadata(path)
    sizes = _parsed(path, "model", metadata.get("model"), ModelConfig)
    if sizes is not None:
        _check_cost(path, sizes)
    return Header(sizes, _parsed(path, "calibration", metadata.get("calibration"), Calibration))


def _parsed(path: Path, key: str, text: str | None, kind: type[ModelT]) -> ModelT | None:
    if text is None:
        return None
    if len(text) > LONGEST:
        raise EncoderFailed(
            f"{path}: {key}: expected at most {LONGEST} characters, got {len(text)}"
        )
    try:
        return kind.model_validate_json(text, strict=True)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        # A key can be any text, with line breaks in it too.
        where = repr("".join(f".{part}" for part in problem["loc"]))[1:-1][:200]
        raise EncoderFailed(f"{path}: {key}{where}: {problem['msg']}") from None


def _check_cost(path: Path, sizes: ModelConfig) -> None:
    for tower in TOWERS:
        if (blocks := sizes.num_blocks(tower)) > MOST_BLOCKS:
            raise EncoderFailed(
                f"{path}: model.{tower}_num_blocks: expected at most {MOST_BLOCKS}, got {blocks}"
            )
    for name, value in sizes.model_dump(exclude={"vocab_size"}).items():
        largest = max(value) if isinstance(value, tuple) else value
        if largest > LARGEST_SIZE:
            raise EncoderFailed(
                f"{path}: model.{name}: expected at most {LARGEST_SIZE}, got {largest}"
            )
