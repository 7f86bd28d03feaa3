"""``stinger recordings mark``: marks what training and evaluation are not to use."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click

from models.cli.data_options import data_dir_option
from service.config.loading import load_config
from service.recording.marking import change_marks, nearest_edge_ms
from stinger.cli.options import ANY_PATH, json_option
from stinger.errors import FileError, InputError
from stinger.logs import Log, LogFormat, read_marked_log
from stinger.marks import Marks, Stretch, make_marks
from stinger.paths import recordings_dir
from stinger.wording import quoted

_SECONDS_MAX: Final = 1e8


class _Seconds(click.ParamType[int]):
    """A time in seconds after the first sample, as whole milliseconds."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return ``value`` in ms."""
        try:
            return _milliseconds(value)
        except ValueError:
            self.fail(f"expected seconds after the first sample, such as 31.2, not {quoted(str(value))}", param, ctx)


class _StretchType(click.ParamType[Stretch]):
    """Two times in seconds with a hyphen between them, as whole milliseconds."""

    name = "FROM-TO"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Stretch:
        """Return ``value`` in ms."""
        first, _, last = str(value).partition("-")
        try:
            return make_marks([(_milliseconds(first), _milliseconds(last))], ()).left_out[0]
        except InputError as error:
            self.fail(str(error), param, ctx)
        except ValueError:
            problem = f"expected two times in seconds after the first sample, such as 12.5-20, not {quoted(str(value))}"
            self.fail(problem, param, ctx)


@click.command("mark", short_help="Mark what training must not use.")
@click.argument("file", metavar="FILE", type=ANY_PATH)
@click.option("--leave-out", type=_StretchType(), multiple=True, help="Leave out these seconds; repeatable.")
@click.option("--use-again", type=_StretchType(), multiple=True, help="Use these seconds again; repeatable.")
@click.option(
    "--not-a-shot",
    type=_Seconds(),
    multiple=True,
    help="The pull of the trigger at this second was no shot; repeatable.",
)
@click.option(
    "--a-shot", type=_Seconds(), multiple=True, help="Undo --not-a-shot for the pull at this second; repeatable."
)
@click.option("--clear", is_flag=True, help="First remove all marks.")
@click.option(
    "--recording",
    "number",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Which recording of a log with several.",
)
@data_dir_option
@json_option
def mark(
    *,
    file: str,
    leave_out: tuple[Stretch, ...],
    use_again: tuple[Stretch, ...],
    not_a_shot: tuple[int, ...],
    a_shot: tuple[int, ...],
    clear: bool,
    number: int,
    data_dir: str | None,
    as_json: bool,
) -> None:
    """Mark stretches of the recording FILE to leave out, and pulls of the trigger that were not shots.

    \b
    stinger recordings mark ml_log.bin --leave-out 12.5-20 --not-a-shot 31.2
    stinger recordings mark left/20260131T170203.456Z.bin

    FILE is a recording as 'stinger recordings list' shows it, or any log. Times are in seconds after its first sample.
    The marks are kept in the JSON file beside it; all commands that train or evaluate use them. Without options, it
    shows them.
    """  # noqa: D301 - click needs the backspace itself
    path = _find(file, data_dir)
    log = read_marked_log(path)
    position = number - 1
    if position >= len(log.recordings):
        raise InputError(f"--recording {number}: {path} has {len(log.recordings)}")
    wanted = _Wanted(clear, leave_out, use_again, not_a_shot, a_shot)
    marks = log.marks_of(position)
    if wanted != _Wanted():
        marks = change_marks(path, position, _checked(wanted, log, position).apply)
    if as_json:
        click.echo(json.dumps({"path": str(path), "recording": number, **marks.to_json()}, indent=2))
        return
    click.echo(f"{path}: {marks.text() or 'nothing is marked'}")
    for from_ms, to_ms in marks.left_out:
        click.echo(f"  left out    {from_ms / 1000:.3f} to {to_ms / 1000:.3f} s")
    for time_ms in marks.not_shots:
        click.echo(f"  not a shot  {time_ms / 1000:.3f} s")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The changes that the options ask for; times are in ms after the first sample."""

    clear: bool = False
    leave_out: tuple[Stretch, ...] = ()
    use_again: tuple[Stretch, ...] = ()
    not_shots: tuple[int, ...] = ()
    shots: tuple[int, ...] = ()

    def apply(self, marks: Marks) -> Marks:
        """Return ``marks`` with these changes."""
        changed = Marks() if self.clear else marks
        for stretch in self.leave_out:
            changed = changed.leave_out(*stretch)
        for stretch in self.use_again:
            changed = changed.use_again(*stretch)
        for time_ms in self.not_shots:
            changed = changed.mark_not_shot(time_ms)
        for time_ms in self.shots:
            changed = changed.mark_shot(time_ms)
        return changed


def _checked(wanted: _Wanted, log: Log, position: int) -> _Wanted:
    """Return ``wanted`` with the times of the trigger edges nearest to those that were given.

    Raises :class:`FileError` for a bundle, which cannot be marked, and :class:`InputError` for a time without a trigger
    edge and for a stretch that begins after the end.
    """
    if log.format is LogFormat.BUNDLE:
        raise FileError(log.path, "is a bundle: mark the recordings that it was made of, and pack them again")
    recording = log.recordings[position]
    last_ms = int(recording.time_ms[-1] - recording.time_ms[0])
    for from_ms, _ in wanted.leave_out:
        if from_ms > last_ms:
            raise InputError(f"--leave-out from {from_ms / 1000:g} s: the recording ends at {last_ms / 1000:g} s")
    return replace(
        wanted,
        not_shots=tuple(nearest_edge_ms(recording, time_ms) for time_ms in wanted.not_shots),
        shots=tuple(nearest_edge_ms(recording, time_ms) for time_ms in wanted.shots),
    )


def _find(file: str, data_dir: str | None) -> Path:
    """Return the path of ``file``, which may be given as the list of recordings shows it."""
    if not os.path.lexists(file):
        listed = recordings_dir(load_config(None, os.environ, {"data_dir": data_dir}).data_dir) / file
        if listed.is_file():
            return listed
    return Path(file)


def _milliseconds(text: Any) -> int:
    """Return ``text``, a number of seconds, in ms. Raises ``ValueError`` for anything else."""
    seconds = float(text)
    if not 0 <= seconds <= _SECONDS_MAX:
        raise ValueError(text)
    return round(1000 * seconds)
