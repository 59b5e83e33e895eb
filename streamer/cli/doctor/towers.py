"""Which towers a configuration uses, and their sizes."""

from configs.schema import RunConfig
from encoders.imagebind.config import TOWERS, ModelConfig, Tower
from encoders.imagebind.runtime import ImageBindEncoder
from streamer.errors import EncoderFailed


def towers_of(config: RunConfig) -> tuple[Tower, ...]:
    """In the order of `TOWERS`; none where the encoder has none."""
    if not isinstance(config.encoder, ImageBindEncoder):
        return ()
    used: set[Tower] = {config.encoder.tower(modality) for modality in config.modalities}
    if config.labels:
        used.add("text")
    return tuple(tower for tower in TOWERS if tower in used)


def sizes_of(encoder: ImageBindEncoder) -> tuple[ModelConfig, str]:
    """The sizes, and why they are guessed: "" where they are known.

    Weights that cannot be read are most often imagebind_huge's.
    """
    try:
        return encoder.sizes(), ""
    except EncoderFailed as error:
        given = encoder.model if isinstance(encoder.model, dict) else {}
        return ModelConfig.model_validate(given), str(error)
