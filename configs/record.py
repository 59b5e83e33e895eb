"""The `record` part of a configuration: what a run keeps, and where."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sources.recording.encode import Pictures


class Record(BaseModel):
    """Sensors, and with `embeddings` what was made of them, in an MCAP file while the run goes on.

    `pictures`: of cameras; "png" loses nothing and is eight times as large, "h264" is half as large
    and costs three times the work. `quality` is that of either but "png". `queue_mb` bounds what
    waits for a slow disk; what finds no room is left out, and the file says so.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path
    pictures: Pictures = "jpeg"
    quality: Annotated[int, Field(ge=1, le=100)] = 90
    embeddings: bool = True
    fsync: bool = False
    queue_mb: Annotated[float, Field(ge=1, le=4096)] = 64
