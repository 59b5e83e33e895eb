"""The `streamer` command: one file per verb, joined here."""

from typing import Annotated

import typer

from streamer.cli.calibrate.command import calibrate
from streamer.cli.check.command import check
from streamer.cli.demo.command import demo
from streamer.cli.devices.command import devices
from streamer.cli.doctor.command import doctor
from streamer.cli.embed.command import embed
from streamer.cli.eval.command import evaluate
from streamer.cli.listen import listen
from streamer.cli.log.command import app as log
from streamer.cli.prepare import prepare
from streamer.cli.record import record
from streamer.cli.replay.command import replay
from streamer.cli.run import run
from streamer.cli.search.command import search
from streamer.cli.snapshot.command import snapshot
from streamer.cli.train import train
from streamer.cli.weights.command import app as weights
from streamer.version import __version__

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Sensors in, vectors of one shared space and zero-shot labels out, over MQTT.

    Start with `streamer demo` in one terminal and `streamer listen` in another.
    """


for verb in (
    demo,
    run,
    record,
    replay,
    devices,
    check,
    snapshot,
    doctor,
    prepare,
    embed,
    search,
    calibrate,
    listen,
    train,
):
    app.command()(verb)
app.command("eval")(evaluate)
app.add_typer(log, name="log")
app.add_typer(weights, name="weights")
