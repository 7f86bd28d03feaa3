from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import click
import pytest
from click import Command
from click.testing import CliRunner, Result

from hil.cli.hil import COMMANDS as BENCH_COMMANDS
from stinger.cli import main
from stinger.cli.commands import COMMANDS, SECTIONS
from stinger.cli.group import LazyGroup
from stinger.packages import install_command
from tests.helpers.patience import PATIENCE_S

HEAVY = ("numpy", "sklearn", "matplotlib", "onnxruntime", "joblib", "scipy", "asyncio")


def command(name: str) -> Command:
    module, _, attribute = COMMANDS[name][0].partition(":")
    found = getattr(import_module(module), attribute)
    assert isinstance(found, Command)
    return found


def test_help_names_every_command() -> None:
    output = CliRunner().invoke(main, ["--help"]).output
    for name, (_, help_line) in COMMANDS.items():
        assert name in output
        assert help_line in output


@pytest.mark.parametrize("name", COMMANDS)
def test_help_line_in_the_list_is_the_one_of_the_command_itself(name: str) -> None:
    assert command(name).name == name
    assert command(name).get_short_help_str(limit=200) == COMMANDS[name][1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    for parameter in command(name).params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert getattr(parameter, "help", None), parameter.name


def test_no_help_of_a_command_loads_what_takes_long_to_import() -> None:
    slow = ("sklearn", "matplotlib", "onnxruntime", "torch", "nicegui")
    script = (
        "import sys; from stinger.cli import main\n"
        "for name in sys.argv[1:]:\n"
        "    try: main([*name.split(), '--help'])\n"
        f"    except SystemExit: pass\nprint([m for m in {slow!r} if m in sys.modules])"
    )
    subcommands = [*COMMANDS, *(f"hil {name}" for name in BENCH_COMMANDS)]
    ended = subprocess.run(
        [sys.executable, "-c", script, *subcommands], capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    assert ended.stdout.count("Usage:") == len(subcommands)
    assert ended.stdout.splitlines()[-1] == "[]"


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; from stinger.cli import main\n"
        "try: main(['--help'])\n"
        f"except SystemExit: pass\nprint([m for m in {HEAVY!r} if m in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    assert ended.stdout.splitlines()[-1] == "[]"


def test_completing_a_command_loads_nothing_heavy() -> None:
    script = (
        "import os, sys; os.environ.update(_STINGER_COMPLETE='bash_complete', COMP_WORDS='stinger e', COMP_CWORD='1')\n"
        "from stinger.cli import main\n"
        "try: main(prog_name='stinger')\n"
        f"except SystemExit: pass\nprint([m for m in {HEAVY!r} if m in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    *completions, heavy = ended.stdout.splitlines()
    assert "plain,explore" in completions
    assert heavy == "[]"


def test_version_is_that_of_the_distribution() -> None:
    assert CliRunner().invoke(main, ["--version"]).output.startswith("stinger, version ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nosuch"], "Error: No command 'nosuch' (see stinger --help)"),
        (["evalute"], "Error: No command 'evalute': did you mean evaluate? (see stinger --help)"),
        (["--nosuch"], "Error: No such option '--nosuch'. (see stinger --help)"),
        (["info"], "Error: Missing argument 'FILE'. (see stinger info --help)"),
        (["models", "nosuch"], "Error: No command 'nosuch' (see stinger models --help)"),
        (["hil", "rnu"], "Error: No command 'rnu': did you mean run? (see stinger hil --help)"),
        (
            ["run", "--metrics-port", "abc"],
            "Error: Invalid value for '--metrics-port': 'abc' is not a valid integer. (see stinger run --help)",
        ),
    ],
)
def test_what_is_not_understood_ends_as_one_line(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(main, arguments, prog_name="stinger")
    assert result.exit_code == 2
    assert result.stderr == f"{said}\n"


def test_without_a_command_five_things_to_do_are_shown() -> None:
    result = CliRunner().invoke(main, [])
    assert result.exit_code == 0
    assert [line.split()[1] for line in result.output.splitlines() if line.startswith("  stinger ")] == [
        "demo",
        "web",
        "personalise",
        "run",
        "evaluate",
    ]


def test_every_command_is_in_one_section_of_the_help() -> None:
    listed = [name for names in SECTIONS.values() for name in names]
    assert sorted(listed) == sorted(COMMANDS)


def test_command_whose_extra_is_not_installed_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "far", ("stinger.cli.no_such_extra:far", "Needs an extra."))

    def fail(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name}", name="sklearn.ensemble")

    monkeypatch.setattr("stinger.cli.group.import_module", fail)
    result = CliRunner().invoke(main, ["far"])
    assert result.exit_code == 2
    assert result.output == (
        f"Error: this command needs the package sklearn, which is not installed: run {install_command('all')}\n"
    )


