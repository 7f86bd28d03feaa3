"""The option for the data folder."""

from __future__ import annotations

import click

from stinger.cli.options import ANY_PATH

data_dir_option = click.option(
    "--data-dir",
    type=ANY_PATH,
    metavar="FOLDER",
    help="Folder of recordings and models.  [default: the user's data folder]",
)
