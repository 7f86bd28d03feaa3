"""The ``stinger`` command: a group that knows its subcommands by name and imports only the one that is called."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from stinger.cli.commands import COMMANDS, FIRST_STEPS, SECTIONS
from stinger.cli.streams import OutputError, guarded_output, show_exception
from stinger.errors import StingerError
from stinger.packages import PACKAGES, check_packages, install_command
from stinger.wording import printable

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
"""Errors of the system about files and folders, which a user can cause; its other errors may be faults of the
program."""


_NO_MEMORY: Final = re.compile(r"failed to map segment|cannot allocate memory(?! in static TLS)", re.IGNORECASE)
"""What the system's loader says when there is no memory for a library."""


class _UserError(click.ClickException):
    """One line on stderr and exit code 2."""

    exit_code = 2

    def format_message(self) -> str:
        """Return the message on one line."""
        return printable(self.message)


class _MemoryShortError(click.ClickException):
    """One line on stderr, and the exit code of sysexits.h for a failure after which another attempt may succeed."""

    exit_code = 75

    def format_message(self) -> str:
        """Return the message on one line."""
        return printable(
            f"not enough memory{f' ({self.message})' if self.message else ''}: free some, or raise its limit"
        )


class SuggestingGroup(click.Group):
    """A group that names similar subcommands when there is none of the name that was given."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the subcommand that ``args`` begin with. An unknown one is a usage error that names similar ones."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            similar = get_close_matches(name, self.list_commands(ctx), n=2)
            question = f": did you mean {' or '.join(similar)}?" if similar else ""
            ctx.fail(f"No command '{name}'{question}")
        return super().resolve_command(ctx, args)


def _describe_missing(error: ModuleNotFoundError) -> str | None:
    """Return which module is missing and what to do; ``None`` for one of this program, whose absence is a fault."""
    package = (error.name or "").partition(".")[0]
    if package in PACKAGES or not package:
        return None
    if package in sys.stdlib_module_names:
        return f"module {package}, which this Python lacks though it is a standard one: use another Python"
    return f"package {package}, which is not installed: run {install_command('all')}"


class LazyGroup(SuggestingGroup):
    """A group of the subcommands in ``lazy``, in the form of :data:`COMMANDS`.

    Prints a :class:`StingerError` as one line.

    ``sections`` are headings of the list of commands, each with names in the order in which they are to be listed.
    """

    def __init__(
        self,
        *arguments: Any,
        lazy: Mapping[str, tuple[str, str]],
        sections: Mapping[str, Sequence[str]] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self._lazy = lazy
        self._sections = sections

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
        command = getattr(import_module(module_name), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from their names and help lines, without importing them."""
        del ctx
        width = max(map(len, self._lazy), default=0)
        for heading, names in (self._sections or {"Commands": sorted(self._lazy)}).items():
            with formatter.section(heading):
                # Names of one width: the help lines of all sections then begin in the same column.
                formatter.write_dl([(name.ljust(width), self._lazy[name][1]) for name in names])

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
        except ModuleNotFoundError as error:
            needed = _describe_missing(error)
            if needed is None:
                raise
            raise _UserError(f"this command needs the {needed}") from error
        except MemoryError as error:
            raise _MemoryShortError(str(error).partition("\n")[0]) from error
        except ImportError as error:
            lines = [line for line in str(error).splitlines() if _NO_MEMORY.search(line)]
            if not lines:
                raise
            raise _MemoryShortError(lines[0].removeprefix("Original error was: ").strip()) from error
        except OSError as error:
            # A plain OSError without a number is a library's, such as Matplotlib's without a folder that it can write
            # to.
            if error.errno not in _REFUSED_BY_SYSTEM and not (type(error) is OSError and error.errno is None):
                raise
            names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
            raise _UserError(": ".join([*names, error.strerror or str(error)])) from error
        except click.UsageError as error:
            raise _in_one_line(error) from error

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run the command line.

        Control characters in what it prints are shown, not carried out. An output that is full or closed gives no
        traceback.
        """
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
    cls=LazyGroup,
    lazy=COMMANDS,
    sections=SECTIONS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="stinger-ml", prog_name="stinger")
@click.pass_context
def main(context: click.Context) -> None:
    """Tools for the Stinger foam-dart blaster: recordings, training, a daemon that predicts shots, a test bench.

    For the options of a command: stinger COMMAND --help.
    """
    if context.invoked_subcommand is None:
        _show_first_steps(context)


def _show_first_steps(context: click.Context) -> None:
    formatter = context.make_formatter()
    formatter.write_text("stinger predicts the shots of the Stinger foam-dart blaster. What people do with it:")
    formatter.write_paragraph()
    with formatter.indentation():
        formatter.write_dl(FIRST_STEPS)
    formatter.write_paragraph()
    formatter.write_text(
        f"All {len(COMMANDS)} commands: stinger --help. What is installed and what is wrong: stinger doctor."
    )
    click.echo(formatter.getvalue(), nl=False)
