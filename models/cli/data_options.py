"""The option that says where things are kept."""

from __future__ import annotations

import click

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(),
    metavar="FOLDER",
    help="Where recordings and models are kept.  [default: the user's data folder]",
)
