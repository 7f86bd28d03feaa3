"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Any, Final

import click

from models.threshold import HIGHEST_THRESHOLD, LOWEST_THRESHOLD, THRESHOLD_EXPECTED, Threshold, parse_threshold
from stinger.cli.options import ANY_PATH
from stinger.errors import InputError

TRAIN_DIR: Final = "ml_out/train"
"""The folder in which ``stinger explore --export-dataset`` writes a training set by default."""


class ThresholdType(click.FloatRange):
    """The type of an option that holds a threshold. A float range, so that help shows its limits."""

    name = "number"

    def __init__(self) -> None:
        super().__init__(LOWEST_THRESHOLD, HIGHEST_THRESHOLD)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Threshold:
        """Return ``value``, a text or a number, as a threshold."""
        try:
            return parse_threshold(float(value))
        except (ValueError, InputError):
            self.fail(f"'{value}': expected {THRESHOLD_EXPECTED}", param, ctx)


train_dir_option = click.option(
    "--train-dir",
    default=TRAIN_DIR,
    show_default=True,
    type=ANY_PATH,
    metavar="FOLDER",
    help="The training set, written by 'stinger explore --export-dataset'.",
)
test_size_option = click.option(
    "--test-size",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.25,
    show_default=True,
    help="Fraction of the rows (or shots, or sessions) to test on.",
)
