"""Arguments and options that the commands of this room share."""

from __future__ import annotations

import click

from stinger.cli.options import ANY_PATH

train_dir_option = click.option(
    "--train-dir",
    required=True,
    type=ANY_PATH,
    metavar="FOLDER",
    help="The training set, as 'stinger explore --export-dataset' writes it.",
)
test_size_option = click.option(
    "--test-size",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.25,
    show_default=True,
    help="The part of the rows (shots, sessions) to test on.",
)
