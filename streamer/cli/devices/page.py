"""What was found as a page of YAML, to read and to paste. Pure."""

from collections.abc import Iterator, Sequence

from streamer.cli.devices.ask import Device, Found


def page(found: Sequence[Found]) -> str:
    """The `sources` of a configuration; whatever is not one is a comment."""
    lines: list[str] = []
    if any(each.devices for each in found):
        lines.append("sources:")
    for each in found:
        lines += [f"# {each.kind.name}: {_summary(each)}"]
        for device in each.devices:
            lines += _entry(device)
    return "\n".join(lines) + "\n"


def _summary(found: Found) -> str:
    if found.state == "missing":
        return f"not asked: {_line(found.why)}"
    if found.state == "failed":
        return f"could not be asked: {_line(found.why)}"
    return f"{len(found.devices)} found" if found.devices else "none found"


def _entry(device: Device) -> Iterator[str]:
    what = f": {_line(device.what)}" if device.what else ""
    yield f"  # {_line(device.name)}{what}"
    text = [line for line in device.yaml.splitlines() if line.strip()]
    item = bool(text) and text[0].startswith("-")
    for number, line in enumerate(text):
        lead = "" if item else ("  " if number else "- ")
        yield f"  {lead}{_line(line)}"


def _line(text: str) -> str:
    """One line, without what a terminal would obey: devices name themselves."""
    return "".join(char if char.isprintable() else " " for char in text)
