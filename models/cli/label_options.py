"""The options that choose the windows that a model is trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from models.row_options import STREAM, TEACHER, WINDOWS
from models.spec import BLASTER_MLP
from models.stream_rows import HORIZON_MS, StreamOptions
from stinger.cli.options import Milliseconds

_DEFAULTS: Final = StreamOptions()

_Command = TypeVar("_Command", bound=Callable[..., Any])


def label_options(default: str) -> Callable[[_Command], _Command]:
    """Return a decorator that adds ``--labels``, with ``default``, and the options of stream labels."""

    def decorate(command: _Command) -> _Command:
        for option in (
            click.option(
                "--distilled",
                is_flag=True,
                help=f"With --labels stream: fit {BLASTER_MLP} to the output of {TEACHER} instead of to the labels.",
            ),
            click.option(
                "--turned-deg",
                type=click.FloatRange(0, 180),
                default=_DEFAULTS.turned_deg,
                show_default=True,
                help="With --labels stream: also train on each row turned by a random angle of up to this, for other ways of "
                "holding.",
            ),
            click.option(
                "--hard-rounds",
                type=click.IntRange(0, 100),
                default=_DEFAULTS.hard_rounds,
                show_default=True,
                help="With --labels stream: N times, train on a third of the negatives, and add those that the model takes "
                "for positives.",
            ),
            click.option(
                "--stream-rows",
                type=click.IntRange(2),
                default=_DEFAULTS.max_rows,
                show_default=True,
                help="With --labels stream: use at most about N rows; of long recordings, fewer samples become rows.",
            ),
            click.option(
                "--thin",
                type=click.IntRange(1, 10_000),
                default=_DEFAULTS.every,
                show_default=True,
                help="With --labels stream: use every Nth negative sample.",
            ),
            click.option(
                "--horizon-ms",
                type=Milliseconds(),
                default=HORIZON_MS,
                show_default=True,
                help="With --labels stream: a sample is positive up to this long before a shot.",
            ),
            click.option(
                "--labels",
                type=click.Choice([STREAM, WINDOWS]),
                default=default,
                show_default=True,
                help="Train on samples of the whole stream, or on windows chosen around shots.",
            ),
        ):
            command = option(command)
        return command

    return decorate


def stream_options(values: Mapping[str, Any], *, seed: int) -> StreamOptions:
    """Return the options of stream labels among the ``values`` of a command, by the names of its parameters.

    Raises :class:`~stinger.errors.InputError`.
    """
    return StreamOptions(
        horizon_ms=values["horizon_ms"],
        every=values["thin"],
        max_rows=values["stream_rows"],
        hard_rounds=values["hard_rounds"],
        turned_deg=values["turned_deg"],
        distilled=values["distilled"],
        seed=seed,
    )