@pytest.mark.parametrize(
    ("name", "mending"),
    [
        (
            "sklearn.ensemble",
            f"package sklearn, which is not installed: run {install_command('all')}",
        ),
        ("_lzma", "module _lzma, which this Python lacks though it is a standard one: use another Python"),
    ],
)
def test_command_that_finds_a_module_missing_while_it_runs_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, name: str, mending: str
) -> None:
    @click.command()
    def far() -> None:
        raise ModuleNotFoundError(f"No module named {name}", name=name)

    group = LazyGroup("g", lazy={})
    monkeypatch.setattr(group, "get_command", lambda _ctx, _name: far)
    result = CliRunner().invoke(group, ["far"])
    assert (result.exit_code, result.output) == (2, f"Error: this command needs the {mending}\n")


def test_module_of_ours_that_is_missing_is_a_bug_and_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "far", ("stinger.cli.no_such_module:far", "Is not there."))
    assert isinstance(CliRunner().invoke(main, ["far"]).exception, ModuleNotFoundError)


def _run_that_fails_with(error: Exception, monkeypatch: pytest.MonkeyPatch) -> Result:
    """Return the result of a group's command that raises ``error``."""

    @click.command()
    def failing() -> None:
        raise error

    group = LazyGroup("g", lazy={})
    monkeypatch.setattr(group, "get_command", lambda _ctx, _name: failing)
    return CliRunner().invoke(group, ["failing"])


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(13, "Permission denied", "/a\x1b/b"), "Error: /a\\x1b/b: Permission denied\n"),
        (OSError(30, "Read-only file system"), "Error: Read-only file system\n"),
        (OSError("no folder that can be written to"), "Error: no folder that can be written to\n"),
        (OSError(18, "Invalid cross-device link", "a", None, "b"), None),
        (TimeoutError(), None),
        (ConnectionResetError("gone"), None),
    ],
)
def test_what_the_system_refuses_is_one_line_and_what_may_be_a_fault_is_not(
    monkeypatch: pytest.MonkeyPatch, error: OSError, line: str | None
) -> None:
    ended = _run_that_fails_with(error, monkeypatch)
    if line is None:
        assert ended.exception is error
    else:
        assert (ended.exit_code, ended.output) == (2, line)


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (MemoryError(), ""),
        (MemoryError("Unable to allocate 2 GiB\nmore"), " (Unable to allocate 2 GiB)"),
        (
            ImportError("advice\nOriginal error was: a.so: failed to map segment from shared object\n"),
            " (a.so: failed to map segment from shared object)",
        ),
        (ImportError("a.so: cannot allocate memory in static TLS block"), None),
        (ImportError("cannot import name 'x'"), None),
    ],
)
def test_too_little_memory_is_one_line_and_may_be_tried_again(
    monkeypatch: pytest.MonkeyPatch, error: Exception, detail: str | None
) -> None:
    ended = _run_that_fails_with(error, monkeypatch)
    if detail is None:
        assert ended.exception is error
    else:
        assert (ended.exit_code, ended.output) == (
            75,
            f"Error: not enough memory{detail}: free some, or raise its limit\n",
        )
