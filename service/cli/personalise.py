"""``stinger personalise``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from models.cli.data_options import data_dir_option
from replay.plots.shot_choice import ShotOrder
from service.cli.port_options import port_options
from stinger.cli.options import ANY_PATH

if TYPE_CHECKING:
    from service.cli.personalise_work import PersonaliseSettings


@click.command("personalise", short_help="Fetch a log, train on it, upload the models.")
@click.argument("logs", metavar="[LOG]...", nargs=-1, type=ANY_PATH)
@port_options
@data_dir_option
@click.option(
    "--no-others",
    is_flag=True,
    help="Do not use the recordings in the data folder, only the log or logs of the person.",
)
@click.option(
    "--shots",
    type=click.Choice([order.value for order in ShotOrder]),
    default=ShotOrder.INSTRUCTIVE.value,
    show_default=True,
    help="The shots to draw: the best or worst predicted, the most typical, a third of each (instructive), or the first.",
)
@click.option(
    "--outdir",
    type=click.Path(path_type=Path),
    help="New folder for the log, the models and the pictures.  [default: ml_out/personal/ and the time]",
)
@click.option("--yes", is_flag=True, help="Upload the models without asking, for scripts.")
@click.pass_obj
def personalise_command(
    settings: PersonaliseSettings | None,
    *,
    logs: tuple[str, ...],
    port: str | None,
    baud: int,
    data_dir: str | None,
    no_others: bool,
    shots: str,
    outdir: Path | None,
    yes: bool,
) -> None:
    """Train models for your blaster on a log of your play, and upload them.

    Start the recording in the blaster's menu and play for ten minutes: carry, aim and wait as well as shoot. Leave the
    blaster switched on, plug it in, and run this command. It fetches the log, trains the two kinds of model that the
    blaster supports, shows how good they are, and asks before it changes anything on the blaster.

    With saved LOGs, of any format and several together, it trains on these instead, and fetches nothing.
    """
    from service.cli.personalise_work import DEFAULT_SETTINGS, fetch_train_upload

    fetch_train_upload(
        settings or DEFAULT_SETTINGS,
        logs=logs,
        port=port,
        baud=baud,
        data_dir=data_dir,
        no_others=no_others,
        shots=ShotOrder(shots),
        outdir=outdir,
        yes=yes,
    )
