"""Whether each source opens and gives something."""

from streamer.cli.check.look import Look, look_at
from streamer.cli.doctor.finding import Finding
from streamer.protocols import Source

SECONDS, LIMIT_S = 2.0, 8.0
"""How much of each stream is looked at, and how long it may take: some cameras open slowly."""

LIVE = "is it connected, may this user open it, and does another program use it?"
FILE = "check the path and the tracks of {field}; `streamer check` shows more"


def remedy(field: str, source: Source) -> str:
    return LIVE if source.live else FILE.format(field=field)


async def sensor(field: str, source: Source, looks: list[Look]) -> list[Finding]:
    """What was seen is added to `looks`. `field` is its place in the configuration: `sources.0`."""
    seen = await look_at(source, SECONDS, LIMIT_S)
    looks += seen
    return [judge(look, remedy(field, source)) for look in seen]


def judge(look: Look, what_to_do: str) -> Finding:
    name = f"sensor {look.stream}"
    if look.fault:
        return Finding(name, "fail", look.fault.removeprefix(f"{look.stream}: "), what_to_do)
    if look.concern:
        return Finding(name, "warn", look.concern, "`streamer check` shows more")
    rate = f"{look.rate_hz:.0f}" if look.rate_hz >= 100 else f"{look.rate_hz:.3g}"
    return Finding(name, "pass", f"{rate} a second; {look.what}")
