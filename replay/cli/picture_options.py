"""Options of the commands that draw pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from models.windows import LEAD_MS
from stinger.cli.options import Milliseconds

_Command = TypeVar("_Command", bound=Callable[..., Any])

_MAX_DPI = 1200


def lead_option(explanation: str) -> Callable[[_Command], _Command]:
    """Return the option ``--lead-ms`` with the help text ``explanation``."""
    return click.option("--lead-ms", type=Milliseconds(), default=LEAD_MS, show_default=True, help=explanation)


def shot_pre_option(default_ms: int) -> Callable[[_Command], _Command]:
    """Return the option ``--shot-pre-ms``."""
    return click.option(
        "--shot-pre-ms",
        type=Milliseconds(1),
        default=default_ms,
        show_default=True,
        help="Time shown before the trigger edge.",
    )


def shot_post_option(default_ms: int) -> Callable[[_Command], _Command]:
    """Return the option ``--shot-post-ms``."""
    return click.option(
        "--shot-post-ms",
        type=Milliseconds(),
        default=default_ms,
        show_default=True,
        help="Time shown after the trigger edge.",
    )


def dpi_option(default: int) -> Callable[[_Command], _Command]:
    """Return the option ``--dpi``."""
    return click.option(
        "--dpi",
        type=click.IntRange(20, _MAX_DPI),
        default=default,
        show_default=True,
        help="Resolution of the pictures, in dots per inch.",
    )


def overview_points_option(picture: str, *, default: int) -> Callable[[_Command], _Command]:
    """Return the option ``--overview-max-points`` for the overview in the file ``picture``."""
    return click.option(
        "--overview-max-points",
        type=click.IntRange(10),
        default=default,
        show_default=True,
        help=f"Approximate number of points per line in {picture}; peaks are preserved.",
    )
