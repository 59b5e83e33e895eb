"""Opens the recorder of a run: where sources, sinks and configuration meet."""

import yaml

from configs.record import Record
from configs.schema import RunConfig
from sinks.mcap.file import McapFile
from sources.recording.about import About
from sources.recording.recorder import Recorder
from streamer.clock import SystemClock


def recorder(settings: Record, config: RunConfig, clock: SystemClock) -> Recorder:
    """Not open yet. `config` is what the log will say the run was of."""
    about = About(
        live=config.live,
        streams=tuple(info for source in config.sources for info in source.streams),
        plan=config.plan(),
        started_ns=clock.now_ns(),
        clock_error_ns=clock.error_ns,
        config=yaml.safe_dump(config.model_dump(mode="json", exclude_defaults=False)),
    )
    return Recorder(
        about,
        lambda: McapFile(settings.path, fsync=settings.fsync),
        pictures=settings.pictures,
        quality=settings.quality,
        queue_bytes=round(settings.queue_mb * (1 << 20)),
    )
