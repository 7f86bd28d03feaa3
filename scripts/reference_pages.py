"""Writes the pages of the documentation that are made from the code: commands with their options, and modules."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Final

import click

from stinger.cli import main
from stinger.cli.commands import SECTIONS

WITHOUT_PAGE: Final = ("models.cli", "stinger.cli", "models.cnn_training")
"""Modules that are no part of the API: commands have a page of their own, and training a network needs PyTorch."""


def write_reference_pages(folder: Path) -> None:
    """Write ``commands.md``, and a page for each of the packages ``stinger`` and ``models``, into ``folder``."""
    folder.mkdir(exist_ok=True)
    (folder / "commands.md").write_text("\n".join(_commands_page()) + "\n", encoding="utf-8")
    for package in ("stinger", "models"):
        (folder / f"{package}.md").write_text("\n".join(_package_page(package)) + "\n", encoding="utf-8")


def _commands_page() -> Iterator[str]:
    yield "# Commands"
    yield ""
    yield "Every command shows this with `--help`."
    root = click.Context(main, info_name="stinger")
    for heading, names in SECTIONS.items():
        yield ""
        yield f"## {heading}"
        for name in names:
            command = main.get_command(root, name)
            assert command is not None
            yield from _command(command, click.Context(command, parent=root, info_name=name))


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield from ("", f"### {context.command_path}", "")
    usage = " ".join(command.collect_usage_pieces(context))
    yield from ("```", f"{context.command_path} {usage}".rstrip(), "```", "")
    yield from _paragraphs(command.help or "")
    options = [record for parameter in command.params if (record := parameter.get_help_record(context))]
    if options:
        yield from ("| option | |", "| --- | --- |")
        yield from (f"| {_cell(flags)} | {_cell(meaning)} |" for flags, meaning in options)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _command(below, click.Context(below, parent=context, info_name=name))


def _paragraphs(help_text: str) -> Iterator[str]:
    r"""Yield a command's help as Markdown. A paragraph that begins with ``\b`` is a list of command lines."""
    for paragraph in help_text.split("\n\n"):
        lines = [line.strip() for line in paragraph.strip().splitlines()]
        if lines and lines[0] == "\b":
            yield from ("```sh", *lines[1:], "```", "")
        else:
            yield from (*map(_as_text, lines), "")


def _cell(text: str) -> str:
    """Return ``text`` so that nothing in it is Markdown or markup."""
    return " ".join(_as_text(text).replace("|", "\\|").split())


def _as_text(text: str) -> str:
    return re.sub(r"([\[\]*_`<>])", r"\\\1", text)


def _package_page(package: str) -> Iterator[str]:
    yield f"# {package}"
    for name in _modules(package):
        yield from ("", f"::: {name}")


def _modules(package: str) -> Iterator[str]:
    """Yield the names of all public modules of ``package``, in alphabetical order."""
    found = import_module(package)
    for module in sorted(pkgutil.walk_packages(found.__path__, f"{package}."), key=lambda module: module.name):
        private = any(part.startswith("_") for part in module.name.split("."))
        if not private and not module.name.startswith(WITHOUT_PAGE):
            yield module.name
