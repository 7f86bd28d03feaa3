"""The ``stinger`` command: a group that knows its subcommands by name and imports only the one that is called."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from stinger.cli.streams import OutputError, guarded_output, show_exception
from stinger.errors import StingerError
from stinger.packages import PACKAGES, check_packages
from stinger.wording import printable

COMMANDS: Final = {
    "benchmark": ("models.cli.benchmark:benchmark", "Compare models on a training set, over splits and seeds."),
    "calibrate": ("replay.cli.calibrate:calibrate", "Choose a model's threshold within a limit on false spin-ups."),
    "convert": ("stinger.cli.convert:convert", "Convert a recording between formats."),
    "demo": ("service.cli.demo:demo", "Show the daemon at work with an emulated blaster."),
    "emulate": ("hil.cli.emulate:emulate", "Emulate a blaster on a pty or TCP port, with optional faults."),
    "evaluate": (
        "replay.cli.evaluate:evaluate_command",
        "Measure a model on recordings: shots in time, false spin-ups.",
    ),
    "explore": ("replay.cli.explore:explore", "Plot recordings and their shots, and export a training set."),
    "export-model": ("models.cli.exchange:export_model", "Convert a model to a file for the blaster."),
    "forget": ("service.cli.forget:forget_command", "Delete what a broker retains about devices."),
    "import-model": ("models.cli.exchange:import_model", "Convert a model file of the blaster to a model."),
    "hil": ("hil.cli.hil:hil", "Test the daemon on a bench, with emulated or real blasters."),
    "info": ("stinger.cli.info:info", "Show what a recording contains."),
    "models": ("models.cli.models:models", "List, show, add and promote models."),
    "personalise": ("service.cli.personalise:personalise_command", "Fetch a log, train on it, upload the models."),
    "plot": ("replay.cli.plot:plot", "Train models and plot their output over a recording."),
    "pull": ("service.cli.pull:pull", "Fetch a blaster's log."),
    "push": ("service.cli.push:push", "Upload models to a blaster."),
    "recordings": ("service.cli.recordings:recordings", "List, pack and delete recordings."),
    "retrain": ("service.cli.retrain:retrain_command", "Train better models on the daemon's recordings."),
    "run": ("service.cli.run:run", "Run the daemon: samples in, shot events out."),
    "synth": ("models.cli.synth:synth", "Generate a synthetic session."),
    "train": ("models.cli.train:train", "Train a model on a training set or recordings, and measure it."),
    "watch": ("service.cli.watch:watch", "Show live what a daemon publishes."),
    "web": ("service.cli.web:web", "Serve the page for people: live view, recordings, models."),
}
"""Module and function of each subcommand, and its line in the list of commands, shown without importing it."""


_REFUSED_BY_SYSTEM: Final = frozenset(
    {
        errno.EACCES,
        errno.EDQUOT,
        errno.EIO,
        errno.EISDIR,
        errno.ELOOP,
        errno.EMFILE,
        errno.ENAMETOOLONG,
        errno.ENFILE,
        errno.ENOENT,
        errno.ENOSPC,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    }
)
"""Errors of the system about files and folders, which a user can cause; its other errors may be faults of the program."""


class _UserError(click.ClickException):
    """One line on stderr and exit code 2."""

    exit_code = 2

    def format_message(self) -> str:
        """Return the message on one line."""
        return printable(self.message)


class LazyGroup(click.Group):
    """A group of the subcommands in ``lazy``, in the form of :data:`COMMANDS`; prints a :class:`StingerError` as one line."""

    def __init__(self, *arguments: Any, lazy: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all subcommands in alphabetical order, without importing them."""
        del ctx
        return sorted(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the subcommand ``cmd_name``; ``None`` if there is none of that name."""
        del ctx
        if cmd_name not in self._lazy:
            return None
        module_name, _, attribute = self._lazy[cmd_name][0].partition(":")
        try:
            check_packages()
        except StingerError as error:
            raise _UserError(str(error)) from error
        try:
            command = getattr(import_module(module_name), attribute)
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing in PACKAGES or not missing:
                raise
            raise _UserError(
                f"'{cmd_name}' needs the package {missing}, which is not installed: run pip install 'stinger-ml[all]'"
            ) from error
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from their names and help lines, without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in sorted(self._lazy.items())])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names without importing commands: importing all would take seconds, and fail without their extras."""
        named = [
            CompletionItem(name, help=help_line)
            for name, (_, help_line) in sorted(self._lazy.items())
            if name.startswith(incomplete)
        ]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. An error that a user can cause ends as one line and exit code 2."""
        try:
            return super().invoke(ctx)
        except StingerError as error:
            raise _UserError(str(error)) from error
        except OSError as error:
            # A plain OSError without a number is a library's, such as Matplotlib's without a folder that it can write to.
            if error.errno not in _REFUSED_BY_SYSTEM and not (type(error) is OSError and error.errno is None):
                raise
            names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
            raise _UserError(": ".join([*names, error.strerror or str(error)])) from error
        except click.UsageError as error:
            raise _in_one_line(error) from error

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run the command line. What it prints controls no terminal, and an output that is full or closed is no traceback."""
        sys.excepthook = show_exception
        try:
            with guarded_output():
                return super().main(*arguments, **options)
        except OutputError as error:
            with guarded_output():
                _UserError(str(error)).show()
            sys.exit(_UserError.exit_code)
        except BrokenPipeError:
            sys.exit(1)

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """Parse the command line. A usage error ends as one line and exit code 2."""
        try:
            return super().make_context(*arguments, **options)
        except click.UsageError as error:
            raise _in_one_line(error) from error


def _in_one_line(error: click.UsageError) -> click.ClickException:
    """Return ``error`` as one line that names the command to ask for help, in place of click's four lines."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error
    where = "" if error.ctx is None else f" (see {error.ctx.command_path} --help)"
    return _UserError(f"{error.format_message()}{where}")


@click.group(
    cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="stinger-ml", prog_name="stinger")
def main() -> None:
    """Tools for the Stinger foam-dart blaster: recordings, training, a daemon that predicts shots, a test bench.

    For the options of a command: stinger COMMAND --help.
    """
