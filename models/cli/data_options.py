"""The options for the data folder, and for recordings and models in shared storage."""

from __future__ import annotations

import click

from stinger.cli.options import ANY_PATH
from stinger.storage_url import parse_storage_url

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
shared_registry_option = click.option(
    "--registry",
    "registry_url",
    metavar="URL",
    callback=lambda _context, _option, text: None if text is None else parse_storage_url(text),
    envvar="STINGER_REGISTRY",
    help="Shared registry of models, such as s3://BUCKET/MODELS, instead of the one in the data folder.",
)
