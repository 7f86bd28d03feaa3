"""A command group that knows its subcommands by name and loads the one that is called; and the one of ``stinger``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from stinger.errors import StingerError
from stinger.packages import PACKAGES, check_packages

COMMANDS: Final = {
    "benchmark": ("models.cli.benchmark:benchmark", "Compare models on a training set, over splits and seeds."),
    "calibrate": ("replay.cli.calibrate:calibrate", "Choose a model's threshold within a limit on false spin-ups."),
    "convert": ("stinger.cli.convert:convert", "Convert a recording between formats."),
    "demo": ("service.cli.demo:demo", "Show the daemon at work with an emulated blaster."),
    "emulate": ("hil.cli.emulate:emulate", "Be a blaster, on a pty or a TCP port, with faults if wanted."),
    "evaluate": (
        "replay.cli.evaluate:evaluate_command",
        "Measure a model on recordings: shots in time, false spin-ups.",
    ),
    "explore": ("replay.cli.explore:explore", "Plot recordings and their shots, and export a training set."),
    "export-model": ("models.cli.exchange:export_model", "Convert a model to a file for the blaster."),
    "import-model": ("models.cli.exchange:import_model", "Convert a model file of the blaster to a model."),
    "hil": ("hil.cli.hil:hil", "Test the daemon on a bench, against blasters emulated or real."),
    "info": ("stinger.cli.info:info", "Show what a recording contains."),
    "models": ("models.cli.models:models", "List, show, add and promote models."),
    "personalise": ("service.cli.personalise:personalise_command", "Fetch a log, train on it, upload the models."),
    "plot": ("replay.cli.plot:plot", "Train models and plot their output over a recording."),
    "pull": ("service.cli.pull:pull", "Fetch a blaster's log."),
    "push": ("service.cli.push:push", "Bring models to a blaster."),
    "recordings": ("service.cli.recordings:recordings", "List recordings, and delete old ones."),
    "retrain": ("service.cli.retrain:retrain_command", "Train better models on the daemon's recordings."),
    "run": ("service.cli.run:run", "Run the daemon: samples in, shot events out."),
    "synth": ("models.cli.synth:synth", "Generate a synthetic session."),
    "train": ("models.cli.train:train", "Train a model on a training set and measure it."),
    "watch": ("service.cli.watch:watch", "Show live what a daemon publishes."),
}
"""Where each subcommand is, and the help line shown for it without importing it."""


class _UserError(click.ClickException):
    """One line on stderr and exit code 2."""

    exit_code = 2


class LazyGroup(click.Group):
    """Looks subcommands up in ``lazy``, as :data:`COMMANDS` has them, and shows every :class:`StingerError` as one line."""

    def __init__(self, *arguments: Any, lazy: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """By their names alone, in the alphabet's order."""
        del ctx
        return sorted(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; ``None`` if there is none of the name."""
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
        """Commands by their names and help lines alone."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in sorted(self._lazy.items())])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands by their names alone: importing all of them would take seconds, and fail without their extras."""
        named = [
            CompletionItem(name, help=help_line)
            for name, (_, help_line) in sorted(self._lazy.items())
            if name.startswith(incomplete)
        ]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]

    def invoke(self, ctx: click.Context) -> Any:
        """What the command returns; whatever a user can cause ends as one line."""
        try:
            return super().invoke(ctx)
        except StingerError as error:
            raise _UserError(str(error)) from error
        except click.UsageError as error:
            raise _in_one_line(error) from error

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """As any group does; whatever is wrong with what the user wrote ends as one line."""
        try:
            return super().make_context(*arguments, **options)
        except click.UsageError as error:
            raise _in_one_line(error) from error


def _in_one_line(error: click.UsageError) -> click.ClickException:
    """``error`` with the command whose help tells more, instead of with three lines around it."""
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

    Every command explains itself: stinger COMMAND --help.
    """
