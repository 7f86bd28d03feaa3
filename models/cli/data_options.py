"""The options for the data folder, and for recordings in shared storage."""

from __future__ import annotations

import click

from stinger.cli.options import ANY_PATH

data_dir_option = click.option(
    "--data-dir",
    type=ANY_PATH,
    metavar="FOLDER",
    help="Folder of recordings and models.  [default: the user's data folder]",
)
shared_recordings_option = click.option(
    "--recordings",
    "url",
    metavar="URL",
    help="Recordings of all daemons in shared storage, such as s3://BUCKET/FOLDER, instead of those in the data folder.",
)
