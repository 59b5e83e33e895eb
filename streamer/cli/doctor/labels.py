"""Whether the label sets can be read."""

from configs.load import label_set
from configs.schema import RunConfig
from streamer.cli.doctor.finding import Finding
from streamer.errors import ConfigError


def labels(config: RunConfig) -> list[Finding]:
    names = sorted(set(config.label_set_names.values()))
    return [_read(name) for name in names] or [Finding("labels", "pass", "none are wanted")]


def _read(name: str) -> Finding:
    try:
        found = label_set(name)
    except ConfigError as error:
        remedy = "set labels.set to a built-in one or to a text file, one label a line"
        return Finding(f"labels {name}", "fail", str(error), remedy)
    said = f"{len(found.labels)} labels, {len(found.templates)} templates"
    return Finding(f"labels {name}", "pass", said)
