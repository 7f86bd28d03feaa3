"""Read the training set of ``stinger train`` and ``stinger benchmark``."""

from __future__ import annotations

import click

from models.dataset import Dataset, read_dataset
from models.repeated_rows import without_repeated_rows
from stinger.files import StrPath


def read_training_set(folder: StrPath) -> Dataset:
    """Read the training set in ``folder``.

    Windows that are in two of its sessions are left out, with a warning. Raises :class:`~stinger.errors.FileError`.
    """
    distinct = without_repeated_rows(read_dataset(folder))
    for line in distinct.warnings:
        click.echo(f"Warning: {line}", err=True)
    return distinct.dataset
