"""`streamer weights`: get the released weights, check them, fit them into a robot's memory."""

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.prompt import Confirm
from rich.table import Table

from encoders.store.convert import Precision, convert
from encoders.store.folder import find, weights_folder
from encoders.store.known import KNOWN, Known
from encoders.store.listing import Entry, entries
from encoders.store.pull import GOES_ON, pull
from encoders.store.towers import StoredTower
from encoders.store.verify import verify
from streamer.cli.output import Json, console, emit, one_line_errors, say_logs
from streamer.cli.weights.bytes_bar import shown_bytes
from streamer.clock import SystemClock
from streamer.errors import ConfigError, EncoderFailed
from streamer.types import NS_PER_S

app = typer.Typer(no_args_is_help=True)

Weights = Annotated[
    str, typer.Argument(metavar="NAME|FILE", help="imagebind_huge, a file, or a converted folder.")
]


@app.callback()
def weights() -> None:
    """The released weights: get them, check them, fit them into a robot's memory.

    They lie in the cache folder of the platform, or in the folder STREAMER_WEIGHTS. In a
    configuration, `encoder.weights: imagebind_huge` means what lies there under that name.
    """


@app.command("pull")
def pull_command(
    name: Annotated[str, typer.Argument(help=f"Which weights: {', '.join(KNOWN)}.")],
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept the licence without being asked.")
    ] = False,
    url: Annotated[
        str | None, typer.Option(help="Fetch from this mirror instead of where it is published.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Fetch weights into the cache folder, after you accept their licence.

    When the connection breaks or you press Ctrl-C, what has come is kept, and the same command goes
    on from there. Afterwards `streamer weights verify` checks what came.
    """
    say_logs()
    with one_line_errors("weights pull", as_json=as_json):
        known = _known(name)
        target = weights_folder() / known.file
        there = target.exists()
        if there:
            console.print(f"{escape(str(target))} is there already", soft_wrap=True)
        else:
            _accept(known, accept_licence)
            _fetch(name, url or known.url, target, as_json)
        console.print(f"next: [bold]streamer weights verify {name}[/]")
        if as_json:
            emit(
                {
                    "command": "weights pull",
                    "ok": True,
                    "path": str(target),
                    "bytes": target.stat().st_size,
                    "fetched": not there,
                }
            )


@app.command("list")
def list_command(as_json: Json = False) -> None:
    """Show what is in the cache folder. Hashes are the stored ones; `verify` computes them."""
    say_logs()
    with one_line_errors("weights list", as_json=as_json):
        folder = weights_folder()
        found = entries(folder)
    console.print(f"{escape(str(folder))}{'' if found else ': nothing'}", soft_wrap=True)
    if found:
        console.print(_listed(found))
    for entry in found:
        if entry.problem is not None:
            console.print(f"[bold yellow]damaged[/]: {escape(entry.problem)}", soft_wrap=True)
    if as_json:
        emit(
            {
                "command": "weights list",
                "ok": True,
                "folder": str(folder),
                "weights": [_entry_report(entry) for entry in found],
            }
        )


@app.command("verify")
def verify_command(
    weights: Weights,
    sha256: Annotated[
        str | None, typer.Option(help="The hash that it must have, 64 hexadecimal digits.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Read all of it: names, shapes, finite numbers, and the hash.

    The hash is stored beside the file (`FILE.sha256`, for sha256sum too) and compared the next
    time. Nobody publishes the hash of imagebind_huge, so the first one is that of what you have.
    After a file was replaced on purpose, --sha256 with its hash stores that one.
    """
    say_logs()
    with one_line_errors("weights verify", as_json=as_json):
        pin = _pin(sha256)
        path = find(weights)
        whole = weights in KNOWN and path.is_file()
        with shown_bytes() as heard:
            found = verify(path, now=_now(), heard=heard, whole=whole, pin=pin)
    console.print(_checked(found.towers))
    console.print(f"sha256 {found.sha256}: {found.verdict}", soft_wrap=True)
    if as_json:
        emit(
            {
                "command": "weights verify",
                "ok": True,
                "path": str(path),
                "sha256": found.sha256,
                "verdict": found.verdict,
                "towers": {each.tower: _tower_report(each) for each in found.towers},
            }
        )


@app.command("convert")
def convert_command(
    weights: Weights,
    out: Annotated[Path, typer.Option("--out", "-o", help="A new folder.")],
    dtype: Annotated[
        Precision, typer.Option(help="What the robot computes in: bf16 on Orin, fp16 before it.")
    ] = "bf16",
    as_json: Json = False,
) -> None:
    """Write one safetensors file a tower into a new folder, for `encoder.weights`.

    In the precision that the encoder runs in, weights are used straight from the file: no copy in
    memory, and shared by all processes. Needs less than 1.5 GB of memory.
    """
    say_logs()
    with one_line_errors("weights convert", as_json=as_json):
        path = find(weights)
        with shown_bytes() as heard:
            files = convert(path, out, dtype, heard)
        sizes = {file.stem: file.stat().st_size for file in files}
    for tower, size in sizes.items():
        console.print(
            f"{escape(str(out / tower))}.safetensors: {size / 1e6:.1f} MB", soft_wrap=True
        )
    if as_json:
        emit(
            {
                "command": "weights convert",
                "ok": True,
                "path": str(out),
                "dtype": dtype,
                "bytes": sizes,
            }
        )


def _known(name: str) -> Known:
    if name not in KNOWN:
        raise ConfigError(f"{name}: expected one of {', '.join(KNOWN)}")
    return KNOWN[name]


def _accept(known: Known, accepted: bool) -> None:
    """Show the licence; go on only when it is accepted."""
    console.print(known.licence, soft_wrap=True)
    if accepted:
        return
    if not sys.stdin.isatty():
        raise ConfigError("licence: expected --accept-licence, since nobody is here to be asked")
    try:
        accepted = Confirm.ask("Do you accept this licence?", console=console, default=False)
    except EOFError:
        accepted = False
    if not accepted:
        raise EncoderFailed("licence: not accepted: nothing was fetched")


def _fetch(name: str, url: str, target: Path, as_json: bool) -> None:
    try:
        with shown_bytes() as heard:
            pull(url, target, lambda done, total: heard(name, done, total))
    except KeyboardInterrupt:
        console.print(f"stopped; what has come is kept: {GOES_ON}")
        if as_json:
            emit({"command": "weights pull", "ok": False, "stopped": True})
        raise typer.Exit(130) from None


def _pin(sha256: str | None) -> str | None:
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise ConfigError(f"--sha256: expected 64 hexadecimal digits, got {sha256!r}")
    return sha256.lower() if sha256 is not None else None


def _now() -> str:
    return datetime.fromtimestamp(SystemClock().now_ns() // NS_PER_S, UTC).isoformat()


def _listed(found: list[Entry]) -> Table:
    table = Table("name", "MB", "format", "towers", "numbers", "sha256 (stored)", "checked")
    for entry in found:
        table.add_row(
            escape(entry.name),
            f"{entry.bytes / 1e6:.1f}",
            entry.format,
            "damaged" if entry.problem is not None else " ".join(entry.towers),
            " ".join(entry.dtypes),
            (entry.sha256 or "")[:16],
            entry.checked or "never",
        )
    return table


def _entry_report(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "format": entry.format,
        "bytes": entry.bytes,
        "towers": list(entry.towers),
        "dtypes": list(entry.dtypes),
        "sha256": entry.sha256,
        "checked": entry.checked,
        "problem": entry.problem,
    }


def _checked(towers: tuple[StoredTower, ...]) -> Table:
    table = Table("tower", "tensors", "parameters", "numbers", "MB")
    for each in towers:
        report = _tower_report(each)
        table.add_row(
            each.tower,
            str(report["tensors"]),
            f"{report['parameters'] / 1e6:.1f} M",
            report["dtype"],
            f"{each.bytes / 1e6:.1f}",
        )
    return table


def _tower_report(tower: StoredTower) -> dict[str, Any]:
    return {
        "tensors": len(tower.shapes),
        "parameters": tower.parameters,
        "dtype": str(tower.dtype).removeprefix("torch."),
        "bytes": tower.bytes,
    }
