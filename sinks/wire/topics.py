"""The topics under `<prefix>/v1/<robot>/`, and which names may appear in them.

`docs/asyncapi.yaml` lists the same addresses; a test holds the two together.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

VERSION = "v1"
FUSED = "fused"
_MAX_LEVEL = 128
_MAX_PREFIX = 512


def check_level(name: str) -> str:
    """`name`, if it can be one level of an MQTT topic. Raises ValueError."""
    if not name:
        raise ValueError("a topic level must not be empty")
    if len(name) > _MAX_LEVEL:
        raise ValueError(f"a topic level has at most {_MAX_LEVEL} characters, got {len(name)}")
    if name.startswith("$"):
        raise ValueError(f"{name!r}: names that begin with $ belong to the broker")
    for char in name:
        if char in "+#/" or not char.isprintable():
            raise ValueError(f"{name!r}: {char!r} is not allowed in a topic level")
    return name


def check_prefix(prefix: str) -> str:
    """`prefix`, if it is one or more topic levels joined by `/`. Raises ValueError."""
    if len(prefix) > _MAX_PREFIX:
        raise ValueError(f"a topic prefix has at most {_MAX_PREFIX} characters, got {len(prefix)}")
    for level in prefix.split("/"):
        check_level(level)
    return prefix


TopicLevel = Annotated[str, AfterValidator(check_level)]
TopicPrefix = Annotated[str, AfterValidator(check_prefix)]


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one robot. Prefix and robot have been checked; streams are checked here."""

    prefix: str
    robot: str

    @property
    def root(self) -> str:
        return f"{self.prefix}/{VERSION}/{self.robot}"

    @property
    def everything(self) -> str:
        """The filter that matches all topics of the robot."""
        return f"{self.root}/#"

    @property
    def status(self) -> str:
        return f"{self.root}/status"

    @property
    def meta(self) -> str:
        return f"{self.root}/meta"

    @property
    def health(self) -> str:
        return f"{self.root}/health"

    @property
    def recording_status(self) -> str:
        return f"{self.root}/recording/status"

    @property
    def recording_trigger(self) -> str:
        """The one that is listened to."""
        return f"{self.root}/recording/trigger"

    def source_status(self, stream: str) -> str:
        return f"{self.root}/source/{check_level(stream)}/status"

    def truth(self, stream: str) -> str:
        return f"{self.root}/truth/{check_level(stream)}"

    def embedding(self, modality: str, stream: str) -> str:
        return f"{self.root}/embedding/{_place(modality, stream)}"

    def label(self, modality: str, stream: str) -> str:
        return f"{self.root}/label/{_place(modality, stream)}"


def _place(modality: str, stream: str) -> str:
    # There is one fused embedding a tick: a stream's name would say nothing.
    return FUSED if modality == FUSED else f"{check_level(modality)}/{check_level(stream)}"
