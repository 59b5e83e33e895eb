"""The `record` part of a configuration: what a run keeps, and where."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from configs.flight import FlightRecorder
from sources.recording.encode import Pictures
from sources.recording.parts import Rotation
from streamer.errors import ConfigError
from streamer.types import NS_PER_S


class Record(BaseModel):
    """Sensors, and with `embeddings` what was made of them, in an MCAP file while the run goes on.

    The name of the file may hold strftime codes, in UTC: `run-%Y%m%d-%H%M%S.mcap`. With `rotate_mb`
    or `rotate_s`, and after 100 000 chunks, a full file is closed and the next one begun: run.mcap,
    run.1.mcap, run.2.mcap.

    `pictures`: of cameras; "png" loses nothing and is eight times as large, "h264" is half as large
    and costs three times the work. `quality` is that of either but "png". `queue_mb` bounds what
    waits for a slow disk; what finds no room is left out, and the file says so. With `flight`
    nothing is written until there is a reason.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path
    pictures: Pictures = "jpeg"
    quality: Annotated[int, Field(ge=1, le=100)] = 90
    embeddings: bool = True
    fsync: bool = False
    queue_mb: Annotated[float, Field(ge=1, le=4096)] = 64
    rotate_mb: Annotated[float, Field(ge=1)] | None = None
    rotate_s: Annotated[float, Field(ge=1)] | None = None
    flight: FlightRecorder | None = None

    @model_validator(mode="after")
    def _flights_are_short(self) -> "Record":
        if self.flight is not None and (self.rotate_mb is not None or self.rotate_s is not None):
            raise ValueError(
                "flight: its files end by longest_s; expected no rotate_mb or rotate_s"
            )
        return self

    @property
    def rotation(self) -> Rotation:
        return Rotation(
            None if self.rotate_mb is None else round(self.rotate_mb * (1 << 20)),
            None if self.rotate_s is None else round(self.rotate_s * NS_PER_S),
        )

    def file(self, now_ns: int) -> Path:
        """The first file of a recording that begins now. Raises `ConfigError` where it cannot be.

        Nothing is ever written over, neither it nor what would become its parts. A flight recorder
        numbers its files where the name is taken.
        """
        began = datetime.fromtimestamp(now_ns / NS_PER_S, UTC)
        path = self.path.with_name(began.strftime(self.path.name))
        if not path.parent.is_dir():
            raise ConfigError(f"record.path: no such folder: {path.parent}")
        taken = [path] if path.exists() and self.flight is None else []
        if self.flight is None:  # long ones have parts, whether asked for or not
            taken += [other for other in path.parent.iterdir() if _is_part(other, path)]
        if taken:
            raise ConfigError(
                f"record.path: {min(taken)} exists; expected another name, for example "
                f"{path.stem}-%Y%m%d-%H%M%S{path.suffix}"
            )
        return path


def part(path: Path, number: int) -> Path:
    """The file behind the first, by number from 0, which is the first itself."""
    return path if number == 0 else path.with_name(f"{path.stem}.{number}{path.suffix}")


def _is_part(other: Path, path: Path) -> bool:
    number = other.name.removeprefix(f"{path.stem}.").removesuffix(path.suffix)
    return number.isdecimal() and other.name == part(path, int(number)).name
