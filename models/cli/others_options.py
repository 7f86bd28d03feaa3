"""The options to train on recordings of others as well, which count for less than those of one person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

import click

from models.cli.log_input import open_logs
from models.names import unused
from models.repeats import without_repeats, without_samples_of
from models.sessions import Session, check_rates, open_sessions_of_logs
from stinger.cli.options import ANY_PATH, FiniteRange
from stinger.cli.repairs import warn
from stinger.errors import InputError
from stinger.logs import Log

OWN_WEIGHT: Final = 4.0
"""What a row of a person's own recordings counts as by default: on the wrist data, 1 or 4 are best for each person."""
_HIGHEST_WEIGHT: Final = 1000

_Command = TypeVar("_Command", bound=Callable[..., Any])


def others_options(command: _Command) -> _Command:
    """Add ``--others`` and ``--own-weight`` to a command that trains on recordings LOG."""
    for decorate in (
        click.option(
            "--own-weight",
            type=FiniteRange(1, _HIGHEST_WEIGHT),
            default=OWN_WEIGHT,
            show_default=True,
            metavar="N",
            help="With --others: each sample of LOG counts as N of theirs.",
        ),
        click.option(
            "--others",
            multiple=True,
            type=ANY_PATH,
            metavar="LOG",
            help="Also train on this recording of another person, and never test on it. May be repeated.",
        ),
    ):
        command = decorate(command)
    return command


def read_others(
    paths: Sequence[str], own: Sequence[Session], *, min_shot_gap_ms: float, rate_hz: float, every: int
) -> tuple[tuple[Session, ...], tuple[Log, ...]]:
    """Return the sessions of the logs at ``paths``, also in shared storage, and these logs.

    Sessions have other names and numbers of shots than those of ``own``. Those that share samples with ``own`` are left
    out, with a warning. Raises :class:`~stinger.errors.InputError` for a log that cannot be read or is not at 100 Hz,
    and if none is left.
    """
    logs = open_logs(paths, rate_hz=rate_hz, every=every)
    of_logs = open_sessions_of_logs(logs, min_shot_gap_ms=min_shot_gap_ms)
    for log, sessions in zip(logs, of_logs, strict=True):
        check_rates(log, sessions)
    timed = [one for sessions in of_logs for one in sessions if one.recording.rate_hz is not None]
    distinct = without_repeats(timed)
    kept, lines = without_samples_of(own, distinct.sessions)
    for line in (*distinct.warnings, *lines):
        warn(line)
    if not kept:
        raise InputError("--others: nothing is left to train on: give recordings of other people")
    taken, shots = {session.name for session in own}, sum(session.accepted_shots for session in own)
    return tuple(
        replace(one, name=unused(one.name, taken), first_shot_num=one.first_shot_num + shots) for one in kept
    ), tuple(logs)
