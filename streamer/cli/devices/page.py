"""What was found as a page of YAML, to read and to paste. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence

import yaml

from streamer.cli.devices.ask import Device, Found


def page(found: Sequence[Found]) -> str:
    """The `sources` of a configuration; whatever is not one is a comment."""
    lines: list[str] = []
    if any(each.devices for each in found):
        lines.append("sources:")
    streams = Counter[str]()
    for each in found:
        lines.append(f"# {each.kind.name}: {_summary(each)}")
        for device in each.devices:
            lines += _entry(device, streams)
    return "\n".join(lines) + "\n"


def _summary(found: Found) -> str:
    if found.state == "missing":
        return f"not asked: {_line(found.why)}"
    if found.state == "failed":
        return f"could not be asked: {_line(found.why)}"
    return f"{len(found.devices)} found" if found.devices else "none found"


def _entry(device: Device, streams: Counter[str]) -> Iterator[str]:
    what = f": {_line(device.what)}" if device.what else ""
    yield f"  # {_line(device.name)}{what}"
    source = dict(device.yaml)
    if isinstance(name := source.get("stream"), str):
        # Two of a kind propose one name, which only one stream may have.
        streams[name] += 1
        source["stream"] = name if streams[name] == 1 else f"{name}{streams[name]}"
    text = yaml.safe_dump([source], sort_keys=False, default_flow_style=None, width=120)
    yield from (f"  {line}" for line in text.splitlines())


def _line(text: str) -> str:
    """One line, without what a terminal would obey: devices name themselves."""
    return "".join(char if char.isprintable() else " " for char in text)
