"""The option that says where things are kept."""

from __future__ import annotations

import click

from stinger.cli.options import ANY_PATH

data_dir_option = click.option(
    "--data-dir",
    type=ANY_PATH,
    metavar="FOLDER",
    help="Where recordings and models are kept.  [default: the user's data folder]",
)
